#pragma once

#include "graph/graph.h"
#include "graph/image.h"

namespace webnnc::graph {

// Of a picture as model.js passes it: symbols, or numbers in tests.
struct PictureSizes {
  Dim height, width;
  // One more than a row or column of the image has taps.
  Dim row_entries, column_entries;
};

// An input that holds images becomes one that holds frames, and nodes before its uses make the
// former of the latter:
//
//   graph @g(image=%x: f32[1,3,224,224])
//
//   graph @g(image=%x_frame: u32[1,height,64*floordiv(width+63,64),1],
//            "image:rows"=%x_rows: f32[224,row_entries],
//            "image:columns"=%x_columns: f32[224,column_entries])
//
// A frame is the part of a picture that is needed. A pixel is a word: red in the lowest byte, then
// green, blue and alpha, which does not count. Rows have room for a multiple of 64 pixels, as
// WebGPU copies textures.
//
// The image is resampled down and then across, as f32 and without rounding in between. Which pixels
// count for a result, and how much, is in the other two inputs, which come last in the graph:
// for each row or column of the image the first pixel, then weights. model.js computes them when
// pictures have another size than before (geometry.js); as expressions over sizes they would be
// long. An image whose sizes are open is as large as the picture, and has none.
//
// CheckPreparation must have been content.
void PrepareImage(Graph& graph, size_t input, const Preparation& preparation,
                  const PictureSizes& sizes);

// Symbols for an input of this image: its own, or names that no input has.
PictureSizes SizesFor(const Graph& graph, const Image& image);

}  // namespace webnnc::graph
