#include "bundle/bundle.h"

#include <algorithm>
#include <fstream>

#include "bundle/declarations.h"
#include "bundle/description.h"
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

// About what the weights take when they are compressed, told from samples: all of them would take
// longer than everything else that is done here.
static Result<int64_t> CompressedWeights(const std::string& path) {
  constexpr size_t kSamples = 16, kSampleBytes = 64 << 10;
  TRY_ASSIGN(auto file, MapFile(path));
  std::string_view bytes(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size());
  if (bytes.size() <= kSamples * kSampleBytes) return GzipSize(bytes);
  std::string sample;
  for (size_t i = 0; i < kSamples; ++i)
    sample += bytes.substr(bytes.size() / kSamples * i, kSampleBytes);
  return GzipSize(sample) * static_cast<int64_t>(bytes.size()) /
         static_cast<int64_t>(sample.size());
}

Status Write(const Contents& contents, const std::string& module, const std::string& relaxed,
             const ReportOptions& report, OutputFolder& folder) {
  std::vector<DescribedFile> files;
  auto write = [&](const std::string& name, std::string_view bytes) {
    files.push_back({name, static_cast<int64_t>(bytes.size()), GzipSize(bytes)});
    return folder.Write(name, bytes);
  };
  TRY(write("model.wasm", module));
  TRY(write("model.relaxed.wasm", relaxed));
  TRY(WriteWeights(*contents.weights, folder.PathOf("model.weights.bin")));
  files.push_back({"model.weights.bin", WeightBytes(contents), std::nullopt});
  TRY_ASSIGN(files.back().gzip_bytes, CompressedWeights(folder.PathOf("model.weights.bin")));
  TRY(write("model.js", PageFile("model.js")));
  TRY(write("model.d.ts", Declarations(contents)));
  TRY(write("index.html", PageFile("index.html")));
  if (!report.wanted) return kSuccess;
  TRY_ASSIGN(auto page, Report(Description(contents, files), report.previous, report.profile));
  TRY(folder.Write("report.js", PageFile("report.js")));
  TRY(folder.Write("report.css", PageFile("report.css")));
  return folder.Write("report.html", page);
}

std::vector<std::string> FileNames() {
  return {"model.wasm", "model.relaxed.wasm", "model.weights.bin", "model.js",  "model.d.ts",
          "index.html", "report.html",        "report.js",         "report.css"};
}

}  // namespace webnnc::bundle
