// The files of shaders: one for each variant of the programs for GPUs, of which a page downloads
// what its GPU runs. docs/bundle.md says what is in them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bundle/contents.h"

namespace webnnc::bundle {

// The distinct texts of the shaders that all models have of one variant, in the order of their
// first use.
class ShaderTable {
 public:
  ShaderTable(const Contents& contents, FeatureSet features);

  FeatureSet features() const { return features_; }
  // "model.shaders.json", "model.shaders.f16.json"
  std::string file() const { return FileOf(features_); }
  // What model.js calls it: "shaders", "shaders.f16".
  std::string key() const { return KeyOf(features_); }
  size_t IndexOf(const plan::Shader& shader) const { return index_.at(shader.wgsl); }
  // Whether some model has the variant.
  bool is_used() const { return is_used_; }
  // The file. `build` is the id.
  std::string Print(const std::string& build) const;

  static std::string FileOf(FeatureSet features) { return "model." + KeyOf(features) + ".json"; }
  static std::string KeyOf(FeatureSet features) { return "shaders" + Suffix(features, '.'); }

 private:
  FeatureSet features_;
  bool is_used_ = false;
  std::map<std::string, size_t> index_;
  std::vector<const std::string*> texts_;
};

// Those of all variants that a bundle has.
std::vector<ShaderTable> ShaderTables(const Contents& contents);

// The names of all files of shaders that any bundle may have.
std::vector<std::string> ShaderFileNames();

// A shader without the spaces that people alone need: those between two words stay, and those
// between two operators. Lines stay, which errors speak of.
std::string Compact(const std::string& wgsl);

}  // namespace webnnc::bundle
