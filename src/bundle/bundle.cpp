#include "bundle/bundle.h"

#include <fstream>

namespace webnnc::bundle {

void PlaceWeights(IdVector<plan::WeightTag, plan::Weight>& weights) {
  int64_t end = 0;
  for (plan::Weight& weight : weights) {
    weight.offset = (end + plan::kWeightAlignment - 1) / plan::kWeightAlignment * plan::kWeightAlignment;
    end = weight.offset + ByteSize(weight.type).value();
  }
}

Status WriteWeights(const IdVector<plan::WeightTag, plan::Weight>& weights, const std::string& path) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  int64_t at = 0;
  const std::string zeros(static_cast<size_t>(plan::kWeightAlignment), '\0');
  for (const plan::Weight& weight : weights) {
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
