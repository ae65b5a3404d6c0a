#include "bundle/identity.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <nlohmann/json.hpp>

#include "bundle/manifest.h"
#include "bundle/page.h"

namespace webnnc::bundle {

using Json = nlohmann::ordered_json;

namespace {

// What stands in runtime-js/build.js where the record belongs.
constexpr std::string_view kPlaceholder = "globalThis.__webnnc_build__";

// 32 bits, since model.js hashes modules before there is one that could do it.
Json ModuleJson(const std::string& bytes) {
  return {{"bytes", bytes.size()}, {"hash", XXH32(bytes.data(), bytes.size(), 0)}};
}

Json ProgramJson(const Contents& contents, size_t index, const Requirements& requirements) {
  const WeightRange& range = contents.weights_file.ranges.at(index);
  return {{"kind", index < contents.gpu.size() ? "webgpu" : "wasm"},
          {"features", requirements.features},
          {"limits", requirements.limits},
          {"first", range.first},
          {"end", range.end}};
}

}  // namespace

std::string BuildId(const Contents& contents, const std::vector<std::string_view>& modules) {
  XXH64_state_t state;
  XXH64_reset(&state, 0);
  auto add = [&](std::string_view text) { XXH64_update(&state, text.data(), text.size()); };
  add(contents.version);
  add(Manifest(contents));
  add(Shaders(contents));
  for (std::string_view module : modules) add(module);
  add(Hexadecimal(contents.weights_file.id));
  for (const char* script : {"model.js", "model.worker.js"}) add(PageFile(script));
  return Hexadecimal(XXH64_digest(&state));
}

std::string BuildRecord(const Contents& contents, const std::string& module,
                        const std::string& relaxed) {
  const WeightsFile& weights = contents.weights_file;
  Json json;
  json["id"] = contents.build;
  json["webnnc"] = contents.version;
  json["name"] = contents.name;
  json["wasm"] = ModuleJson(module);
  json["relaxed"] = ModuleJson(relaxed);
  Json pieces = Json::array();
  for (const WeightPiece& piece : weights.pieces)
    pieces.push_back(Json::array({piece.end, Hexadecimal(piece.hash)}));
  json["weights"] = {{"id", Hexadecimal(weights.id)}, {"bytes", weights.bytes}, {"pieces", pieces}};
  Json& programs = json["programs"] = Json::array();
  for (const GpuPart& part : contents.gpu)
    programs.push_back(ProgramJson(contents, programs.size(), RequirementsOf(part)));
  if (contents.cpu) programs.push_back(ProgramJson(contents, programs.size(), {}));
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
