// A body for each element of sequences.
#include <algorithm>

#include "onnx/formula.h"
#include "onnx/operators.h"
#include "onnx/ops/bodies.h"

namespace webnnc::onnx {

namespace {

struct ScanAxes {
  std::vector<int64_t> inputs, outputs;
  std::vector<bool> reversed_inputs, reversed_outputs;
};

// x without its dimension `axis`, at an index that counts from the other end if `reversed`.
Result<ValueId> ElementAt(NodeContext& c, ValueId x, int64_t axis, ValueId index, bool reversed) {
  if (reversed) {
    const Dim last = c.TypeOf(x).shape[static_cast<size_t>(axis)] - 1;
    TRY_ASSIGN(auto end, c.Add(graph::Sizes{{last}, true}, {}));
    TRY_ASSIGN(index, c.Binary(loop::BinaryOp::kSub, end, index));
  }
  return c.Add(graph::Gather{axis}, {x, index});
}

// Runs the body over `count` elements of the inputs; `inside` is where x and the states are values.
// Gives the states and the stacked outputs.
Result<Values> AddScan(NodeContext& c, const pb::GraphProto& body, const Values& states,
                       const Values& xs, const ScanAxes& axes, const Dim& count, ValueId trips) {
  LoopBody loop;
  for (size_t i = 0; i < states.size(); ++i)
    loop.carried.push_back({body.input(static_cast<int>(i)).name(), states[i]});
  loop.trips = trips;
  loop.known_trips = count;
  const Frame& around = c.frame();
  loop.iterate = [&](NodeContext& inside, ValueId iteration,
                     const Values& carried) -> Result<Values> {
    Values inputs = carried;
    for (size_t i = 0; i < xs.size(); ++i) {
      ValueId x = Here(inside, around, xs[i]);
      TRY_ASSIGN(auto element,
                 ElementAt(inside, x, axes.inputs[i], iteration, axes.reversed_inputs[i]));
      inputs.push_back(element);
    }
    return inside.Body("body", inputs);
  };
  TRY_ASSIGN(auto results, AddLoop(c, loop));
  for (size_t i = states.size(); i < results.size(); ++i) {
    size_t k = i - states.size();
    const Shape shape = c.TypeOf(results[i]).shape;
    if (k < axes.reversed_outputs.size() && axes.reversed_outputs[k]) {
      graph::Slice slice{graph::Sizes1D(shape.size(), 0), shape, graph::Integers(shape.size(), 1)};
      slice.starts[0] = shape[0] - 1;
      slice.steps[0] = -1;
      TRY_ASSIGN(results[i], c.Add(slice, {results[i]}));
    }
    int64_t given = k < axes.outputs.size() ? axes.outputs[k] : 0;
    TRY_ASSIGN(auto axis, c.Axis(given, static_cast<int64_t>(shape.size())));
    std::vector<int64_t> order;
    for (int64_t d = 1; d < static_cast<int64_t>(shape.size()); ++d) order.push_back(d);
    order.insert(order.begin() + axis, 0);
    TRY_ASSIGN(results[i], c.Transpose(results[i], order));
  }
  return results;
}

// The size that all the inputs have along their axes.
Result<Dim> LengthOf(NodeContext& c, Values& xs, const std::vector<int64_t>& axes) {
  const Dim length = c.TypeOf(xs[0]).shape[static_cast<size_t>(axes[0])];
  for (size_t i = 1; i < xs.size(); ++i) {
    Shape shape = c.TypeOf(xs[i]).shape;
    Dim& size = shape[static_cast<size_t>(axes[i])];
    if (size == length) continue;
    if (size.IsConstant() && length.IsConstant())
      return Error{"what it scans has " + Print(length) + " and " + Print(size) + " elements"};
    c.AssumeEqual(size, length);
    size = length;
    TRY_ASSIGN(xs[i], c.Add(graph::Refine{shape}, {xs[i]}));
  }
  return length;
}

std::vector<bool> Directions(NodeContext& c, const std::string& name, size_t count) {
  std::vector<bool> reversed;
  for (int64_t direction : c.Ints(name)) reversed.push_back(direction != 0);
  reversed.resize(count);
  return reversed;
}

// Up to opset 8 it scans each sequence of a batch by itself: the operands are how long each is, or
// nothing, states[batch, ...] and inputs[batch, sequence, ...].
Result<Values> ScanOfOpset8(NodeContext& c, const pb::GraphProto& body, size_t scanned) {
  if (c.count() < 1 + scanned) return Error{"it has too few operands"};
  size_t state_count = c.count() - 1 - scanned;
  Values states, xs;
  for (size_t i = 1; i < c.count(); ++i) (i <= state_count ? states : xs).push_back(c[i]);
  for (ValueId x : xs) {
    if (c.TypeOf(x).rank() < 2) return Error{"it scans " + Print(c.TypeOf(x))};
  }
  TRY_ASSIGN(auto length, LengthOf(c, xs, std::vector<int64_t>(xs.size(), 1)));
  TRY_ASSIGN(auto batch, LengthOf(c, xs, std::vector<int64_t>(xs.size(), 0)));
  ScanAxes axes;
  axes.inputs.assign(xs.size(), 0);
  axes.reversed_inputs = Directions(c, "directions", xs.size());
  Values all = states;
  all.insert(all.end(), xs.begin(), xs.end());
  if (c.Has(0)) {
    TRY(c.CheckVector("sequence_lens", c[0], batch, "sequence"));
    all.push_back(c[0]);
  }
  LoopBody sequences;
  TRY_ASSIGN(sequences.trips, c.Add(graph::Sizes{{batch}, true}, {}));
  sequences.known_trips = batch;
  const Frame& around = c.frame();
  sequences.iterate = [&](NodeContext& inside, ValueId iteration, const Values&) -> Result<Values> {
    Values own;
    for (ValueId id : all) {
      ValueId value = Here(inside, around, id);
      TRY_ASSIGN(auto element, ElementAt(inside, value, 0, iteration, false));
      own.push_back(element);
    }
    Dim count = length;
    ValueId trips;
    if (c.Has(0)) {
      TRY_ASSIGN(trips, inside.Cast(own.back(), DType::kI64));
      own.pop_back();
      TRY_ASSIGN(auto counts, inside.DefineSizes(trips, "length", {length}));
      count = counts[0];
      inside.AssumeLessEqual(count, length);
    } else {
      TRY_ASSIGN(trips, inside.Add(graph::Sizes{{length}, true}, {}));
    }
    auto middle = own.begin() + static_cast<int64_t>(state_count);
    ScanAxes own_axes = axes;
    TRY_ASSIGN(auto results, AddScan(inside, body, {own.begin(), middle}, {middle, own.end()},
                                     own_axes, count, trips));
    // Behind a sequence's end are zeros.
    for (size_t i = state_count; i < results.size() && count != length; ++i) {
      const TensorType type = inside.TypeOf(results[i]);
      graph::Pad pad{graph::Sizes1D(type.shape.size(), 0), graph::Sizes1D(type.shape.size(), 0),
                     graph::PadMode::kConstant};
      pad.end[0] = length - count;
      TRY_ASSIGN(auto zero, inside.Scalar(type.dtype, 0));
      TRY_ASSIGN(results[i], inside.Add(pad, {results[i], zero}));
    }
    return results;
  };
  return AddLoop(c, sequences);
}

}  // namespace

static Result<Values> ImportScan(NodeContext& c) {
  TRY_ASSIGN(auto* body, c.GraphAttribute("body"));
  int64_t given = c.Int("num_scan_inputs", 0);
  if (given < 1 || given > static_cast<int64_t>(c.count()))
    return Error{"num_scan_inputs is " + std::to_string(given)};
  auto scanned = static_cast<size_t>(given);
  if (c.opset() < 9) return ScanOfOpset8(c, *body, scanned);
  size_t state_count = c.count() - scanned;
  Values states, xs;
  for (size_t i = 0; i < c.count(); ++i) (i < state_count ? states : xs).push_back(c[i]);
  size_t output_count = c.result_count() - std::min(c.result_count(), state_count);
  ScanAxes axes;
  std::vector<int64_t> input_axes = c.Ints("scan_input_axes");
  input_axes.resize(scanned);
  for (size_t i = 0; i < scanned; ++i) {
    TRY_ASSIGN(auto axis, c.Axis(input_axes[i], c.TypeOf(xs[i]).rank()));
    axes.inputs.push_back(axis);
  }
  axes.outputs = c.Ints("scan_output_axes");
  axes.outputs.resize(output_count);
  axes.reversed_inputs = Directions(c, "scan_input_directions", scanned);
  axes.reversed_outputs = Directions(c, "scan_output_directions", output_count);
  TRY_ASSIGN(auto length, LengthOf(c, xs, axes.inputs));
  TRY_ASSIGN(auto trips, c.Add(graph::Sizes{{length}, true}, {}));
  return AddScan(c, *body, states, xs, axes, length, trips);
}

static constexpr Operator kOperators[] = {
    {"", "Scan", 0, ImportScan, kAnyOpset},
};

std::span<const Operator> ScanOperators() { return kOperators; }

}  // namespace webnnc::onnx
