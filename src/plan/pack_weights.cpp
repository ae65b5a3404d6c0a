#include "plan/pack_weights.h"

#include <algorithm>
#include <cstring>

#include "loop/builder.h"
#include "loop/parameters.h"
#include "loop/rewrite.h"
#include "loop/stage.h"
#include "target/machine.h"

namespace webnnc::plan {

namespace {

using loop::ExprId;

constexpr int64_t kPanelWidth = Machine::kPanelWidth;

// How the dimensions of a weight are arranged: those before the panels' number, then what is inside
// a panel, the cut one last.
struct Packing {
  std::vector<size_t> outer, inner;
  size_t cut = 0;
};

// A plain kernel's only reduction, a sum of products.
struct ProductStage {
  loop::Stage stage;
  ExprId sides[2];
};

class Packer {
 public:
  Packer(Program& program, IdVector<WeightTag, Weight>& weights)
      : program_(program), weights_(weights) {}

  // `known`: whether layouts must be there already, and kernels may have other reductions.
  void Run(bool known) {
    for (Launch* launch : LaunchesOf(program_)) {
      if (launch->place == Place::kDevice) PackStep(*launch, known);
    }
  }

 private:
  void PackStep(Launch& step, bool known) {
    loop::Kernel& kernel = program_.kernels[step.kernel].plain;
    for (const ProductStage& product : FindProducts(kernel, known)) {
      for (int side = 0; side < 2; ++side) {
        auto load = DirectLoad(kernel, product.sides[side]);
        if (!load) continue;
        size_t argument = ArgumentOf(kernel, load->buffer);
        BufferId buffer = step.arguments[argument];
        if (program_.buffers[buffer].kind != BufferKind::kWeight) continue;
        auto packing = PackingFor(kernel, product, *load, product.sides[1 - side]);
        if (!packing) continue;
        const TensorType& type = kernel.buffers[load->buffer].type;
        WeightId source = program_.buffers[buffer].weight;
        if (known && !FindPacked(source, LayoutOf(type, *packing))) continue;
        step.arguments[argument] = PackedBuffer(type, source, *packing);
        RewriteKernel(kernel, load->buffer, *packing);
        return;
      }
    }
  }

  // The sums of products: all, or the kernel's only reduction.
  static std::vector<ProductStage> FindProducts(const loop::Kernel& kernel, bool all) {
    std::vector<ProductStage> products;
    size_t reductions = 0;
    for (const loop::Stage& stage : loop::StagesOf(kernel)) {
      if (stage.ordered) return {};
      if (!IsReduction(stage)) continue;
      ++reductions;
      if (auto product = loop::ProductOf(kernel, stage))
        products.push_back({stage, {product->left, product->right}});
    }
    if (!all && reductions != 1) products.clear();
    return products;
  }

  // The load that a side of the product is, widened perhaps.
  static std::optional<loop::Load> DirectLoad(const loop::Kernel& kernel, ExprId id) {
    while (auto* convert = std::get_if<loop::Convert>(&kernel.exprs[id].node)) id = convert->a;
    auto* load = std::get_if<loop::Load>(&kernel.exprs[id].node);
    if (!load || kernel.buffers[load->buffer].space != loop::Space::kIn) return std::nullopt;
    return *load;
  }

  static size_t ArgumentOf(const loop::Kernel& kernel, loop::BufferId buffer) {
    size_t argument = 0;
    for (int32_t b = 0; b < buffer.index; ++b)
      argument += IsParameter(kernel.buffers[loop::BufferId{b}]);
    return argument;
  }

  // Nothing if the weight is not read in a way that packing helps.
  static std::optional<Packing> PackingFor(const loop::Kernel& kernel, const ProductStage& product,
                                           const loop::Load& load, ExprId other) {
    if (product.stage.place.empty()) return std::nullopt;
    auto innermost = loop::VariableOf(kernel, product.stage.place.back());
    if (!innermost) return std::nullopt;
    // The other side must be the same for neighbours, or there is nothing to gain.
    if (loop::Mentions(kernel, other, [&](loop::VarId var) { return var == *innermost; }))
      return std::nullopt;
    const auto& [dtype, shape] = kernel.buffers[load.buffer].type;
    if (IsPacked(dtype)) return std::nullopt;
    Packing packing;
    std::vector<std::pair<size_t, size_t>> inner;  // position of the loop, dimension
    bool has_cut = false;
    for (size_t d = 0; d < load.index.size(); ++d) {
      auto var = loop::VariableOf(kernel, load.index[d]);
      if (!var) return std::nullopt;
      if (*var == *innermost) {
        packing.cut = d;
        has_cut = true;
        continue;
      }
      size_t position = 0;
      while (product.stage.loops[position].var != *var) ++position;
      if (loop::Names(kernel, product.stage, *var)) {
        packing.outer.push_back(d);
      } else {
        inner.push_back({position, d});
      }
    }
    if (!has_cut || inner.empty() || shape[packing.cut].value() < Machine::kFewestPacked)
      return std::nullopt;
    std::sort(inner.begin(), inner.end());
    for (auto [position, d] : inner) packing.inner.push_back(d);
    return packing;
  }

  static Shape PackedShape(const Shape& shape, const Packing& packing) {
    Shape packed;
    for (size_t d : packing.outer) packed.push_back(shape[d]);
    packed.push_back(CeilDiv(shape[packing.cut], kPanelWidth));
    for (size_t d : packing.inner) packed.push_back(shape[d]);
    packed.push_back(kPanelWidth);
    return packed;
  }

  static void RewriteKernel(loop::Kernel& kernel, loop::BufferId buffer, const Packing& packing) {
    loop::Builder build(kernel);
    kernel.buffers[buffer].type.shape = PackedShape(kernel.buffers[buffer].type.shape, packing);
    kernel.buffers[buffer].panels = true;
    loop::ExprRewriter rewrite(kernel, [&](ExprId id, ExprId) {
      loop::Expr expr = kernel.exprs[id];
      auto* load = std::get_if<loop::Load>(&expr.node);
      if (!load || load->buffer != buffer) return id;
      loop::Index index;
      for (size_t d : packing.outer) index.push_back(load->index[d]);
      ExprId width = build.Int(kPanelWidth);
      index.push_back(build.FloorDiv(load->index[packing.cut], width));
      for (size_t d : packing.inner) index.push_back(load->index[d]);
      index.push_back(build.FloorMod(load->index[packing.cut], width));
      load->index = std::move(index);
      return kernel.exprs.Add(std::move(expr));
    });
    loop::RewriteExprs(kernel.body, rewrite);
  }

  // The program's buffer for the packed weight. `type` is how the kernel sees the unpacked one,
  // with dimensions merged perhaps.
  BufferId PackedBuffer(const TensorType& type, WeightId source, const Packing& packing) {
    WeightId packed = PackedWeight(source, type, packing);
    for (int32_t b = 0; b < program_.buffers.size(); ++b) {
      const Buffer& existing = program_.buffers[BufferId{b}];
      if (existing.kind == BufferKind::kWeight && existing.weight == packed) return BufferId{b};
    }
    const Weight& weight = weights_[packed];
    return program_.buffers.Add({weight.name, weight.type.dtype, ElementCount(weight.type.shape),
                                 BufferKind::kWeight, packed});
  }

  static std::string LayoutOf(const TensorType& type, const Packing& packing) {
    std::string layout;
    for (const auto* part : {&packing.outer, &packing.inner}) {
      for (size_t d : *part) layout += std::to_string(d) + ",";
      layout += "/";
    }
    return layout + Print(type);
  }

  std::optional<WeightId> FindPacked(WeightId source, const std::string& layout) const {
    for (int32_t w = 0; w < weights_.size(); ++w) {
      const Weight& weight = weights_[WeightId{w}];
      if (weight.packed_from == source && weight.packing == layout) return WeightId{w};
    }
    return std::nullopt;
  }

  WeightId PackedWeight(WeightId source, const TensorType& type, const Packing& packing) {
    const std::string layout = LayoutOf(type, packing);
    if (auto known = FindPacked(source, layout)) return *known;
    Weight packed;
    packed.name = weights_[source].name;
    packed.type = {type.dtype, PackedShape(type.shape, packing)};
    packed.data = PackedData(weights_[source].data, type, packed.type, packing);
    packed.packed_from = source;
    packed.packing = layout;
    // Another weight may be the same when it is packed, or be stored so.
    for (int32_t w = 0; w < weights_.size(); ++w) {
      const Weight& weight = weights_[WeightId{w}];
      if (weight.type == packed.type && weight.data == packed.data) return WeightId{w};
    }
    return weights_.Add(std::move(packed));
  }

  static TensorData PackedData(const TensorData& data, const TensorType& from, const TensorType& to,
                               const Packing& packing) {
    std::vector<int64_t> sizes = StaticShape(from.shape), strides(sizes.size(), 1);
    for (size_t d = sizes.size(); d-- > 1;) strides[d - 1] = strides[d] * sizes[d];
    std::vector<size_t> order = packing.outer;
    order.push_back(packing.cut);
    order.insert(order.end(), packing.inner.begin(), packing.inner.end());
    // Offsets of everything but the place within a panel, in the packed order.
    auto element = static_cast<size_t>(ByteSize(from.dtype));
    std::vector<uint8_t> bytes(static_cast<size_t>(ByteSize(to).value()));
    std::vector<int64_t> packed_sizes = StaticShape(to.shape), at(order.size(), 0);
    const uint8_t* source = data.bytes().data();
    for (size_t out = 0; out < bytes.size(); out += element * kPanelWidth) {
      int64_t offset = 0, first = 0;
      for (size_t i = 0; i < order.size(); ++i) {
        bool cut = order[i] == packing.cut;
        if (cut) first = at[i] * kPanelWidth;
        offset += (cut ? first : at[i]) * strides[order[i]];
      }
      int64_t count = std::min(kPanelWidth, sizes[packing.cut] - first);
      for (int64_t j = 0; j < count; ++j) {
        std::memcpy(bytes.data() + out + static_cast<size_t>(j) * element,
                    source + static_cast<size_t>(offset + j * strides[packing.cut]) * element,
                    element);
      }
      for (size_t i = order.size(); i-- > 0;) {
        if (++at[i] < packed_sizes[i]) break;
        at[i] = 0;
      }
    }
    return TensorData::Own(std::move(bytes));
  }

  Program& program_;
  IdVector<WeightTag, Weight>& weights_;
};

}  // namespace

void PackWeights(Program& program, IdVector<WeightTag, Weight>& weights) {
  Packer(program, weights).Run(false);
}

void PackLikeOthers(Program& program, IdVector<WeightTag, Weight>& weights) {
  Packer(program, weights).Run(true);
}

}  // namespace webnnc::plan
