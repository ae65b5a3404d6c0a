// What a bundle is made of, as the writers of its files see it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bundle/weights_file.h"
#include "graph/graph.h"
#include "graph/image.h"
#include "graph/outline.h"
#include "graph/passes/check_indices.h"
#include "plan/variant.h"
#include "tensor/likely_sizes.h"

namespace webnnc::bundle {

// A .wasm of the bundle, for engines with some features.
struct Module {
  FeatureSet features;
  std::string bytes;
  // Of the memory that pages give it, if threads share that.
  uint64_t memory_pages = 0;

  // "model.wasm", "model.relaxed.wasm"
  std::string file() const { return "model" + Suffix(features, '.') + ".wasm"; }
  // What model.js calls it: "wasm", "relaxed", "relaxed.threads".
  std::string key() const { return features.empty() ? "wasm" : Suffix(features, '.').substr(1); }
};

// The file that was compiled.
struct Source {
  // Its name, without folders.
  std::string file;
  int64_t bytes = 0;
  std::string sha256;
  graph::Outline outline;
};

// An input that takes pictures: what the model's own input was, and how it is made.
struct Picture {
  graph::Image image;
  graph::Preparation preparation;
  DType dtype = DType::kF32;
  // Symbols of the frame's sizes.
  Dim height, width;
};

// Names of what an output counts or speaks of.
struct Labels {
  std::vector<std::string> names;
  // Whether they name the elements of its last dimension; else classes that it has otherwise.
  bool count_last = true;
};

// That an output holds a detector's boxes, and how they are read, as far as it is known.
struct Boxes {
  std::map<std::string, std::string> choices;
  std::map<std::string, double> numbers;
};

// That weights were stored, or values computed, in fewer bits, and what it costs.
struct Quantization {
  std::string storage;  // of weights: "int8", "int4:32"; or empty
  int64_t bytes_before = 0, bytes_after = 0;
  // How many values of f32 are computed in f16, and the names of those that are not, by the reason.
  int64_t lowered = 0;
  std::map<std::string, std::vector<std::string>> kept = {};
  // How many were computed with, and whether these were made up.
  size_t inputs = 1;
  bool made_up = true;
  // By output, the worst over all inputs: of floats the root of the mean square of the difference
  // by that of the original's, else the part of the elements that differ.
  std::map<std::string, double> errors = {};
};

struct ModelContents {
  // What pages know it by where there are several, and what it is called.
  std::string key = {}, name = {};
  // Those of the module that every engine runs. Those of other modules have the same steps.
  plan::ModuleVariants variants = {};
  // What sizes must be in a run, for people.
  std::vector<std::string> assumptions = {};
  // What sizes are likely to be.
  LikelySizes likely = {};
  // What elements of inputs must be, so that they index tables.
  graph::IndexChecks indices = {};
  // What is kept from run to run.
  std::vector<graph::State> states = {};
  Source source = {};

  // Inputs and outputs that are lists, by name.
  std::map<std::string, graph::ListPort> lists = {};

  // Inputs and outputs that have them, by name.
  std::map<std::string, Picture> pictures = {};
  std::map<std::string, Labels> labels = {};
  std::map<std::string, Boxes> boxes = {};
  std::optional<Quantization> quantization = {};
};

struct Contents {
  std::string name;
  std::vector<ModelContents> models;
  // What all of them read.
  const IdVector<plan::WeightTag, plan::Weight>* weights = nullptr;
  WeightsFile weights_file = {};
  // Whether there are modules for several threads.
  bool has_threads = false;
  bool has_dots = false;
  // The bytes of the CPU's kernels in the module, by name.
  std::map<std::string, int64_t> function_bytes = {};
  // The id of the build (BuildId); empty until it is known.
  std::string build = {};
  // Of the compiler.
  std::string version = {};
  // The flags that the result depends on, as one would type them.
  std::string command = {};

  // Whether pages are given an object of models instead of a model.
  bool HasSeveral() const { return models.size() > 1; }
};

// What a device must offer to run a variant for GPUs, besides what every WebGPU device does.
struct Requirements {
  std::vector<std::string> features;
  std::map<std::string, int64_t> limits;
};
Requirements RequirementsOf(const plan::Variant& gpu);

// A type as people on the web read it: "float32[batch,3,224,224]".
std::string WebText(const TensorType& type);
// The same of a list: "a sequence of float32[n,3]".
std::string WebText(const graph::ListPort& list);

// The list that a port beside it is a part of ("seq" for "seq:shapes"), if it is one.
std::optional<std::string> ListBeside(const std::string& port, const ModelContents& model);
// What a list is called in model.js: "sequence", "optional", "optional sequence".
std::string_view KindName(graph::ListPort::Kind kind);

}  // namespace webnnc::bundle
