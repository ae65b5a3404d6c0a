// Other panels of weights: all that reads one reads it so. Which dimension counts panels is seen
// where they are read, w[.., o/8, .., o%8].
#include "schedule/pack.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

#include "loop/builder.h"
#include "loop/rewrite.h"
#include "schedule/nest.h"

namespace webnnc::schedule {

using loop::BinaryOp;
using loop::BufferId;
using loop::ExprId;

namespace {

// Replaces each expression that nests compute by what `f` gives for it. The loops' definitions
// load nothing.
template <typename F>
void RewriteRoots(Nests& nests, F f) {
  auto all = [&](loop::Index& index) {
    for (ExprId& id : index) id = f(id);
  };
  auto one = [&](ExprId& id) {
    if (id.valid()) id = f(id);
  };
  for (Nest& nest : nests.nests) {
    all(nest.place);
    for (loop::Part& part : nest.parts) {
      one(part.start);
      one(part.term);
    }
    if (nest.product) {
      one(nest.product->left);
      one(nest.product->right);
    }
    for (loop::Store& store : nest.writers) {
      all(store.index);
      one(store.value);
    }
    for (Guard& guard : nest.guards) one(guard.condition);
    one(nest.condition);
  }
}

std::optional<BufferId> FindPanels(const loop::Kernel& kernel, const std::string& name) {
  for (int32_t b = 0; b < kernel.buffers.size(); ++b) {
    const loop::Buffer& buffer = kernel.buffers[BufferId{b}];
    if (buffer.name != name) continue;
    const bool packs = buffer.panels && buffer.space == loop::Space::kIn &&
                       buffer.type.shape.size() > 1 &&
                       std::all_of(buffer.type.shape.begin(), buffer.type.shape.end(),
                                   [](const Dim& size) { return size.IsConstant(); });
    if (packs) return BufferId{b};
  }
  return std::nullopt;
}

// What is divided by the width, if that is what `id` does.
std::optional<ExprId> DividedBy(const loop::Kernel& kernel, ExprId id, BinaryOp op, int64_t width) {
  auto* binary = std::get_if<loop::Binary>(&kernel.exprs[id].node);
  if (!binary || binary->op != op) return std::nullopt;
  auto* by = std::get_if<loop::Constant>(&kernel.exprs[binary->b].node);
  return by && by->value.integer == width ? std::optional(binary->a) : std::nullopt;
}

// The column that a load reads, if `counts` is the dimension of its panel.
std::optional<ExprId> ColumnOf(const loop::Kernel& kernel, const loop::Load& load, size_t counts) {
  const int64_t width = kernel.buffers[load.buffer].type.shape.back().value();
  auto place = DividedBy(kernel, load.index.back(), BinaryOp::kFloorMod, width);
  auto panel = DividedBy(kernel, load.index[counts], BinaryOp::kFloorDiv, width);
  return place && place == panel ? place : std::nullopt;
}

// The dimension that counts panels for all loads.
std::optional<size_t> FindCounts(Nests& nests, BufferId buffer) {
  std::set<ExprId> loads;
  RewriteRoots(nests, [&](ExprId root) {
    loop::ForEachExpr(nests.kernel, root, [&](ExprId id) {
      auto* load = std::get_if<loop::Load>(&nests.kernel.exprs[id].node);
      if (load && load->buffer == buffer) loads.insert(id);
    });
    return root;
  });
  const size_t last = nests.kernel.buffers[buffer].type.shape.size() - 1;
  for (size_t counts = 0; counts < last && !loads.empty(); ++counts) {
    if (std::all_of(loads.begin(), loads.end(), [&](ExprId id) {
          const auto& load = std::get<loop::Load>(nests.kernel.exprs[id].node);
          return ColumnOf(nests.kernel, load, counts).has_value();
        }))
      return counts;
  }
  return std::nullopt;
}

Result<Packed> PackNests(Nests& nests, const Pack& pack) {
  loop::Kernel& kernel = nests.kernel;
  auto buffer = FindPanels(kernel, pack.buffer);
  if (!buffer) return Error{"pack: %" + pack.buffer + " is no weight in panels"};
  auto counts = FindCounts(nests, *buffer);
  if (!counts) return Error{"pack: %" + pack.buffer + " is not read column by column"};
  const TensorType& type = kernel.buffers[*buffer].type;
  const int64_t columns = (type.shape[*counts] * type.shape.back()).value();
  if (pack.width > columns)
    return Error{"pack: %" + pack.buffer + " has no more than " + std::to_string(columns) +
                 " columns"};
  Packed packed{*buffer, *counts, type, type};
  Shape& shape = packed.to.shape;
  shape[*counts] = CeilDiv(shape[*counts] * shape.back(), pack.width);
  shape.back() = pack.width;
  loop::Builder build(kernel);
  loop::ExprRewriter rewrite(kernel, [&](ExprId id, ExprId) {
    auto* found = std::get_if<loop::Load>(&kernel.exprs[id].node);
    if (!found || found->buffer != *buffer) return id;
    loop::Load load = *found;
    const ExprId column = *ColumnOf(kernel, load, *counts), width = build.Int(pack.width);
    load.index[*counts] = build.FloorDiv(column, width);
    load.index.back() = build.FloorMod(column, width);
    return build.Load(*buffer, std::move(load.index));
  });
  RewriteRoots(nests, [&](ExprId id) { return rewrite(id); });
  kernel.buffers[*buffer].type = packed.to;
  return packed;
}

}  // namespace

Status ApplyPack(Nests& nests, const Pack& pack) {
  TRY(PackNests(nests, pack));
  return kSuccess;
}

std::optional<int64_t> PackableColumns(const loop::Kernel& plain, const std::string& name) {
  Nests nests = ExtractNests(plain);
  auto buffer = FindPanels(nests.kernel, name);
  auto counts = buffer ? FindCounts(nests, *buffer) : std::nullopt;
  if (!counts) return std::nullopt;
  const Shape& shape = nests.kernel.buffers[*buffer].type.shape;
  return (shape[*counts] * shape.back()).value();
}

static bool IsPack(const Directive& directive) { return std::holds_alternative<Pack>(directive); }

bool Packs(const Schedule& schedule) { return std::ranges::any_of(schedule, IsPack); }

std::vector<Packed> PackedBy(const loop::Kernel& plain, const Schedule& schedule) {
  std::vector<Packed> all;
  std::optional<Nests> nests;
  for (const Directive& directive : schedule) {
    auto* pack = std::get_if<Pack>(&directive);
    if (!pack) continue;
    if (!nests) nests = ExtractNests(plain);
    auto packed = PackNests(*nests, *pack);
    if (packed) all.push_back(std::move(packed.value()));
  }
  return all;
}

std::vector<uint8_t> Repack(std::span<const uint8_t> bytes, const Packed& packed) {
  const std::vector<int64_t> from = StaticShape(packed.from.shape),
                             to = StaticShape(packed.to.shape);
  const auto element = static_cast<size_t>(ByteSize(packed.to.dtype));
  int64_t outer = 1, inner = 1;
  for (size_t d = 0; d < packed.counts; ++d) outer *= from[d];
  for (size_t d = packed.counts + 1; d + 1 < from.size(); ++d) inner *= from[d];
  const int64_t columns = from[packed.counts] * from.back();
  auto place = [&](const std::vector<int64_t>& shape, int64_t o, int64_t i, int64_t column) {
    const int64_t width = shape.back(), panel = o * shape[packed.counts] + column / width;
    return static_cast<size_t>((panel * inner + i) * width + column % width) * element;
  };
  std::vector<uint8_t> out(static_cast<size_t>(ByteSize(packed.to).value()));
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < inner; ++i) {
      for (int64_t column = 0; column < columns; ++column)
        std::memcpy(&out[place(to, o, i, column)], &bytes[place(from, o, i, column)], element);
    }
  }
  return out;
}

Schedule PackedLike(Schedule schedule, const Schedule& other) {
  std::erase_if(schedule, IsPack);
  Schedule all;
  std::ranges::copy_if(other, std::back_inserter(all), IsPack);
  all.insert(all.end(), schedule.begin(), schedule.end());
  return all;
}

}  // namespace webnnc::schedule
