#include "compile/boxes.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <vector>

#include "base/lexer.h"
#include "compile/port_flags.h"

namespace webnnc {

namespace {

// The keys whose values are words. The page has the same (runtime-js/page/boxes.js).
const std::map<std::string, std::vector<std::string>>& Choices() {
  static const std::map<std::string, std::vector<std::string>> kChoices = {
      {"form", {"objects", "columns", "classes", "pair", "chosen", "rows", "marked", "batched"}},
      {"corners", {"xyxy", "yxyx", "cxcywh", "xywh"}},
      {"units", {"unit", "pixels", "grid"}},
      {"scores", {"given", "sigmoid", "softmax"}},
      {"background", {"none", "first", "last"}},
  };
  return kChoices;
}

// Those whose values are numbers from 0 to 1.
const std::vector<std::string>& Parts() {
  static const std::vector<std::string> kParts = {"score", "overlap"};
  return kParts;
}

bool Has(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

std::string AllKeys() {
  std::string out;
  for (const auto& [key, values] : Choices()) out += key + ", ";
  return out + Parts()[0] + ", " + Parts()[1];
}

Status Set(const std::string& word, bundle::Boxes& into) {
  size_t at = std::min(word.find('='), word.size());
  std::string name = word.substr(0, at), value = word.substr(std::min(at + 1, word.size()));
  auto choice = Choices().find(name);
  if (choice != Choices().end()) {
    if (!Has(choice->second, value)) {
      return Error{
          name + " cannot be " + Quote(value), {}, {name + " is one of " + Listed(choice->second)}};
    }
    into.choices[name] = value;
    return kSuccess;
  }
  if (!Has(Parts(), name))
    return Error{"there is no key " + Quote(name), {}, {"the keys are " + AllKeys()}};
  char* end = nullptr;
  double number = std::strtod(value.c_str(), &end);
  bool is_part = !value.empty() && *end == '\0' && number >= 0 && number <= 1;
  if (!is_part)
    return Error{name + " cannot be " + Quote(value), {}, {name + " is a number from 0 to 1"}};
  into.numbers[name] = number;
  return kSuccess;
}

// Whether an output of this type can be the one that holds the boxes.
bool Fits(const std::string& form, const TensorType& type) {
  if (!IsFloat(type.dtype) || type.rank() < 2) return false;
  const Dim& last = type.shape.back();
  if (!last.IsConstant() || form == "columns") return true;
  int64_t width = last.value();
  if (form == "pair" || form == "chosen") return width == 4;
  if (form == "rows") return width == 6;
  if (form == "marked" || form == "batched") return width == 7;
  return width >= (form == "objects" ? 6 : form == "classes" ? 5 : 4);
}

Result<bundle::Boxes> Parse(const std::string& keys) {
  bundle::Boxes boxes;
  std::stringstream words(keys);
  for (std::string word; words >> word;) {
    if (Status set = Set(word, boxes); !set) return InFlag("--boxes", set.error());
  }
  return boxes;
}

std::string FormOf(const bundle::Boxes& boxes) {
  return boxes.choices.count("form") ? boxes.choices.at("form") : "";
}

// The outputs that can hold the boxes.
std::vector<std::string> Candidates(const std::string& form, const graph::Graph& graph) {
  std::vector<std::string> candidates;
  for (const graph::Port& port : graph.outputs)
    if (Fits(form, graph.values[port.value].type)) candidates.push_back(port.name);
  return candidates;
}

}  // namespace

bool MayHoldBoxes(const std::string& keys, const graph::Graph& graph) {
  auto boxes = Parse(keys);
  return !boxes || !Candidates(FormOf(boxes.value()), graph).empty();
}

Result<std::map<std::string, bundle::Boxes>> ReadBoxes(const CompileOptions& options,
                                                       const graph::Graph& graph) {
  std::map<std::string, bundle::Boxes> boxes;
  const std::vector<std::string> names = NamesOf(graph.outputs);
  for (const std::string& text : options.boxes) {
    auto [named, asked] = SplitName(text, names);
    size_t colon = asked.find(':');
    if (named.empty() && colon != std::string::npos) {
      return Error{"--boxes names " + Quote(asked.substr(0, colon)) + ", which is not an output",
                   {},
                   {"the outputs are " + Listed(names)}};
    }
    TRY_ASSIGN(auto read, Parse(asked));
    const std::string form = FormOf(read);
    const std::vector<std::string> candidates = Candidates(form, graph);
    if (!named.empty() && !Has(candidates, named)) {
      size_t at = static_cast<size_t>(std::find(names.begin(), names.end(), named) - names.begin());
      return Error{"--boxes: the output " + Quote(named) + " is " +
                   Print(graph.values[graph.outputs[at].value].type) + ", and holds no boxes" +
                   (form.empty() ? "" : " of the form " + Quote(form))};
    }
    TRY_ASSIGN(auto name, PortOf("--boxes", named, candidates, "output that can hold them",
                                 "OUTPUT:\"" + asked + "\""));
    if (!boxes.emplace(name, read).second)
      return Error{"--boxes is given twice for the output " + Quote(name)};
  }
  return boxes;
}

}  // namespace webnnc
