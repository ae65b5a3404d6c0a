#include "compile/models.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/lexer.h"

namespace webnnc {

namespace fs = std::filesystem;

std::string FilesOf(const CompileOptions& options) {
  std::string files;
  for (const ModelFile& file : options.models) files += (files.empty() ? "" : ", ") + file.path;
  return files;
}

namespace {

std::string KeyOf(const ModelFile& file) {
  return file.key.empty() ? fs::path(file.path).stem().string() : file.key;
}

// "encoder=a/model.onnx decoder=b/model.onnx": what would tell the files apart.
std::string Suggestion(const std::vector<ModelFile>& files) {
  std::string out;
  std::set<std::string> taken;
  for (const ModelFile& file : files) {
    std::string folder = fs::path(file.path).parent_path().filename().string();
    std::string key = folder.empty() || taken.count(folder) ? "" : folder;
    for (size_t n = 1; key.empty(); ++n) {
      std::string numbered = "model" + std::to_string(n);
      if (!taken.count(numbered)) key = numbered;
    }
    taken.insert(key);
    out += (out.empty() ? "" : " ") + key + "=" + file.path;
  }
  return out;
}

// Of several models: what pages are given is an object with these names, and flags take them apart
// from what follows by a colon.
Status CheckKey(const Model& model) {
  static const std::set<std::string> kOfObjects = {"then", "__proto__"};
  const std::string& key = model.key;
  std::string why;
  if (kOfObjects.count(key)) why = "is none that an object of models can have";
  if (key.find(':') != std::string::npos) why = "has a colon";
  if (key == "-") why = "says nothing";
  if (key.find('\0') != std::string::npos) why = "holds NUL";
  if (why.empty()) return kSuccess;
  return Error{"the name " + Quote(key) + " of the model in " + model.path() + " " + why,
               {},
               {"give it another, as in NAME=" + model.path()}};
}

// Names that say nothing: of files, folders, and what exporters call every graph.
bool IsGeneric(const std::string& name) {
  static const std::set<std::string> kGeneric = {"",          "-",
                                                 "/",         "model",
                                                 "models",    "onnx",
                                                 "out",       "output",
                                                 "export",    "exports",
                                                 "build",     "dist",
                                                 "tmp",       "main_graph",
                                                 "graph",     "main",
                                                 "torch_jit", "torch-jit-export",
                                                 "tf2onnx",   "model_quantized",
                                                 "onnx_model"};
  return kGeneric.count(name) > 0;
}

}  // namespace

Result<std::vector<Model>> ModelsOf(const CompileOptions& options) {
  if (options.models.empty()) return Error{"there is no model to compile"};
  std::vector<Model> models;
  for (const ModelFile& file : options.models) {
    Model& model = models.emplace_back();
    model.key = KeyOf(file);
    model.options = options;
    model.options.models = {file};
  }
  if (models.size() == 1) return models;
  std::map<std::string, const Model*> known;
  const Model* input = nullptr;
  for (const Model& model : models) {
    TRY(CheckKey(model));
    auto [other, is_new] = known.emplace(model.key, &model);
    if (!is_new) {
      return Error{other->second->path() + " and " + model.path() + " are both named " +
                       Quote(model.key) + ", and a page could not tell them apart",
                   {},
                   {"name them, as in " + Suggestion(options.models)}};
    }
    if (model.path() != "-") continue;
    if (input) return Error{"two models cannot both be read from standard input"};
    input = &model;
  }
  return models;
}

std::string NameOf(const Model& model) {
  const std::string& path = model.path();
  if (!model.options.models[0].key.empty()) return model.key;
  std::string stem = fs::path(path).stem().string();
  if (!IsGeneric(stem)) return stem;
  bool is_file = path != "-";
  std::error_code error;
  fs::path folder = is_file ? fs::absolute(path, error).parent_path() : fs::path();
  for (; folder.has_relative_path(); folder = folder.parent_path()) {
    std::string name = folder.filename().string();
    if (!IsGeneric(name)) return name;
  }
  const std::string& graph_name = model.file.proto().graph().name();
  return IsGeneric(graph_name) ? "model" : graph_name;
}

std::string NameOf(const CompileOptions& options, const Code& code) {
  if (!options.name.empty()) return options.name;
  if (code.models.size() == 1) return NameOf(code.models[0]);
  std::string name;
  for (const Model& model : code.models) name += (name.empty() ? "" : "-") + model.key;
  return name;
}

}  // namespace webnnc
