#include "bundle/bundle.h"

#include <fstream>
#include <set>

namespace webnnc::bundle {

void PlaceWeights(const std::vector<const plan::Program*>& programs, IdVector<plan::WeightTag, plan::Weight>& weights) {
  std::set<plan::WeightId> read;
  for (const plan::Program* program : programs) {
    for (const plan::Step& step : program->steps) {
      for (plan::BufferId argument : step.arguments) {
        const plan::Buffer& buffer = program->buffers[argument];
        if (buffer.kind == plan::BufferKind::kWeight) read.insert(buffer.weight);
      }
    }
  }
  int64_t end = 0;
  for (int32_t w = 0; w < weights.size(); ++w) {
    plan::Weight& weight = weights[plan::WeightId{w}];
    weight.offset = -1;
    if (!read.count(plan::WeightId{w})) continue;
    weight.offset = (end + plan::kWeightAlignment - 1) / plan::kWeightAlignment * plan::kWeightAlignment;
    end = weight.offset + ByteSize(weight.type).value();
  }
}

Status WriteWeights(const IdVector<plan::WeightTag, plan::Weight>& weights, const std::string& path) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  int64_t at = 0;
  const std::string zeros(static_cast<size_t>(plan::kWeightAlignment), '\0');
  for (const plan::Weight& weight : weights) {
    if (weight.offset < 0) continue;
    out.write(zeros.data(), weight.offset - at);
    auto bytes = weight.data.bytes();
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    at = weight.offset + static_cast<int64_t>(bytes.size());
  }
  out.close();
  if (!out) return Error{"cannot write " + path};
  return kSuccess;
}

std::vector<std::string> FileNames() {
  return {"model.wasm", "model.relaxed.wasm", "model.weights.bin", "model.js",
          "model.d.ts", "report.html",        "index.html"};
}

}  // namespace webnnc::bundle
