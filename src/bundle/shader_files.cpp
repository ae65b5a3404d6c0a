#include "bundle/shader_files.h"

#include <cctype>
#include <nlohmann/json.hpp>

namespace webnnc::bundle {

ShaderTable::ShaderTable(const Contents& contents, FeatureSet features) : features_(features) {
  for (const ModelContents& model : contents.models) {
    for (const plan::Variant* gpu : model.variants.gpu()) {
      if (gpu->target().features != features) continue;
      is_used_ = true;
      for (const plan::Shader& shader : gpu->shaders) {
        if (index_.emplace(shader.wgsl, texts_.size()).second) texts_.push_back(&shader.wgsl);
      }
    }
  }
}

std::string ShaderTable::Print(const std::string& build) const {
  nlohmann::ordered_json json = {{"build", build}, {"shaders", nlohmann::ordered_json::array()}};
  for (const std::string* text : texts_) json["shaders"].push_back(Compact(*text));
  return json.dump();
}

std::vector<ShaderTable> ShaderTables(const Contents& contents) {
  std::vector<ShaderTable> tables;
  for (const plan::VariantKind& variant : plan::kVariants) {
    if (variant.kind != Target::Kind::kWebGpu) continue;
    ShaderTable table(contents, variant.features);
    if (table.is_used()) tables.push_back(std::move(table));
  }
  return tables;
}

std::vector<std::string> ShaderFileNames() {
  std::vector<std::string> names;
  for (const plan::VariantKind& variant : plan::kVariants) {
    if (variant.kind == Target::Kind::kWebGpu)
      names.push_back(ShaderTable::FileOf(variant.features));
  }
  return names;
}

std::string Compact(const std::string& wgsl) {
  auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  auto is_operator = [](char c) {
    return std::string_view("+-*/%<>=!&|^~").find(c) != std::string_view::npos;
  };
  std::string out;
  for (size_t i = 0; i < wgsl.size(); ++i) {
    if (wgsl[i] != ' ') {
      out += wgsl[i];
      continue;
    }
    size_t next = wgsl.find_first_not_of(' ', i);
    if (next == std::string::npos) break;
    char before = out.empty() ? '\n' : out.back(), after = wgsl[next];
    bool needed =
        (is_word(before) && is_word(after)) || (is_operator(before) && is_operator(after));
    if (needed) out += ' ';
    i = next - 1;
  }
  return out;
}

}  // namespace webnnc::bundle
