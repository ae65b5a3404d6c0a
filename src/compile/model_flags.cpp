#include "compile/model_flags.h"

#include <algorithm>
#include <functional>
#include <set>

#include "compile/boxes.h"
#include "compile/calibration.h"
#include "compile/likely.h"
#include "compile/pictures.h"
#include "compile/port_flags.h"
#include "compile/states.h"

namespace webnnc {

namespace {

// Whether a model has what a flag's value names.
using Has = std::function<bool(const Model&, const std::string&)>;
// What a model has of which a flag could speak, for an error.
using Names = std::function<std::vector<std::string>(const Model&)>;

// For whom a value is, and what it is without a key.
struct Address {
  std::vector<Model*> models;
  std::string value;
  bool is_own = false;
};

Address AddressOf(const std::string& value, std::vector<Model>& models, const Has& has) {
  Address address{{}, value};
  // What has a name that begins like a key goes before it.
  for (Model& model : models) {
    if (has(model, value)) address.models.push_back(&model);
  }
  for (Model& model : models) {
    if (!address.models.empty() || !value.starts_with(model.key + ":")) continue;
    std::string rest = value.substr(model.key.size() + 1);
    if (has(model, rest)) address = {{&model}, rest, true};
  }
  // The only one says itself what is wrong.
  if (address.models.empty() && models.size() == 1) address.models.push_back(&models[0]);
  return address;
}

Error ForNobody(const std::string& flag, const std::string& value, const std::vector<Model>& models,
                const Names& names) {
  Error error{flag + " " + value + ": no model has what it names"};
  for (const Model& model : models) {
    const std::string all = Listed(names(model));
    error.notes.push_back(model.key + " has " + (all.empty() ? "none" : all));
  }
  return error;
}

// Gives each value to those it is for, what is said of one model alone last.
Status Give(
    const std::string& flag, const std::vector<std::string>& values, std::vector<Model>& models,
    const Has& has, const Names& names,
    const std::function<void(Model&, const std::string& written, const std::string& value)>& give) {
  for (bool own : {false, true}) {
    for (const std::string& value : values) {
      Address address = AddressOf(value, models, has);
      if (address.models.empty()) return ForNobody(flag, value, models, names);
      if (address.is_own != own) continue;
      for (Model* model : address.models) give(*model, value, address.value);
    }
  }
  return kSuccess;
}

// Flags that are names and what they are given.
template <typename Value>
Status GiveMap(const std::string& flag, std::map<std::string, Value> CompileOptions::* field,
               const CompileOptions& options, std::vector<Model>& models, const Names& names) {
  std::vector<std::string> written;
  for (const auto& [name, value] : options.*field) written.push_back(name);
  for (Model& model : models) (model.options.*field).clear();
  auto has = [&](const Model& model, const std::string& name) {
    const std::vector<std::string> all = names(model);
    return std::find(all.begin(), all.end(), name) != all.end();
  };
  return Give(flag, written, models, has, names,
              [&](Model& model, const std::string& text, const std::string& name) {
                (model.options.*field)[name] = (options.*field).at(text);
              });
}

Status GiveList(const std::string& flag, std::vector<std::string> CompileOptions::* field,
                const CompileOptions& options, std::vector<Model>& models, const Has& has,
                const Names& names) {
  for (Model& model : models) (model.options.*field).clear();
  return Give(flag, options.*field, models, has, names,
              [&](Model& model, const std::string&, const std::string& value) {
                (model.options.*field).push_back(value);
              });
}

std::vector<std::string> InputsInFile(const Model& model) {
  std::vector<std::string> names;
  for (const auto& input : model.file.proto().graph().input()) names.push_back(input.name());
  return names;
}

void NoteSizes(const onnx::pb::ValueInfoProto& value, std::set<std::string>& names) {
  const auto* type = onnx::TensorTypeIn(value.type());
  if (!type) return;
  for (const auto& size : type->tensor_type().shape().dim()) {
    if (!size.dim_param().empty()) names.insert(size.dim_param());
  }
}

// The open sizes of inputs, as the file says or as --input does instead.
std::set<std::string> SizesOfInputs(const Model& model) {
  std::set<std::string> names;
  for (const auto& input : model.file.proto().graph().input()) {
    if (!model.options.input_shapes.count(input.name())) NoteSizes(input, names);
  }
  for (const auto& [input, sizes] : model.options.input_shapes)
    names.insert(sizes.begin(), sizes.end());
  return names;
}

// And those of outputs, to which states may grow.
std::vector<std::string> SizesInFile(const Model& model) {
  std::set<std::string> names = SizesOfInputs(model);
  for (const auto& output : model.file.proto().graph().output()) NoteSizes(output, names);
  return {names.begin(), names.end()};
}

// What is a size of one model's inputs may be what another calls a size of its outputs alone, of
// which nothing can be fixed: there it is not meant, unless it is said of that model.
void KeepToInputs(const CompileOptions& options, std::vector<Model>& models) {
  for (const auto& [name, size] : options.dims) {
    auto has = [&](const Model& model) { return SizesOfInputs(model).count(name) > 0; };
    if (std::none_of(models.begin(), models.end(), has)) continue;
    for (Model& model : models) {
      if (!has(model) && !options.dims.count(model.key + ":" + name))
        model.options.dims.erase(name);
    }
  }
}

// Those that are open when all is imported.
std::vector<std::string> OpenSizes(const Model& model) {
  CompileOptions none;
  auto sizes = LikelySizesOf(none, model.graph);
  CHECK(sizes);
  std::vector<std::string> names;
  for (const auto& [symbol, value] : sizes.value().typical()) names.push_back(symbol);
  return names;
}

std::vector<std::string> Inputs(const Model& model) { return NamesOf(model.graph.inputs); }
std::vector<std::string> Outputs(const Model& model) { return NamesOf(model.graph.outputs); }

// "NAME:what" of one of `names`.
bool BeginsWithOne(const std::string& text, const std::vector<std::string>& names) {
  return !SplitName(text, names).first.empty();
}

}  // namespace

Status GiveSizeFlags(const CompileOptions& options, std::vector<Model>& models) {
  TRY(GiveMap("--input", &CompileOptions::input_shapes, options, models, InputsInFile));
  TRY(GiveMap("--dim", &CompileOptions::dims, options, models, SizesInFile));
  if (models.size() > 1) KeepToInputs(options, models);
  return kSuccess;
}

Status GivePortFlags(const CompileOptions& options, std::vector<Model>& models) {
  TRY(GiveMap("--dim", &CompileOptions::likely_dims, options, models, OpenSizes));
  auto has_state = [](const Model& model, const std::string& text) {
    return text == "none" || IsState(text, model.graph);
  };
  auto inputs_and_outputs = [](const Model& model) {
    std::vector<std::string> names = Inputs(model);
    for (const std::string& name : Outputs(model)) names.push_back(name);
    return names;
  };
  TRY(GiveList("--state", &CompileOptions::states, options, models, has_state, inputs_and_outputs));
  auto has_picture = [](const Model& model, const std::string& text) {
    bool is_bare = text.find(':') == std::string::npos;
    return BeginsWithOne(text, Inputs(model)) || (is_bare && TakesPictures(model.graph));
  };
  TRY(GiveList("--image", &CompileOptions::images, options, models, has_picture, Inputs));
  auto has_calibration = [](const Model& model, const std::string& text) {
    return CalibrationFileOf(text, model.graph).has_value();
  };
  TRY(GiveList("--calibrate", &CompileOptions::calibrate, options, models, has_calibration,
               Inputs));
  auto has_labels = [](const Model& model, const std::string& text) {
    return BeginsWithOne(text, Outputs(model)) || HasOutputForLabels(text, model.graph);
  };
  TRY(GiveList("--labels", &CompileOptions::labels, options, models, has_labels, Outputs));
  auto has_boxes = [](const Model& model, const std::string& text) {
    bool is_bare = text.find(':') == std::string::npos;
    return BeginsWithOne(text, Outputs(model)) || (is_bare && MayHoldBoxes(text, model.graph));
  };
  return GiveList("--boxes", &CompileOptions::boxes, options, models, has_boxes, Outputs);
}

}  // namespace webnnc
