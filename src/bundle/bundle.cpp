#include "bundle/bundle.h"

#include <algorithm>
#include <fstream>

#include "base/file.h"
#include "base/parallel.h"
#include "bundle/declarations.h"
#include "bundle/description.h"
#include "bundle/identity.h"
#include "bundle/package.h"
#include "bundle/page.h"
#include "bundle/profile_script.h"
#include "bundle/report.h"
#include "bundle/shader_files.h"

namespace webnnc::bundle {

// Pieces of the weights, which tell about what all of them take when they are compressed: that
// would take longer than everything else that is done here.
static Result<std::string> SampleOf(const std::string& path) {
  constexpr size_t kSamples = 16, kSampleBytes = 64 << 10;
  TRY_ASSIGN(auto file, MapFile(path));
  std::string_view bytes(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size());
  if (bytes.size() <= kSamples * kSampleBytes) return std::string(bytes);
  std::string sample;
  for (size_t i = 0; i < kSamples; ++i)
    sample += bytes.substr(bytes.size() / kSamples * i, kSampleBytes);
  return sample;
}

// Sets what files take when they are compressed, told from `samples`: all of a file, or pieces. It
// takes longer than to write them.
static void Compress(const std::vector<std::string>& samples, std::vector<DescribedFile>& files) {
  InParallel(files.size(), [&](size_t i) {
    auto bytes = static_cast<int64_t>(samples[i].size());
    files[i].gzip_bytes = GzipSize(samples[i]);
    if (bytes > 0) files[i].gzip_bytes = *files[i].gzip_bytes * files[i].bytes / bytes;
  });
}

Result<std::string> Write(const Contents& contents, const std::vector<Module>& modules,
                          const ReportOptions& report, OutputFolder& folder) {
  std::vector<DescribedFile> files;
  std::vector<std::string> samples;
  auto write = [&](const std::string& name, std::string_view bytes) {
    files.push_back({name, static_cast<int64_t>(bytes.size()), std::nullopt});
    samples.emplace_back(bytes);
    return folder.Write(name, bytes);
  };
  for (const Module& module : modules) TRY(write(module.file(), module.bytes));
  for (const ShaderTable& shaders : ShaderTables(contents))
    TRY(write(shaders.file(), shaders.Print(contents.build)));
  TRY(WriteWeights(contents.weights_file, *contents.weights, folder.PathOf("model.weights.bin")));
  files.push_back({"model.weights.bin", contents.weights_file.bytes, std::nullopt});
  TRY_ASSIGN(auto sample, SampleOf(folder.PathOf("model.weights.bin")));
  samples.push_back(std::move(sample));
  std::string record = BuildRecord(contents, modules);
  for (const char* name : {"model.worker.js", "model.js"})
    TRY(write(name, WithBuildRecord(ScriptFor(contents, name), record)));
  TRY(write("model.profile.js", ProfileScript(contents, record)));
  TRY(write("model.d.ts", Declarations(contents)));
  for (const char* name : {"index.html", "page.js", "page.worker.js", "page.css"})
    TRY(write(name, PageFile(name)));
  TRY(write("package.json", PackageJson(contents)));
  Compress(samples, files);
  std::string description = Description(contents, files);
  if (!report.wanted) return description;
  TRY_ASSIGN(auto page, Report(description, report.previous, report.profile));
  TRY(folder.Write("report.js", PageFile("report.js")));
  TRY(folder.Write("report.css", PageFile("report.css")));
  TRY(folder.Write("report.html", page));
  return description;
}

Result<OutputFolder> CreateFolder(const std::string& path, bool force) {
  auto package = ReadFile(path + "/package.json");
  if (!force && package && !IsOurPackage(package.value())) {
    return Error{"cannot write " + path + ": it holds package.json, which webnnc did not write",
                 {},
                 {"name a folder of the model's own, or replace the file with --force"}};
  }
  std::vector<std::string> files = ShaderFileNames();
  for (FeatureSet features : plan::Modules()) files.push_back(Module{features, {}}.file());
  for (const char* name : {"model.weights.bin", "model.worker.js", "model.profile.js", "model.d.ts",
                           "page.css", "page.js", "page.worker.js", "report.css", "report.js",
                           "report.html", "package.json", "index.html", "model.js"})
    files.push_back(name);
  return OutputFolder::Create(
      path, {std::move(files), "model.js", "// Runs a model compiled by webnnc.", force});
}

}  // namespace webnnc::bundle
