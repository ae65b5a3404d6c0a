// What --image and --labels ask for.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bundle/contents.h"
#include "graph/graph.h"
#include "webnnc/compiler.h"

namespace webnnc {

// "resize=cover crop=0.875 mean=0.485,0.456,0.406", or names of presets, such as "imagenet".
// What comes later replaces what came before.
Result<graph::Preparation> ParsePreparation(const std::string& text);

// Puts before the inputs that the flags name what makes images of pictures.
Result<std::map<std::string, bundle::Picture>> PreparePictures(const CompileOptions& options,
                                                               graph::Graph& graph);

// Whether it has an input that can take pictures.
bool TakesPictures(const graph::Graph& graph);

// The labels of outputs, by their names.
Result<std::map<std::string, bundle::Labels>> ReadLabels(const CompileOptions& options,
                                                         const graph::Graph& graph);

// Whether the lines of this file can be labels of an output. What is no file is said of every
// model.
bool HasOutputForLabels(const std::string& file, const graph::Graph& graph);

}  // namespace webnnc
