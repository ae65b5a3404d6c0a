#include "bundle/identity.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bundle/alternatives_script.h"
#include "bundle/manifest.h"
#include "bundle/page.h"
#include "bundle/profile_script.h"
#include "bundle/shader_files.h"

namespace webnnc::bundle {

using Json = nlohmann::ordered_json;

namespace {

// What stands in runtime-js/build.js where the record belongs.
constexpr std::string_view kPlaceholder = "globalThis.__webnnc_build__";

// 32 bits, since model.js hashes files before there is a module that could do it.
Json FileJson(const std::string& bytes) {
  return {{"bytes", bytes.size()}, {"hash", XXH32(bytes.data(), bytes.size(), 0)}};
}

Json VariantJson(const plan::Variant& variant, const WeightRange& range) {
  bool gpu = variant.target().IsGpu();
  Requirements requirements = gpu ? RequirementsOf(variant) : Requirements();
  Json json = {{"kind", Name(variant.target().kind)},
               {"features", requirements.features},
               {"limits", requirements.limits},
               {"first", range.first},
               {"end", range.end}};
  if (gpu) json["shaders"] = ShaderTable::KeyOf(variant.target().features);
  return json;
}

// Whether runs are more than one list of steps between inputs and outputs.
bool Walks(const Contents& contents) {
  return std::any_of(contents.models.begin(), contents.models.end(),
                     [](const ModelContents& model) {
                       return !model.states.empty() || model.variants.HaveCommands();
                     });
}

bool HasLists(const Contents& contents) {
  return std::any_of(contents.models.begin(), contents.models.end(),
                     [](const ModelContents& model) { return !model.lists.empty(); });
}

// Where model.js finds a file that lies beside it.
std::string AddressCase(const std::string& key, const std::string& file) {
  return "case\"" + key + "\":return new URL(\"" + file + "\",import.meta.url);";
}

// That of what not every bundle has.
std::string AddressCases(const Contents& contents) {
  std::string cases;
  for (const ShaderTable& shaders : ShaderTables(contents))
    cases += AddressCase(shaders.key(), ShaderTable::FileOf(shaders.features()));
  for (FeatureSet features : plan::Modules()) {
    const Module module{features, {}};
    const bool threads = features.Has(Feature::kThreads), dots = features.Has(Feature::kDots);
    const bool is_there =
        (!threads || contents.has_threads) && (!dots || contents.has_dots) && (threads || dots);
    if (is_there) cases += AddressCase(module.key(), module.file());
  }
  return cases;
}

// `range` is what the first of the model's programs reads, and becomes that of what follows.
Json ProgramsJson(const ModelContents& model, std::vector<WeightRange>::const_iterator& range) {
  Json programs = Json::array();
  for (const plan::Variant* variant : model.variants.all())
    programs.push_back(VariantJson(*variant, *range++));
  return programs;
}

}  // namespace

std::string ScriptFor(const Contents& contents, std::string_view name) {
  std::string prefix = contents.HasSeveral() ? "models."
                       : HasLists(contents)  ? "lists."
                       : Walks(contents)     ? "walking."
                                             : "";
  if (contents.has_threads || contents.has_dots) prefix += "more.";
  std::string script(PageFile(prefix + std::string(name)));
  // The one that stands for all in runtime-js/files.js. The worker's script asks the page.
  const std::string any = AddressCase("shaders", "model.shaders.json");
  size_t at = script.find(any);
  CHECK((at != std::string::npos) == (name == "model.js"));
  return at == std::string::npos ? script : script.replace(at, any.size(), AddressCases(contents));
}

std::string BuildId(const Contents& contents, const std::vector<Module>& modules) {
  XXH64_state_t state;
  XXH64_reset(&state, 0);
  auto add = [&](std::string_view text) { XXH64_update(&state, text.data(), text.size()); };
  add(contents.version);
  add(Manifest(contents));
  for (const ShaderTable& shaders : ShaderTables(contents)) add(shaders.Print(""));
  for (const Module& module : modules) add(module.bytes);
  add(Hexadecimal(contents.weights_file.id));
  for (const char* script : {"model.js", "model.worker.js"}) add(ScriptFor(contents, script));
  add(PageFile("model.profile.js"));
  add(WorkScript(contents));
  add(AlternativesScript(contents));
  return Hexadecimal(XXH64_digest(&state));
}

std::string BuildRecord(const Contents& contents, const std::vector<Module>& modules) {
  const WeightsFile& weights = contents.weights_file;
  Json json;
  json["id"] = contents.build;
  json["webnnc"] = contents.version;
  json["name"] = contents.name;
  for (const Module& module : modules) {
    json[module.key()] = FileJson(module.bytes);
    if (module.memory_pages > 0) json[module.key()]["pages"] = module.memory_pages;
  }
  for (const ShaderTable& shaders : ShaderTables(contents))
    json[shaders.key()] = FileJson(shaders.Print(contents.build));
  Json pieces = Json::array();
  for (const WeightPiece& piece : weights.pieces)
    pieces.push_back(Json::array({piece.end, Hexadecimal(piece.hash)}));
  json["weights"] = {{"id", Hexadecimal(weights.id)}, {"bytes", weights.bytes}, {"pieces", pieces}};
  auto range = weights.ranges.begin();
  if (contents.HasSeveral()) {
    for (const ModelContents& model : contents.models)
      json["models"].push_back(
          {{"key", model.key}, {"name", model.name}, {"programs", ProgramsJson(model, range)}});
  } else {
    json["programs"] = ProgramsJson(contents.models[0], range);
  }
  CHECK(range == weights.ranges.end());
  // Names come from models, where they may be no UTF-8.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string WithBuildRecord(std::string_view script, const std::string& record) {
  std::string out(script);
  size_t at = out.find(kPlaceholder);
  CHECK(at != std::string::npos);
  // In parentheses: what follows may be a member.
  out.replace(at, kPlaceholder.size(), "(" + record + ")");
  CHECK(out.find(kPlaceholder) == std::string::npos);
  return out;
}

}  // namespace webnnc::bundle
