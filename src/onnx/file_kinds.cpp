#include "onnx/file_kinds.h"

#include <string_view>

namespace webnnc::onnx {

namespace {

struct Kind {
  size_t at;
  std::string_view magic;
  const char *what, *way_out;
};

constexpr char kFromTensorFlow[] =
    "convert it with tf2onnx: python -m tf2onnx.convert (--saved-model, --tflite or --keras)";
constexpr char kFromPyTorch[] = "load it in Python and export it with torch.onnx.export";

using namespace std::string_view_literals;
constexpr Kind kKinds[] = {
    {0, "version https://git-lfs"sv, "a pointer of Git LFS, not the file itself",
     "fetch the file with: git lfs pull"},
    {4, "TFL3"sv, "a TensorFlow Lite model", kFromTensorFlow},
    {0, "PK\x03\x04"sv, "a zip archive, as PyTorch writes its models (.pt, .pth)", kFromPyTorch},
    {0, "\x80\x02"sv, "a Python pickle, as older PyTorch writes its models", kFromPyTorch},
    {0, "\x80\x04"sv, "a Python pickle", kFromPyTorch},
    {0, "\x89HDF\r\n"sv, "an HDF5 file, as Keras writes its models (.h5)", kFromTensorFlow},
    {0, "GGUF"sv, "a GGUF file, as llama.cpp reads it", "find the model's ONNX export"},
    {0, "\x1f\x8b"sv, "compressed with gzip", "decompress it first: gunzip"},
    {0,
     "\xfd"
     "7zXZ"sv,
     "compressed with xz", "decompress it first: unxz"},
    {0, "\x28\xb5\x2f\xfd"sv, "compressed with Zstandard", "decompress it first: unzstd"},
    {0, "<!doctype"sv, "a page of HTML", "download the model's file itself, not the page about it"},
    {0, "<!DOCTYPE"sv, "a page of HTML", "download the model's file itself, not the page about it"},
    {0, "<html"sv, "a page of HTML", "download the model's file itself, not the page about it"},
    {0, "<?xml"sv, "an XML file, as OpenVINO describes its models", "find the model's ONNX file"},
    {0, "\x93NUMPY"sv, "an array of NumPy", "a model is needed, not a tensor"},
    {0, "\x89PNG"sv, "a picture", "a model is needed"},
    {0, "\xff\xd8\xff"sv, "a picture", "a model is needed"},
    {0, "ir_version"sv, "ONNX as text",
     "save it as ONNX writes it, in binary: onnx.save(model, \"model.onnx\")"},
    {0, "ORTM"sv, "an .ort file of ONNX Runtime", "compile the .onnx file that it was made from"},
    {4, "ORTM"sv, "an .ort file of ONNX Runtime", "compile the .onnx file that it was made from"},
    {0, "{"sv, "a JSON file", "a model in ONNX's format is needed"},
};

// A length, then a header of JSON that long.
bool IsSafetensors(std::string_view text) {
  if (text.size() < 10) return false;
  uint64_t length = 0;
  for (size_t i = 0; i < 8; ++i) length |= uint64_t{static_cast<uint8_t>(text[i])} << (8 * i);
  return length >= 2 && length <= text.size() - 8 && text[8] == '{' &&
         (text[9] == '"' || text[9] == '}');
}

Error Refusal(const std::string& path, const std::string& what, const std::string& way_out) {
  return Error{path + " is not an ONNX model: it is " + what, {}, {way_out}};
}

}  // namespace

std::optional<Error> RecognizeOther(std::span<const uint8_t> bytes, const std::string& path) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const Kind& kind : kKinds) {
    if (text.size() > kind.at && text.substr(kind.at).starts_with(kind.magic))
      return Refusal(path, kind.what, kind.way_out);
  }
  if (IsSafetensors(text)) {
    return Refusal(path, "a safetensors file: weights, without the network that uses them",
                   kFromPyTorch);
  }
  if (path.ends_with("saved_model.pb"))
    return Refusal(path, "a SavedModel of TensorFlow", kFromTensorFlow);
  return std::nullopt;
}

}  // namespace webnnc::onnx
