#include "bundle/bundle.h"

#include <algorithm>
#include <fstream>

#include "bundle/declarations.h"
#include "bundle/page.h"
#include "bundle/report.h"

namespace webnnc::bundle {

// Who reads a weight, in the order of the file: a page downloads the part that its program reads,
// from the first of its weights to the last.
enum class Readers : uint8_t { kNone, kCpu, kBoth, kGpu };

static std::vector<Readers> ReadersOf(const std::vector<const plan::Program*>& programs,
                                      int32_t count) {
  std::vector<Readers> readers(static_cast<size_t>(count));
  for (const plan::Program* program : programs) {
    Readers reader = program->target == plan::Target::kWasm ? Readers::kCpu : Readers::kGpu;
    for (const plan::Step& step : program->steps) {
      for (plan::BufferId argument : step.arguments) {
        const plan::Buffer& buffer = program->buffers[argument];
        if (buffer.kind != plan::BufferKind::kWeight) continue;
        Readers& known = readers[static_cast<size_t>(buffer.weight.index)];
        known = known == Readers::kNone || known == reader ? reader : Readers::kBoth;
      }
    }
  }
  return readers;
}

void PlaceWeights(const std::vector<const plan::Program*>& programs,
                  IdVector<plan::WeightTag, plan::Weight>& weights) {
  std::vector<Readers> readers = ReadersOf(programs, weights.size());
  int64_t end = 0;
  for (plan::Weight& weight : weights) weight.offset = -1;
  for (Readers group : {Readers::kCpu, Readers::kBoth, Readers::kGpu}) {
    for (int32_t w = 0; w < weights.size(); ++w) {
      if (readers[static_cast<size_t>(w)] != group) continue;
      plan::Weight& weight = weights[plan::WeightId{w}];
      weight.offset =
          (end + plan::kWeightAlignment - 1) / plan::kWeightAlignment * plan::kWeightAlignment;
      end = weight.offset + ByteSize(weight.type).value();
    }
  }
}

// Weights are not gathered in memory first: they may be larger than it.
static Status WriteWeights(const IdVector<plan::WeightTag, plan::Weight>& weights,
                           const std::string& path) {
  std::vector<const plan::Weight*> placed;
  for (const plan::Weight& weight : weights) {
    if (weight.offset >= 0) placed.push_back(&weight);
  }
  std::sort(placed.begin(), placed.end(), [](auto* a, auto* b) { return a->offset < b->offset; });
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  int64_t at = 0;
  const std::string zeros(static_cast<size_t>(plan::kWeightAlignment), '\0');
  for (const plan::Weight* weight : placed) {
    auto bytes = weight->data.bytes();
    out.write(zeros.data(), weight->offset - at);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    at = weight->offset + static_cast<int64_t>(bytes.size());
  }
  out.close();
  if (!out) return Error{"cannot write " + path};
  return kSuccess;
}

Status Write(const Contents& contents, const std::string& module, const std::string& relaxed,
             OutputFolder& folder) {
  std::vector<ReportedFile> files;
  auto write = [&](const std::string& name, std::string_view bytes) {
    files.push_back({name, static_cast<int64_t>(bytes.size()), GzipSize(bytes)});
    return folder.Write(name, bytes);
  };
  TRY(write("model.wasm", module));
  TRY(write("model.relaxed.wasm", relaxed));
  TRY(WriteWeights(*contents.weights, folder.PathOf("model.weights.bin")));
  files.push_back({"model.weights.bin", WeightBytes(contents), std::nullopt});
  TRY(write("model.js", PageFile("model.js")));
  TRY(write("model.d.ts", Declarations(contents)));
  TRY(write("index.html", PageFile("index.html")));
  return folder.Write("report.html", Report(contents, files));
}

std::vector<std::string> FileNames() {
  return {"model.wasm", "model.relaxed.wasm", "model.weights.bin", "model.js",
          "model.d.ts", "report.html",        "index.html"};
}

}  // namespace webnnc::bundle
