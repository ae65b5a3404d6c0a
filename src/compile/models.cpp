#include "compile/models.h"

#include <filesystem>

namespace webnnc {

std::string FilesOf(const CompileOptions& options) {
  std::string files;
  for (const ModelFile& file : options.models) files += (files.empty() ? "" : ", ") + file.path;
  return files;
}

static std::string KeyOf(const ModelFile& file) {
  return file.key.empty() ? std::filesystem::path(file.path).stem().string() : file.key;
}

Result<std::vector<Model>> ModelsOf(const CompileOptions& options) {
  std::vector<Model> models;
  for (const ModelFile& file : options.models) {
    Model& model = models.emplace_back();
    model.key = KeyOf(file);
    model.options = options;
    model.options.models = {file};
  }
  return models;
}

}  // namespace webnnc
