#include "bundle/bundle.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "bundle/declarations.h"
#include "bundle/description.h"
#include "bundle/identity.h"
#include "bundle/manifest.h"
#include "bundle/report.h"
#include "bundle/shader_files.h"

namespace webnnc::bundle {
namespace {

using Json = nlohmann::json;

TensorType F32(Shape shape) { return {DType::kF32, std::move(shape)}; }

// x[n,4] -> one kernel with a weight -> y[n,4].
plan::Program OneStep(const Target& target, plan::WeightId weight) {
  plan::Program program;
  program.name = "test";
  program.target = target;
  Dim n = Dim::Symbol("n");
  auto x = program.buffers.Add({"x", DType::kF32, n * 4, plan::BufferKind::kInput});
  auto w = program.buffers.Add({"w", DType::kF32, 4, plan::BufferKind::kWeight, weight});
  auto y = program.buffers.Add({"y", DType::kF32, n * 4, plan::BufferKind::kOutput});
  program.inputs = {{"it's", F32({n, 4}), x}};
  program.outputs = {{"y", F32({n, 4}), y}};
  plan::Kernel kernel;
  kernel.plain.name = "add";
  for (auto [name, space] :
       {std::pair{"x", loop::Space::kIn}, {"w", loop::Space::kIn}, {"y", loop::Space::kOut}}) {
    kernel.plain.buffers.Add({name, F32({n, 4}), space});
  }
  program.steps = {plan::Launch{program.kernels.Add(kernel), {x, w, y}, {"Add_1", "Relu_<2>"}}};
  return program;
}

// What report.js reads.
Json DataIn(const std::string& report) {
  std::string begin = "id=\"build\">";
  size_t at = report.find(begin) + begin.size();
  return Json::parse(report.substr(at, report.find("</script>", at) - at));
}

// Files of shaders that a script finds beside itself.
std::set<std::string> AddressesIn(const std::string& script) {
  static const std::regex kAddress("new URL\\(\"(model\\.shaders[^\"]*)\"");
  std::set<std::string> names;
  for (std::sregex_iterator at(script.begin(), script.end(), kAddress), end; at != end; ++at)
    names.insert((*at)[1]);
  return names;
}

// What the only file of shaders has.
Json ShadersIn(const Contents& contents) {
  std::vector<ShaderTable> tables = ShaderTables(contents);
  EXPECT_EQ(tables.size(), 1u);
  return Json::parse(tables[0].Print("id"))["shaders"];
}

class BundleTest : public testing::Test {
 protected:
  BundleTest() {
    for (int i = 0; i < 3; ++i) {
      weights.Add({"w" + std::to_string(i), F32({4}), TensorData::Own(std::vector<uint8_t>(16))});
    }
    variants = {{OneStep(WebGpu(), plan::WeightId{0}), {shader}},
                {OneStep(Wasm(), plan::WeightId{2})}};
    PlaceWeights({{&gpu()}, {&cpu()}}, weights);
    contents.name = "test";
    contents.weights = &weights;
    contents.models.resize(1);
    model().variants = plan::ModuleVariants(variants, {});
    model().likely.Set("n", {1, 1, 8});
  }

  IdVector<plan::WeightTag, plan::Weight> weights;
  std::vector<plan::Variant> variants;
  plan::Shader shader{"fn main() {}", "rrwu", {1, 1, 1, {Dim::Symbol("n"), 2, 3, 4, 5}}, 64};
  Contents contents;

  ModelContents& model() { return contents.models[0]; }
  plan::Program& gpu() { return variants[0].program; }
  plan::Program& cpu() { return variants[1].program; }
};

TEST_F(BundleTest, ShadersLoseSpacesThatAreForPeople) {
  variants[0].shaders[0].wgsl =
      "@group(0) @binding(0) var<storage, read_write> x: array<vec4f>;\n"
      "fn main() {\n"
      "  let a = 1 - -2;\n"
      "  if (a < b && c >= -d) { return 0.5 * x; }\n"
      "}\n";
  EXPECT_EQ(ShadersIn(contents)[0],
            "@group(0)@binding(0)var<storage,read_write>x:array<vec4f>;\n"
            "fn main(){\n"
            "let a=1- -2;\n"
            "if(a<b&&c>= -d){return 0.5*x;}\n"
            "}\n");
}

TEST_F(BundleTest, WeightsOfTheCpuComeFirst) {
  EXPECT_EQ(weights[plan::WeightId{2}].offset, 256);
  EXPECT_EQ(weights[plan::WeightId{0}].offset, 512);
  // Nobody reads this one.
  EXPECT_EQ(weights[plan::WeightId{1}].offset, -1);

  WeightsFile file = DescribeWeights({{&gpu()}, {&cpu()}}, weights);
  EXPECT_EQ(file.bytes, 528);
  EXPECT_EQ(file.ranges[0].first, 512);
  EXPECT_EQ(file.ranges[0].end, 528);
  EXPECT_EQ(file.ranges[1].first, 0);
  EXPECT_EQ(file.ranges[1].end, 512);
  // The first piece is the header, others end where the parts of programs do. XXH64 of 16 zeros.
  ASSERT_EQ(file.pieces.size(), 3u);
  EXPECT_EQ(file.pieces[0].end, 256);
  EXPECT_EQ(file.pieces[1].end, 512);
  EXPECT_EQ(file.pieces[2].end, 528);
  EXPECT_EQ(Hexadecimal(file.pieces[2].hash), "af09f71516247c32");
}

TEST_F(BundleTest, ManifestHasProgramsInTheOrderOfTheModule) {
  Json manifest = Json::parse(Manifest(contents));
  EXPECT_EQ(manifest["inputs"],
            Json::parse(R"([{"name": "it's", "dataType": "float32", "shape": ["n", 4]}])"));
  ASSERT_EQ(manifest["programs"].size(), 2u);
  EXPECT_EQ(manifest["programs"][0], Json::parse(R"({"kind": "webgpu", "half": false, "steps": [0],
      "kernels": [{"name": "add", "shader": 0, "bindings": "rrwu", "uniformBytes": 32}]})"));
  EXPECT_EQ(manifest["programs"][1], Json::parse(R"({"kind": "wasm", "steps": ["add"]})"));
}

TEST_F(BundleTest, TheBuildHasAnIdMadeOfItsContent) {
  contents.weights_file = DescribeWeights({{&gpu()}, {&cpu()}}, weights);
  std::string id = BuildId(contents, {{{}, "module"}, {{}, "relaxed"}});
  EXPECT_EQ(id, BuildId(contents, {{{}, "module"}, {{}, "relaxed"}}));
  EXPECT_NE(id, BuildId(contents, {{{}, "module"}, {{}, "relaxer"}}));
  contents.weights_file.id ^= 1;
  EXPECT_NE(id, BuildId(contents, {{{}, "module"}, {{}, "relaxed"}}));
  contents.build = id;
  std::string script = WithBuildRecord("export const BUILD = globalThis.__webnnc_build__;",
                                       BuildRecord(contents, {{{}, "abc"}}));
  EXPECT_NE(script.find("\"id\":\"" + id + "\""), std::string::npos);
  // XXH32 of "abc", as its author gives it: 0x32d153ff.
  EXPECT_NE(script.find("\"wasm\":{\"bytes\":3,\"hash\":852579327}"), std::string::npos);
}

TEST_F(BundleTest, NamesThatAreNoUtf8DoNotBreakTheManifest) {
  cpu().inputs[0].name = "\xff\xfe";
  EXPECT_TRUE(Json::accept(Manifest(contents)));
}

TEST_F(BundleTest, ShadersWithTheSameTextAreThereOnce) {
  variants.insert(variants.begin(), {gpu(), {shader}});
  model().variants = plan::ModuleVariants(variants, {});
  EXPECT_EQ(ShadersIn(contents), Json::array({"fn main(){}"}));
  variants[1].shaders[0].wgsl = "fn main() {;}";
  EXPECT_EQ(ShadersIn(contents), Json::array({"fn main(){}", "fn main(){;}"}));
}

TEST_F(BundleTest, EachVariantHasAFileOfShadersWithItsOwn) {
  plan::Program half = gpu();
  half.target = WebGpu({Feature::kF16});
  variants.insert(variants.begin(), {half, {{"enable f16;\nfn main() {}", "rrw"}}});
  variants[1].shaders.push_back({"fn main() {;}", "rrw"});
  model().variants = plan::ModuleVariants(variants, {});
  std::vector<ShaderTable> tables = ShaderTables(contents);
  ASSERT_EQ(tables.size(), 2u);
  EXPECT_EQ(tables[0].file(), "model.shaders.f16.json");
  EXPECT_EQ(tables[0].Print("id"), R"({"build":"id","shaders":["enable f16;\nfn main(){}"]})");
  EXPECT_EQ(tables[1].file(), "model.shaders.json");
  EXPECT_EQ(tables[1].Print("id"), R"({"build":"id","shaders":["fn main(){}","fn main(){;}"]})");
  // Kernels count those of their own file.
  Json programs = Json::parse(Manifest(contents))["programs"];
  EXPECT_EQ(programs[0]["kernels"][0]["shader"], 0);
  EXPECT_EQ(programs[1]["kernels"][0]["shader"], 0);
}

TEST_F(BundleTest, ScriptsNameTheFilesOfShadersThatThereAre) {
  contents.weights_file = DescribeWeights({{&gpu()}, {&cpu()}}, weights);
  EXPECT_EQ(AddressesIn(ScriptFor(contents, "model.js")),
            std::set<std::string>({"model.shaders.json"}));
  Json record = Json::parse(BuildRecord(contents, {}));
  EXPECT_EQ(record["programs"][0]["shaders"], "shaders");
  EXPECT_EQ(record["shaders"]["bytes"], ShaderTables(contents)[0].Print("").size());
  gpu().target = WebGpu({Feature::kF16, Feature::kSubgroups});
  EXPECT_EQ(AddressesIn(ScriptFor(contents, "model.js")),
            std::set<std::string>({"model.shaders.f16.subgroups.json"}));
  EXPECT_EQ(Json::parse(BuildRecord(contents, {}))["programs"][0]["shaders"],
            "shaders.f16.subgroups");
  variants.erase(variants.begin());
  model().variants = plan::ModuleVariants(variants, {});
  EXPECT_TRUE(AddressesIn(ScriptFor(contents, "model.js")).empty());
}

TEST_F(BundleTest, RequirementsAreWhatExceedsWebGpusGuarantee) {
  EXPECT_TRUE(RequirementsOf(variants[0]).limits.empty());
  shader = {"", "rrrrrrrrwu", {}, 512, 20000, {"shader-f16"}};
  Requirements needs = RequirementsOf({gpu(), {shader}});
  EXPECT_EQ(needs.features, std::vector<std::string>{"shader-f16"});
  std::map<std::string, int64_t> limits = {{"maxComputeInvocationsPerWorkgroup", 512},
                                           {"maxComputeWorkgroupSizeX", 512},
                                           {"maxComputeWorkgroupStorageSize", 20000},
                                           {"maxStorageBuffersPerShaderStage", 9}};
  EXPECT_EQ(needs.limits, limits);
}

TEST_F(BundleTest, DeclarationsEndWithTheModelsOwnSection) {
  std::string text = Declarations(contents);
  EXPECT_NE(text.find("export function load("), std::string::npos);
  std::string own = "export interface Inputs {\n  /** float32[n,4] */\n  'it\\'s': 'float32';\n}\n";
  EXPECT_NE(text.find(own), std::string::npos);
  EXPECT_EQ(text.find("[name: string]: DataType"), std::string::npos);
}

// ---- Several models

class SeveralTest : public BundleTest {
 protected:
  SeveralTest() {
    model().key = "first";
    model().name = "digits";
    contents.models.push_back(model());
    ModelContents& other = contents.models[1];
    other.key = "it's two";
    others = variants;
    others[0].shaders[0].wgsl = "fn main() {;}";
    other.variants = plan::ModuleVariants(others, {});
    other.states = {graph::State{.input = 0, .output = 0}};
    contents.weights_file = DescribeWeights({{&gpu()}, {&cpu()}, {&gpu()}, {&cpu()}}, weights);
  }

  std::vector<plan::Variant> others;
};

TEST_F(SeveralTest, TheManifestHasWhatIsOfEachModelAndOneTableOfShaders) {
  Json manifest = Json::parse(Manifest(contents));
  EXPECT_EQ(manifest["name"], "test");
  EXPECT_FALSE(manifest.contains("inputs"));
  ASSERT_EQ(manifest["models"].size(), 2u);
  const Json &first = manifest["models"][0], &second = manifest["models"][1];
  EXPECT_EQ(first["name"], "first");
  EXPECT_EQ(second["name"], "it's two");
  EXPECT_EQ(first["inputs"], second["inputs"]);
  EXPECT_FALSE(first.contains("state"));
  EXPECT_EQ(second["state"], Json::parse(R"([{"input": "it's", "output": "y"}])"));
  EXPECT_EQ(first["programs"][0]["kernels"][0]["shader"], 0);
  EXPECT_EQ(second["programs"][0]["kernels"][0]["shader"], 1);
  EXPECT_EQ(ShadersIn(contents), Json::array({"fn main(){}", "fn main(){;}"}));
  others[0].shaders[0].wgsl = "fn main() {}";
  EXPECT_EQ(Json::parse(Manifest(contents))["models"][1]["programs"][0], first["programs"][0]);
  EXPECT_EQ(ShadersIn(contents), Json::array({"fn main(){}"}));
}

TEST_F(SeveralTest, TheRecordHasTheProgramsOfEachModel) {
  Json record = Json::parse(BuildRecord(contents, {{{}, "abc"}}));
  EXPECT_FALSE(record.contains("programs"));
  ASSERT_EQ(record["models"].size(), 2u);
  EXPECT_EQ(record["models"][0]["key"], "first");
  EXPECT_EQ(record["models"][0]["name"], "digits");
  EXPECT_EQ(record["models"][1]["programs"], record["models"][0]["programs"]);
  EXPECT_EQ(record["models"][1]["programs"][0]["first"], 512);
}

TEST_F(SeveralTest, DeclarationsSayWhatLoadGives) {
  std::string text = Declarations(contents);
  EXPECT_NE(text.find("export interface Loaded extends Disposable {\n"
                      "  first: Model<Models['first']['inputs'], Models['first']['outputs']>;\n"
                      "  'it\\'s two': Model<Models['it\\'s two']['inputs'], "
                      "Models['it\\'s two']['outputs']>;\n}\n"),
            std::string::npos);
  EXPECT_NE(text.find("      'it\\'s'?: 'float32';\n"), std::string::npos);
}

TEST_F(SeveralTest, ReportsAreComparedModelByModel) {
  Json first = Json::parse(Description(contents, {{"model.wasm", 1000, 500}}));
  EXPECT_EQ(first["models"][1]["name"], "it's two");
  EXPECT_EQ(first["models"][0]["programs"].size(), 2u);
  EXPECT_EQ(first["weights"].size(), 2u);
  first["build"] = "1";
  std::string before = Report(first.dump(), {}, "").value();
  Json second = first;
  second["build"] = "2";
  Json previous = DataIn(Report(second.dump(), before, "").value())["previous"];
  EXPECT_EQ(previous["models"][1]["name"], "it's two");
  EXPECT_EQ(previous["models"][1]["programs"][1]["kind"], "wasm");
  EXPECT_EQ(previous["files"][0]["bytes"], 1000);
}

TEST_F(BundleTest, ReportEscapesWhatTheModelSays) {
  contents.name = "</script><b>";
  model().source.outline.nodes = {{"Add_1", "Add", {"it's"}, {"a"}},
                                  {"Relu", "Relu", {"a"}, {"y"}}};
  std::string description = Description(contents, {{"model.wasm", 1000, 500}});
  std::string report = Report(description, {}, "").value();
  EXPECT_EQ(report.find("<b>"), std::string::npos);
  Json build = DataIn(report);
  EXPECT_EQ(build["name"], "</script><b>");
  EXPECT_EQ(build["programs"][0]["nodes"], 2);
  EXPECT_EQ(build["nodes"][1]["from"], Json::parse("[0]"));
}

TEST_F(BundleTest, ReportIsComparedWithTheOneBefore) {
  Json first = Json::parse(Description(contents, {{"model.wasm", 1000, 500}}));
  first["build"] = "1";
  std::string before = Report(first.dump(), {}, "").value();
  EXPECT_FALSE(DataIn(before).contains("previous"));
  Json second = Json::parse(Description(contents, {{"model.wasm", 1200, 600}}));
  second["build"] = "2";
  std::string after = Report(second.dump(), before, "").value();
  EXPECT_EQ(DataIn(after)["previous"]["build"], "1");
  EXPECT_EQ(DataIn(after)["previous"]["files"][0]["bytes"], 1000);
  // Building the same again changes nothing.
  EXPECT_EQ(Report(second.dump(), after, "").value(), after);
  EXPECT_FALSE(DataIn(Report(second.dump(), "<html>", "").value()).contains("previous"));
}

TEST_F(BundleTest, ReportRefusesWhatIsNoProfile) {
  std::string description = Description(contents, {});
  EXPECT_FALSE(Report(description, {}, "[]"));
  EXPECT_FALSE(Report(description, {}, R"({"clock": "gpu", "total": 1, "steps": [1]})"));
  std::string profile = R"({"clock": "gpu", "total": 1, "steps": [{"kernel": "add", "ms": 1}]})";
  EXPECT_EQ(DataIn(Report(description, {}, profile).value())["profile"], Json::parse(profile));
}

TEST(Image, IsToldFromTheShape) {
  Dim n = Dim::Symbol("n"), h = Dim::Symbol("h"), w = Dim::Symbol("w");
  auto first = graph::ImageOf(F32({n, 3, h, w}));
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->channels_last);
  EXPECT_EQ(first->channels, 3);
  auto last = graph::ImageOf({DType::kU8, {1, 224, 160, 1}});
  ASSERT_TRUE(last);
  EXPECT_TRUE(last->channels_last);
  EXPECT_EQ(last->height, Dim(224));
  EXPECT_EQ(last->width, Dim(160));
  EXPECT_FALSE(graph::ImageOf(F32({1, 16, 32, 32})));
  EXPECT_FALSE(graph::ImageOf(F32({1, 3, 4, 4})));
  EXPECT_FALSE(graph::ImageOf(F32({3, 32, 32})));
  EXPECT_FALSE(graph::ImageOf({DType::kI64, {1, 3, 32, 32}}));
}

}  // namespace
}  // namespace webnnc::bundle
