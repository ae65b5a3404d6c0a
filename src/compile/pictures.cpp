#include "compile/pictures.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <sstream>

#include "base/diagnostics.h"
#include "base/file.h"
#include "compile/port_flags.h"
#include "graph/image.h"
#include "graph/passes/prepare_image.h"

namespace webnnc {

namespace {

using graph::ImageFilter;
using graph::ImageRange;
using graph::ImageResize;
using graph::Preparation;

const std::map<std::string, std::string>& Presets() {
  static const std::map<std::string, std::string> kPresets = {
      {"imagenet",
       "resize=cover crop=0.875 range=0..1 mean=0.485,0.456,0.406 std=0.229,0.224,0.225"},
      {"inception", "resize=cover crop=0.875 range=-1..1"},
      {"clip",
       "resize=cover filter=bicubic range=0..1 mean=0.48145466,0.4578275,0.40821073 "
       "std=0.26862954,0.26130258,0.27577711"},
      {"yolo", "resize=contain fill=114 range=0..1 antialias=no"},
      {"yolox", "resize=contain align=start fill=114 range=0..255 order=bgr antialias=no"},
  };
  return kPresets;
}

std::string KeysOf(const auto& map) {
  std::string out;
  for (const auto& [key, value] : map) out += (out.empty() ? "" : ", ") + key;
  return out;
}

// A value of a key: false if it is none.
using Setter = std::function<bool(const std::string& value, Preparation& into)>;

struct Key {
  Setter set;
  std::string values;
};

template <typename T, typename Set>
Key Choice(const std::map<std::string, T>& choices, Set set) {
  return {[choices, set](const std::string& value, Preparation& into) {
            auto found = choices.find(value);
            if (found != choices.end()) set(into, found->second);
            return found != choices.end();
          },
          KeysOf(choices)};
}

bool ParseReal(const std::string& text, double& value) {
  char* end = nullptr;
  value = std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0' && std::isfinite(value);
}

// "0.485,0.456,0.406"
Key Reals(std::vector<double> Preparation::* member, const std::string& values,
          const std::function<bool(double)>& fits) {
  return {[member, fits](const std::string& text, Preparation& into) {
            std::vector<double> list;
            std::stringstream parts(text + ",");
            for (std::string part; std::getline(parts, part, ',');) {
              double value = 0;
              if (!ParseReal(part, value) || !fits(value)) return false;
              list.push_back(value);
            }
            into.*member = list;
            return list.size() == 1 || list.size() == 3;
          },
          values};
}

const std::map<std::string, Key>& Keys() {
  static const std::map<std::string, bool> kYesNo = {{"yes", true}, {"no", false}};
  auto any = [](double) { return true; };
  static const std::map<std::string, Key> kKeys = {
      {"resize", Choice<ImageResize>({{"cover", ImageResize::kCover},
                                      {"contain", ImageResize::kContain},
                                      {"fill", ImageResize::kFill}},
                                     [](Preparation& p, ImageResize value) { p.resize = value; })},
      {"crop",
       {[](const std::string& text, Preparation& p) {
          return ParseReal(text, p.crop) && p.crop > 0 && p.crop <= 1;
        },
        "above 0 and at most 1, such as 0.875"}},
      {"align", Choice<bool>({{"center", false}, {"start", true}},
                             [](Preparation& p, bool value) { p.align_start = value; })},
      {"filter", Choice<ImageFilter>({{"nearest", ImageFilter::kNearest},
                                      {"bilinear", ImageFilter::kBilinear},
                                      {"bicubic", ImageFilter::kBicubic},
                                      {"lanczos", ImageFilter::kLanczos}},
                                     [](Preparation& p, ImageFilter value) { p.filter = value; })},
      {"antialias", Choice<bool>(kYesNo, [](Preparation& p, bool value) { p.antialias = value; })},
      {"range", Choice<ImageRange>({{"0..1", ImageRange::kUnit},
                                    {"0..255", ImageRange::kBytes},
                                    {"-1..1", ImageRange::kSigned}},
                                   [](Preparation& p, ImageRange value) { p.range = value; })},
      {"order", Choice<bool>({{"rgb", false}, {"bgr", true}},
                             [](Preparation& p, bool value) { p.bgr = value; })},
      {"fill", Reals(&Preparation::fill, "bytes from 0 to 255: one, or red,green,blue",
                     [](double value) { return value >= 0 && value <= 255; })},
      {"mean", Reals(&Preparation::mean, "one number or three, such as 0.485,0.456,0.406", any)},
      {"std", Reals(&Preparation::std, "one number or three, none of them 0",
                    [](double value) { return value != 0; })},
  };
  return kKeys;
}

bool IsOfSize(const std::string& key) {
  static const std::vector<std::string> kKeys = {"resize", "crop",      "align",
                                                 "filter", "antialias", "fill"};
  return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
}

Status Set(const std::string& word, Preparation& into) {
  size_t at = word.find('=');
  if (at == std::string::npos) {
    auto preset = Presets().find(word);
    if (preset == Presets().end()) {
      return Error{Quote(word) + " is neither key=value nor a preset",
                   {},
                   {"the presets are " + KeysOf(Presets()), "the keys are " + KeysOf(Keys())}};
    }
    auto parsed = ParsePreparation(preset->second);
    CHECK(parsed);
    into = parsed.value();
    return kSuccess;
  }
  std::string name = word.substr(0, at), value = word.substr(at + 1);
  auto key = Keys().find(name);
  if (key == Keys().end())
    return Error{"there is no key " + Quote(name), {}, {"the keys are " + KeysOf(Keys())}};
  if (!key->second.set(value, into)) {
    return Error{name + " cannot be " + Quote(value), {}, {name + " is " + key->second.values}};
  }
  into.says_size |= IsOfSize(name);
  return kSuccess;
}

}  // namespace

Result<Preparation> ParsePreparation(const std::string& text) {
  Preparation preparation;
  std::stringstream words(text);
  for (std::string word; words >> word;) TRY(Set(word, preparation));
  if (preparation.resize == ImageResize::kContain && preparation.crop != 1)
    return Error{"resize=contain shows all of the picture, and leaves nothing for crop to cut off"};
  return preparation;
}

std::string PictureHelp() {
  std::string out = "Keys of --image:\n";
  for (const auto& [name, key] : Keys())
    out += "  " + name + std::string(11 - name.size(), ' ') + key.values + "\n";
  out += "Presets of --image:\n";
  for (const auto& [name, text] : Presets())
    out += "  " + name + std::string(11 - name.size(), ' ') + text + "\n";
  return out;
}

std::optional<std::string> PictureProblem(const std::string& text) {
  // Names may have colons, keys and values have none.
  size_t colon = text.rfind(':');
  auto parsed = ParsePreparation(colon == std::string::npos ? text : text.substr(colon + 1));
  if (parsed) return std::nullopt;
  std::string problem = parsed.error().message;
  for (const std::string& note : parsed.error().notes) problem += "; " + note;
  return problem;
}

static std::vector<std::string> ImageInputs(const graph::Graph& graph) {
  std::vector<std::string> images;
  for (const graph::Port& port : graph.inputs)
    if (graph::ImageOf(graph.values[port.value].type)) images.push_back(port.name);
  return images;
}

bool TakesPictures(const graph::Graph& graph) { return !ImageInputs(graph).empty(); }

Result<std::map<std::string, bundle::Picture>> PreparePictures(const CompileOptions& options,
                                                               graph::Graph& graph) {
  std::map<std::string, bundle::Picture> pictures;
  const std::vector<std::string> names = NamesOf(graph.inputs);
  const std::vector<std::string> images = ImageInputs(graph);
  for (const std::string& text : options.images) {
    auto [named, asked] = SplitName(text, names);
    size_t colon = asked.find(':');
    if (named.empty() && colon != std::string::npos) {
      return Error{"--image names " + Quote(asked.substr(0, colon)) + ", which is not an input",
                   {},
                   {"the inputs are " + Listed(names)}};
    }
    auto preparation = ParsePreparation(asked);
    if (!preparation) return InFlag("--image", preparation.error());
    TRY_ASSIGN(auto name, PortOf("--image", named, images, "input that takes pictures",
                                 "INPUT:\"" + asked + "\""));
    size_t input = static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    if (pictures.count(name)) return Error{"--image is given twice for the input " + Quote(name)};
    const TensorType type = graph.values[graph.inputs[input].value].type;
    if (Status fits = graph::CheckPreparation(type, preparation.value()); !fits)
      return InFlag("--image: input " + Quote(name), fits.error());
    graph::Image image = *graph::ImageOf(type);
    graph::PictureSizes sizes = graph::SizesFor(graph, image);
    graph::PrepareImage(graph, input, preparation.value(), sizes);
    pictures[name] = {image, preparation.value(), type.dtype, sizes.height, sizes.width};
  }
  return pictures;
}

// Lines, without what ends them; an empty last one is none.
static std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::stringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(line);
  }
  return lines;
}

// What a number of labels names in an output.
enum class Named {
  kNothing,
  // The elements of its last dimension.
  kLast,
  // Classes that it has otherwise: as channels, beside the four or five numbers of a box, without
  // the background, or as numbers of classes.
  kClasses,
};

static Named NamedBy(int64_t labels, const TensorType& type) {
  const Shape& shape = type.shape;
  if (shape.empty()) return Named::kNothing;
  const Dim& last = shape.back();
  if (last.Is(labels)) return Named::kLast;
  // Bytes in a row are scores, as a rule.
  bool are_bytes = type.dtype == DType::kU8 || type.dtype == DType::kI8;
  if (IsInteger(type.dtype) && (!are_bytes || type.rank() >= 3)) return Named::kClasses;
  if (type.rank() >= 3) {
    bool are_channels = shape[1].Is(labels);
    bool are_columns = type.rank() == 3 && shape[1].Is(labels + 4);
    bool are_rows = last.Is(labels + 1) || last.Is(labels + 4) || last.Is(labels + 5);
    // Boxes that were chosen: their corners, score and class, and which picture of a batch it is.
    bool are_chosen = last.Is(6) || last.Is(7);
    if (are_channels || are_columns || (type.rank() == 3 && (are_rows || are_chosen)))
      return Named::kClasses;
  }
  return last.IsConstant() ? Named::kNothing : Named::kLast;
}

// The outputs that so many labels fit. Those whose last dimension they name go first.
static std::vector<std::string> OutputsFor(size_t labels, const graph::Graph& graph) {
  std::vector<std::string> outputs;
  for (Named wanted : {Named::kLast, Named::kClasses}) {
    for (const graph::Port& port : graph.outputs) {
      Named named = NamedBy(static_cast<int64_t>(labels), graph.values[port.value].type);
      if (named == wanted) outputs.push_back(port.name);
    }
    if (!outputs.empty()) break;
  }
  return outputs;
}

bool HasOutputForLabels(const std::string& file, const graph::Graph& graph) {
  auto content = ReadFile(file);
  if (!content) return file.find(':') == std::string::npos;
  return !OutputsFor(LinesOf(content.value()).size(), graph).empty();
}

Result<std::map<std::string, bundle::Labels>> ReadLabels(const CompileOptions& options,
                                                         const graph::Graph& graph) {
  std::map<std::string, bundle::Labels> labels;
  const std::vector<std::string> names = NamesOf(graph.outputs);
  for (const std::string& text : options.labels) {
    auto [named, file] = SplitName(text, names);
    auto content = ReadFile(file);
    if (!content) return Error{"--labels: " + content.error().message};
    std::vector<std::string> lines = LinesOf(content.value());
    // Where the file fits one output alone, it is that one's.
    std::vector<std::string> candidates = OutputsFor(lines.size(), graph);
    if (candidates.empty()) candidates = names;
    TRY_ASSIGN(auto name, PortOf("--labels", named, candidates, "outputs", "OUTPUT:" + file));
    size_t output =
        static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    const TensorType& type = graph.values[graph.outputs[output].value].type;
    Named found = NamedBy(static_cast<int64_t>(lines.size()), type);
    if (found == Named::kNothing) {
      return Error{"--labels: " + file + " has " + std::to_string(lines.size()) +
                       " lines, and the output " + Quote(name) + " is " + Print(type),
                   {},
                   {"there must be a line for each element of its last dimension, or for each "
                    "class: channels, or scores beside the numbers of a box"}};
    }
    if (labels.count(name)) return Error{"--labels is given twice for the output " + Quote(name)};
    labels[name] = {lines, found == Named::kLast};
  }
  return labels;
}

}  // namespace webnnc
