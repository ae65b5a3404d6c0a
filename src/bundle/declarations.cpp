#include "bundle/declarations.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "bundle/page.h"

namespace webnnc::bundle {

namespace {

// Where the section that differs between models begins in runtime-js/model.d.ts.
constexpr std::string_view kSection = "// ---- This model";

// A name as a string of TypeScript.
std::string Literal(const std::string& text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "'";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '\'' || c == '\\') {
      out += std::string("\\") + c;
    } else if (byte < 0x20) {
      out += std::string("\\x") + kHex[byte >> 4] + kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "'";
}

// Text that does not end the comment it is in.
std::string InComment(std::string text) {
  for (size_t at = 0; (at = text.find("*/", at)) != std::string::npos;) text.insert(at + 1, " ");
  return text;
}

// A name as a key: quoted if it has to be.
std::string Key(const std::string& name) {
  bool plain = !name.empty() && (name[0] < '0' || name[0] > '9');
  for (char c : name) {
    auto byte = static_cast<unsigned char>(c);
    plain &= std::isalnum(byte) != 0 || c == '_' || c == '$';
  }
  return plain ? name : Literal(name);
}

// Tables that model.js makes itself.
bool IsBesidePicture(const std::string& name, const std::map<std::string, Picture>& pictures) {
  return std::any_of(pictures.begin(), pictures.end(), [&](const auto& picture) {
    return name == picture.first + ":rows" || name == picture.first + ":columns";
  });
}

// An optional input need not be given.
std::string ListType(const std::string& name, const graph::ListPort& list, bool is_input,
                     const std::string& indent) {
  bool may_be_left_out = is_input && list.kind != graph::ListPort::Kind::kSequence;
  return indent + "  /** " + InComment(WebText(list)) + " */\n" + indent + "  " + Key(name) +
         (may_be_left_out ? "?" : "") + ": ListOf<'" + std::string(WebName(list.dtype)) + "', '" +
         std::string(KindName(list.kind)) + "'>;\n";
}

// Those in `kept` are state: inputs that need not be given, outputs that only who asks is given.
std::string Types(const std::vector<plan::Port>& ports, const ModelContents& model,
                  const std::map<std::string, Picture>& pictures, const std::set<std::string>& kept,
                  const std::string& indent) {
  std::string out = "{\n";
  for (const plan::Port& port : ports) {
    bool is_beside = IsBesidePicture(port.name, pictures) || ListBeside(port.name, model);
    if (port.hidden || is_beside) continue;
    if (auto list = model.lists.find(port.name); list != model.lists.end()) {
      out += ListType(port.name, list->second, &ports == &model.variants.any().inputs, indent);
      continue;
    }
    if (pictures.count(port.name)) {
      out += indent + "  /** A picture of any size */\n";
      out += indent + "  " + Key(port.name) + ": 'image';\n";
      continue;
    }
    bool is_kept = kept.count(port.name) > 0;
    out += indent + "  /** " + InComment(WebText(port.type)) + (is_kept ? ", state" : "") + " */\n";
    out += indent + "  " + Key(port.name) + (is_kept ? "?" : "") + ": '" +
           std::string(WebName(port.type.dtype)) + "';\n";
  }
  return out + indent + "}";
}

std::string InputTypes(const ModelContents& model, const std::string& indent) {
  std::set<std::string> kept;
  for (const graph::State& state : model.states)
    kept.insert(model.variants.any().inputs[state.input].name);
  return Types(model.variants.any().inputs, model, model.pictures, kept, indent);
}

std::string OutputTypes(const ModelContents& model, const std::string& indent) {
  std::set<std::string> kept;
  for (const graph::State& state : model.states)
    kept.insert(model.variants.any().outputs[state.output].name);
  return Types(model.variants.any().outputs, model, {}, kept, indent);
}

std::string OfOne(const ModelContents& model) {
  return "export type Loaded = Model;\n\nexport interface Inputs " + InputTypes(model, "") +
         "\n\nexport interface Outputs " + OutputTypes(model, "") + "\n";
}

std::string OfSeveral(const std::vector<ModelContents>& models) {
  std::string types = "export interface Models {\n";
  std::string loaded = "export interface Loaded extends Disposable {\n";
  for (const ModelContents& model : models) {
    const std::string key = Key(model.key), entry = "Models[" + Literal(model.key) + "]";
    types += "  " + key + ": {\n    inputs: " + InputTypes(model, "    ") +
             ";\n    outputs: " + OutputTypes(model, "    ") + ";\n  };\n";
    loaded += "  " + key + ": Model<" + entry + "['inputs'], " + entry + "['outputs']>;\n";
  }
  return loaded + "}\n\n" + types + "}\n\n/** Those of any of them. */\n" +
         "export interface Inputs {\n  [name: string]: DataType;\n}\n\n" +
         "export interface Outputs {\n  [name: string]: DataType;\n}\n";
}

}  // namespace

std::string Declarations(const Contents& contents) {
  std::string_view any = PageFile("model.d.ts");
  size_t at = any.find(kSection);
  CHECK(at != std::string_view::npos);
  size_t end = any.find('\n', at);
  return std::string(any.substr(0, end + 1)) + "\n" +
         (contents.HasSeveral() ? OfSeveral(contents.models) : OfOne(contents.models[0]));
}

}  // namespace webnnc::bundle
