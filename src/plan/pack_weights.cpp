#include "plan/pack_weights.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "loop/builder.h"
#include "loop/parameters.h"
#include "loop/rewrite.h"
#include "loop/stage.h"
#include "target/machine.h"

namespace webnnc::plan {

namespace {

using loop::ExprId;

constexpr int64_t kPanelWidth = Machine::kPanelWidth;

constexpr int64_t kWordBits = 32;

// How the dimensions of a weight are arranged: those before the panels' number, then what is inside
// a panel, the cut one last. Of a few bits each, so many neighbours along the last of `inner` are
// one word.
struct Packing {
  std::vector<size_t> outer, inner;
  size_t cut = 0;
  int64_t in_word = 1;
};

// A part of a plain kernel's reduction that is a sum of products.
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
      if (launch->place != Place::kDevice) continue;
      PackStep(*launch, known);
      if (known) ReadPanels(*launch);
    }
  }

 private:
  void PackStep(Launch& step, bool known) {
    while (PackOne(step, known)) {
    }
  }

  // Whether some product was packed. Those that were found before are others then.
  bool PackOne(Launch& step, bool known) {
    std::vector<ProductStage> products = FindProducts(program_.kernels[step.kernel].plain, known);
    return std::any_of(products.begin(), products.end(), [&](const ProductStage& product) {
      return PackProduct(step, product, known);
    });
  }

  bool PackProduct(Launch& step, const ProductStage& product, bool known) {
    loop::Kernel& kernel = program_.kernels[step.kernel].plain;
    bool packed = false;
    for (int side = 0; side < 2 && !packed; ++side) {
      for (const loop::Load& load : LoadsOf(kernel, product.sides[side]))
        packed |= PackLoad(step, product, load, product.sides[1 - side], known);
    }
    return packed;
  }

  bool PackLoad(Launch& step, const ProductStage& product, const loop::Load& load, ExprId other,
                bool known) {
    loop::Kernel& kernel = program_.kernels[step.kernel].plain;
    size_t argument = ArgumentOf(kernel, load.buffer);
    BufferId buffer = step.arguments[argument];
    if (program_.buffers[buffer].kind != BufferKind::kWeight) return false;
    auto packing = PackingFor(kernel, product, load, other);
    if (!packing) return false;
    const TensorType type = kernel.buffers[load.buffer].type;
    WeightId source = program_.buffers[buffer].weight;
    if (known && !FindPacked(source, LayoutOf(type, *packing))) return false;
    step.arguments[argument] = PackedBuffer(type, source, *packing);
    RewriteKernel(kernel, load.buffer, *packing);
    return true;
  }

  // A table whose rows are looked up is read out of panels where these are there for a product: the
  // words of a language model are a table at its beginning and a matrix at its end.
  void ReadPanels(Launch& step) {
    loop::Kernel& kernel = program_.kernels[step.kernel].plain;
    for (size_t argument = 0; argument < step.arguments.size(); ++argument) {
      const Buffer& buffer = program_.buffers[step.arguments[argument]];
      const loop::BufferId parameter = loop::ParametersOf(kernel)[argument];
      const TensorType type = kernel.buffers[parameter].type;
      if (buffer.kind != BufferKind::kWeight || kernel.buffers[parameter].panels) continue;
      auto packing = PackingOfRows(type);
      auto packed = packing ? FindEqual(buffer.weight, type, *packing) : std::nullopt;
      if (!packed) continue;
      step.arguments[argument] = BufferOf(*packed);
      RewriteKernel(kernel, parameter, *packing);
    }
  }

  // How a product with the transpose of these rows reads them, if it does so in panels.
  static std::optional<Packing> PackingOfRows(const TensorType& type) {
    Packing packing;
    for (size_t d = 1; d < type.shape.size(); ++d) packing.inner.push_back(d);
    return packing.inner.empty() ? std::nullopt : Whole(type, std::move(packing));
  }

  // A packed weight with the bytes that the source would have; its dimensions may be divided
  // otherwise.
  std::optional<WeightId> FindEqual(WeightId source, const TensorType& type,
                                    const Packing& packing) const {
    const TensorType packed = PackedType(type, packing);
    std::optional<TensorData> data;
    for (int32_t w = 0; w < weights_.size(); ++w) {
      const Weight& weight = weights_[WeightId{w}];
      const bool fits = weight.packed_from.valid() && weight.type.dtype == packed.dtype &&
                        ByteSize(weight.type) == ByteSize(packed);
      if (!fits) continue;
      if (!data) data = PackedData(weights_[source].data, type, packed, packing);
      if (weight.data == *data) return WeightId{w};
    }
    return std::nullopt;
  }

  // The sums of products: all, or the kernel's only reduction.
  static std::vector<ProductStage> FindProducts(const loop::Kernel& kernel, bool all) {
    std::vector<ProductStage> products;
    size_t reductions = 0;
    for (const loop::Stage& stage : loop::StagesOf(kernel)) {
      if (stage.ordered) return {};
      if (!IsReduction(stage)) continue;
      ++reductions;
      for (const loop::Product& product : loop::ProductsOf(kernel, stage))
        products.push_back({stage, {product.left, product.right}});
    }
    if (!all && reductions != 1) products.clear();
    return products;
  }

  // What a side of the product loads, once from each parameter: a weight, or one of a few bits, its
  // scales and zero points.
  static std::vector<loop::Load> LoadsOf(const loop::Kernel& kernel, ExprId side) {
    std::vector<loop::Load> loads;
    std::set<loop::BufferId> seen;
    loop::ForEachExpr(kernel, side, [&](ExprId id) {
      auto* load = std::get_if<loop::Load>(&kernel.exprs[id].node);
      bool is_first = load && kernel.buffers[load->buffer].space == loop::Space::kIn &&
                      seen.insert(load->buffer).second;
      if (is_first) loads.push_back(*load);
    });
    return loads;
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
    Packing packing;
    std::vector<std::pair<size_t, size_t>> inner;  // position of the loop, dimension
    bool has_cut = false;
    for (size_t d = 0; d < load.index.size(); ++d) {
      auto var = loop::VariableOf(kernel, load.index[d]);
      if (!var) {
        // One of several matrices, which data chooses, say: all of the sum is in it.
        bool fixed = !loop::Mentions(kernel, load.index[d], [&](loop::VarId v) {
          return v == *innermost || !loop::Names(kernel, product.stage, v);
        });
        if (!fixed) return std::nullopt;
        packing.outer.push_back(d);
        continue;
      }
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
    if (!has_cut || inner.empty()) return std::nullopt;
    std::sort(inner.begin(), inner.end());
    for (auto [position, d] : inner) packing.inner.push_back(d);
    return Whole(kernel.buffers[load.buffer].type, std::move(packing));
  }

  // With words for elements of a few bits, where these and panels are filled.
  static std::optional<Packing> Whole(const TensorType& type, Packing packing) {
    const int64_t cut = type.shape[packing.cut].value();
    if (cut < Machine::kFewestPacked) return std::nullopt;
    if (!IsPacked(type.dtype)) return packing;
    packing.in_word = kWordBits / BitSize(type.dtype);
    const bool whole =
        cut % kPanelWidth == 0 && type.shape[packing.inner.back()].value() % packing.in_word == 0;
    return whole ? std::optional(std::move(packing)) : std::nullopt;
  }

  static TensorType PackedType(const TensorType& type, const Packing& packing) {
    TensorType packed{packing.in_word > 1 ? DType::kI32 : type.dtype, {}};
    for (size_t d : packing.outer) packed.shape.push_back(type.shape[d]);
    packed.shape.push_back(CeilDiv(type.shape[packing.cut], kPanelWidth));
    for (size_t d : packing.inner) packed.shape.push_back(type.shape[d]);
    packed.shape.back() = CeilDiv(packed.shape.back(), packing.in_word);
    packed.shape.push_back(kPanelWidth);
    return packed;
  }

  static void RewriteKernel(loop::Kernel& kernel, loop::BufferId buffer, const Packing& packing) {
    loop::Builder build(kernel);
    const DType dtype = kernel.buffers[buffer].type.dtype;
    kernel.buffers[buffer].type = PackedType(kernel.buffers[buffer].type, packing);
    kernel.buffers[buffer].panels = true;
    std::map<ExprId, ExprId> elements;  // as i32, by what stands for them in their own type
    loop::ExprRewriter rewrite(kernel, [&](ExprId id, ExprId) {
      loop::Expr expr = kernel.exprs[id];
      auto* convert = std::get_if<loop::Convert>(&expr.node);
      auto element = convert ? elements.find(convert->a) : elements.end();
      if (element != elements.end()) return build.Convert(element->second, expr.dtype);
      auto* load = std::get_if<loop::Load>(&expr.node);
      if (!load || load->buffer != buffer) return id;
      loop::Index index;
      for (size_t d : packing.outer) index.push_back(load->index[d]);
      ExprId width = build.Int(kPanelWidth);
      index.push_back(build.FloorDiv(load->index[packing.cut], width));
      for (size_t d : packing.inner) index.push_back(load->index[d]);
      ExprId last = index.back(), in_word = build.Int(packing.in_word);
      index.back() = build.FloorDiv(last, in_word);
      index.push_back(build.FloorMod(load->index[packing.cut], width));
      ExprId loaded = build.Load(buffer, std::move(index));
      if (packing.in_word == 1) return loaded;
      ExprId cut = Cut(build, loaded, dtype, build.FloorMod(last, in_word));
      ExprId narrow = build.Convert(cut, dtype);
      elements[narrow] = cut;
      return narrow;
    });
    loop::RewriteExprs(kernel.body, rewrite);
  }

  // The element at `position` of a word, as i32.
  static ExprId Cut(loop::Builder& build, ExprId word, DType dtype, ExprId position) {
    using loop::BinaryOp;
    const int64_t bits = BitSize(dtype);
    if (!IsSigned(dtype)) {
      ExprId bottom =
          build.Apply(BinaryOp::kShiftRight, word, build.Mul(position, build.Int(bits)));
      return build.And(bottom, build.Int((int64_t{1} << bits) - 1));
    }
    ExprId behind = build.Sub(build.Int(kWordBits / bits - 1), position);
    ExprId top = build.Apply(BinaryOp::kShiftLeft, word, build.Mul(behind, build.Int(bits)));
    return build.Apply(BinaryOp::kShiftRight, top, build.Int(kWordBits - bits));
  }

  // The program's buffer for the packed weight. `type` is how the kernel sees the unpacked one,
  // with dimensions merged perhaps.
  BufferId PackedBuffer(const TensorType& type, WeightId source, const Packing& packing) {
    return BufferOf(PackedWeight(source, type, packing));
  }

  BufferId BufferOf(WeightId packed) { return WeightBuffer(program_, weights_, packed); }

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
    packed.type = PackedType(type, packing);
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
    auto element = static_cast<size_t>(ByteSize(to.dtype));
    std::vector<uint8_t> bytes(static_cast<size_t>(ByteSize(to).value()));
    std::vector<int64_t> packed_sizes = StaticShape(to.shape), at(order.size(), 0);
    const uint8_t* source = data.bytes().data();
    const int64_t along = strides[order.back()];
    for (size_t out = 0; out < bytes.size(); out += element * kPanelWidth) {
      int64_t offset = 0, first = 0;
      for (size_t i = 0; i < order.size(); ++i) {
        bool cut = order[i] == packing.cut;
        if (cut) first = at[i] * kPanelWidth;
        int64_t index = i + 1 == order.size() ? at[i] * packing.in_word : at[i];
        offset += (cut ? first : index) * strides[order[i]];
      }
      int64_t count = std::min(kPanelWidth, sizes[packing.cut] - first);
      for (int64_t j = 0; j < count; ++j) {
        int64_t from_element = offset + j * strides[packing.cut];
        uint8_t* to_bytes = bytes.data() + out + static_cast<size_t>(j) * element;
        if (packing.in_word > 1) {
          CopyWord(to_bytes, source, from_element, along, BitSize(from.dtype));
        } else {
          std::memcpy(to_bytes, source + static_cast<size_t>(from_element) * element, element);
        }
      }
      for (size_t i = order.size(); i-- > 0;) {
        if (++at[i] < packed_sizes[i]) break;
        at[i] = 0;
      }
    }
    return TensorData::Own(std::move(bytes));
  }

  // Elements of so many bits from number `first` on, `stride` apart: a word, as they are side by
  // side.
  static void CopyWord(uint8_t* word, const uint8_t* source, int64_t first, int64_t stride,
                       int64_t bits) {
    if (stride == 1) {
      std::memcpy(word, source + first * bits / 8, kWordBits / 8);
      return;
    }
    for (int64_t i = 0; i < kWordBits / bits; ++i) {
      int64_t from = (first + i * stride) * bits;
      int element = source[from / 8] >> from % 8 & ((1 << bits) - 1);
      word[i * bits / 8] |= static_cast<uint8_t>(element << i * bits % 8);
    }
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
