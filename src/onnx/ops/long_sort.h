// Rows that are too long to be compared all with all, or whose length is open.
#pragma once

#include "onnx/node_context.h"

namespace webnnc::onnx {

// Whether TopK's operation would take a time that grows with the square of long rows.
bool IsLongToSort(const NodeContext& c, const graph::TopK& op);

// TopK by sorting whole rows. Gives values and indices.
Result<Values> SortLongRows(NodeContext& c, const graph::TopK& op);

}  // namespace webnnc::onnx
