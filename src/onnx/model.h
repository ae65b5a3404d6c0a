// Reads model files: protobuf, and tensors wherever their bytes are.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "onnx/onnx.pb.h"
#include "tensor/data.h"

namespace webnnc::onnx {

namespace pb = ::onnx;

// A parsed model and what its tensors need to be read.
class Model {
 public:
  // Reads a file, or standard input if `path` is "-". Errors: no file, not protobuf or not ONNX,
  // truncated, over 2 GiB in one file. What is another kind of file is called by its name. External
  // data may also be in the folders of `allow_external`, or be one of the files that it names.
  static Result<Model> Load(const std::string& path,
                            const std::vector<std::string>& allow_external = {});

  const pb::ModelProto& proto() const { return *proto_; }
  const std::string& path() const { return path_; }
  const MappedFile& file() const { return file_; }

  // The tensor's elements. Raw bytes are not copied: they stay in the parsed model, or in the
  // mapped file that external data names. Errors: an element type that is not supported, too few
  // or too many bytes, an external file that is missing, short, or outside the model's folder.
  // Elements of types that graphs do not have are the numbers that stand for them (narrow.h).
  Result<Tensor> ReadTensor(const pb::TensorProto& tensor) const;
  // The same with such elements as they are stored.
  Result<Tensor> ReadStored(const pb::TensorProto& tensor) const;
  // The same with zeros where the tensor stores nothing. A model's sparse tensors may take a GiB in
  // all when they are written out so.
  Result<Tensor> ReadTensor(const pb::SparseTensorProto& tensor) const;

 private:
  Result<std::string> ExternalPath(const std::string& location) const;
  Result<TensorData> ReadExternal(const pb::TensorProto& tensor, int64_t bytes) const;

  std::shared_ptr<const pb::ModelProto> proto_;
  MappedFile file_;
  std::string path_, folder_;
  // Where external data may be, all links followed: the folder of the model's path and that of its
  // file, which differ in a cache where models are links into one folder of blobs; and what else
  // was allowed.
  std::vector<std::string> own_folders_, allowed_;
  // External files by location, mapped when first used.
  std::shared_ptr<std::map<std::string, MappedFile>> files_;
  std::shared_ptr<int64_t> sparse_bytes_ = std::make_shared<int64_t>(0);
};

// The tensor with elements of its own: what was read of a node may be in a copy of that node, which
// does not live as long as the graph.
Tensor Owned(const Tensor& tensor);

// The type of a tensor or, of a sequence or an optional, that of its tensors; null of what is none.
const pb::TypeProto* TensorTypeIn(const pb::TypeProto& type);

// The element type, or the one that stands for it (narrow.h), or an error that names the one ONNX
// has there.
Result<DType> ElementType(int32_t onnx_type);

}  // namespace webnnc::onnx
