#include "spirv/layout.h"

#include <algorithm>
#include <set>

#include "loop/parameters.h"
#include "loop/rewrite.h"
#include "spirv/fragments.h"
#include "target/machine.h"

namespace webnnc::spirv {

using loop::BufferId;
using loop::ExprId;
using loop::LoopKind;
using loop::Space;

namespace {

struct Access {
  int32_t lanes = 1;
  bool is_store = false;
  // Divides the index whatever the variables are; 0 if the index is 0.
  int64_t divisor = 1;
  std::optional<int64_t> constant;
};

bool IsAligned(int64_t divisor, int32_t width) { return divisor % width == 0; }

// ---- What a kernel accesses -------------------------------------------------------------------

class Survey {
 public:
  Survey(const loop::Kernel& kernel, loop::Simplifier& simplify)
      : kernel_(kernel),
        simplify_(simplify),
        accesses_(static_cast<size_t>(kernel.buffers.size())) {}

  Result<std::vector<std::vector<Access>>> Run() {
    BindThreads();
    Visit(kernel_.body);
    if (error_) return *error_;
    return std::move(accesses_);
  }

  const std::set<BufferId>& fragments() const { return fragments_; }

 private:
  // A thread's number is known from the beginning, as a workgroup's is: indices begin with what
  // depends on these alone, and all loops are inside.
  void BindThreads() {
    for (bool workgroup : {true, false}) {
      loop::ForEachStmt(kernel_.body, [&](const loop::Stmt& stmt) {
        auto* loop = std::get_if<loop::For>(&stmt);
        bool now = loop && (workgroup ? IsWorkgroup(loop->kind) : IsRegion(loop->kind));
        if (now && bound_.insert(loop->var).second) simplify_.Bind(loop->var, loop->extent);
      });
    }
  }

  void Visit(const loop::Block& block) {
    for (const loop::Stmt& stmt : block) {
      if (auto* loop = std::get_if<loop::For>(&stmt)) {
        if (bound_.insert(loop->var).second) simplify_.Bind(loop->var, loop->extent);
        loop->kind == LoopKind::kMatrix ? VisitFragments(*loop) : Visit(loop->body);
      } else if (auto* let = std::get_if<loop::Let>(&stmt)) {
        // A value that was loaded may have changed since.
        if (!VisitLoads(let->value)) simplify_.Define(let->var, let->value);
      } else if (auto* test = std::get_if<loop::If>(&stmt)) {
        VisitLoads(test->condition);
        Visit(test->body);
      } else if (auto* store = std::get_if<loop::Store>(&stmt)) {
        VisitLoads(store->index[0]);
        VisitLoads(store->value);
        Note(store->buffer, store->index[0], kernel_.exprs[store->value].lanes, true);
      }
    }
  }

  void VisitFragments(const loop::For& outermost) {
    auto read = FragmentStoreOf(kernel_, simplify_, outermost);
    if (!read) {
      error_ = read.error();
      return;
    }
    const FragmentStore& store = read.value();
    fragments_.insert(store.buffer);
    auto note = [&](const FragmentPlace& place, bool is_store) {
      Access access{LanesOf(simplify_, place), is_store, simplify_.KnownDivisor(place.first), {}};
      accesses_[static_cast<size_t>(place.buffer.index)].push_back(access);
    };
    if (store.kind == FragmentStore::Kind::kMove) note(store.to, true);
    if (store.kind != FragmentStore::Kind::kMultiply) return;
    note(store.left, false);
    note(store.right, false);
  }

  // Whether there are any.
  bool VisitLoads(ExprId root) {
    bool any = false;
    loop::ForEachExpr(kernel_, root, [&](ExprId id) {
      // A copy, since simplifying adds expressions.
      loop::Expr expr = kernel_.exprs[id];
      auto* load = std::get_if<loop::Load>(&expr.node);
      if (!load) return;
      any = true;
      if (seen_.insert(id).second) Note(load->buffer, load->index[0], expr.lanes, false);
    });
    return any;
  }

  void Note(BufferId buffer, ExprId index, int32_t lanes, bool is_store) {
    loop::Polynomial p = simplify_.ToPolynomial(index);
    Access access{lanes, is_store, simplify_.KnownDivisor(p), {}};
    if (p.IsConstant()) access.constant = p.constant;
    accesses_[static_cast<size_t>(buffer.index)].push_back(access);
  }

  const loop::Kernel& kernel_;
  loop::Simplifier& simplify_;
  std::set<loop::VarId> bound_;
  std::set<ExprId> seen_;
  std::vector<std::vector<Access>> accesses_;
  std::set<BufferId> fragments_;
  std::optional<Error> error_;
};

// ---- Arrays -----------------------------------------------------------------------------------

// Whether elements of `width` lanes serve all accesses, and at least one of them whole.
bool Suits(int32_t width, const std::vector<Access>& accesses, bool is_private) {
  bool serves = false;
  for (const Access& access : accesses) {
    bool whole = access.lanes % width == 0, aligned = IsAligned(access.divisor, width);
    serves |= whole && aligned;
    if (whole && !aligned) return false;
    if (access.is_store && !is_private && !whole) return false;
  }
  return serves;
}

// Whether all accesses are of as many lanes.
bool AllWhole(int32_t width, const std::vector<Access>& accesses) {
  return std::all_of(accesses.begin(), accesses.end(), [&](const Access& access) {
    return access.lanes % width == 0 && IsAligned(access.divisor, width);
  });
}

int32_t ChooseWidth(const loop::Buffer& buffer, const std::vector<Access>& accesses,
                    FeatureSet features) {
  bool is_parameter = IsParameter(buffer);
  // Words of eight halves are what fragments of matrices are moved in.
  bool has_halves = buffer.type.dtype == DType::kF16 && features.Has(Feature::kMatrices);
  for (int32_t width : {8, 4, 2}) {
    if (width == 8 && !(has_halves && AllWhole(width, accesses))) continue;
    // The host's buffer ends with its last element.
    if (is_parameter && !IsAligned(KnownDivisor(buffer.type.shape[0]), width)) continue;
    if (Suits(width, accesses, buffer.space == Space::kRegister)) return width;
  }
  return 1;
}

// Two words hold what vectors of four do.
int32_t ChooseWidthOfHalves(const loop::Buffer& buffer, const std::vector<Access>& accesses) {
  bool whole = IsAligned(KnownDivisor(buffer.type.shape[0]), 4);
  for (const Access& access : accesses) {
    whole &= access.lanes % 4 == 0 && IsAligned(access.divisor, 4);
  }
  return whole ? 2 : 1;
}

// ---- Registers in variables -------------------------------------------------------------------

bool AllConstant(const std::vector<Access>& accesses) {
  return std::all_of(accesses.begin(), accesses.end(),
                     [](const Access& access) { return access.constant.has_value(); });
}

struct Interval {
  int64_t begin = 0, lanes = 1;
  friend auto operator<=>(const Interval&, const Interval&) = default;
};

// The vectors that are accessed whole and overlap no other.
std::set<Interval> SeparateVectors(const std::vector<Access>& accesses) {
  std::set<Interval> vectors, separate;
  for (const Access& access : accesses) {
    if (access.lanes > 1) vectors.insert({*access.constant, access.lanes});
  }
  for (const Interval& vector : vectors) {
    bool overlaps = std::any_of(vectors.begin(), vectors.end(), [&](const Interval& other) {
      return other != vector && other.begin < vector.begin + vector.lanes &&
             vector.begin < other.begin + other.lanes;
    });
    if (!overlaps) separate.insert(vector);
  }
  return separate;
}

void PlaceInVariables(Layout& layout, int64_t count, const std::vector<Access>& accesses) {
  layout.kind = Layout::Kind::kVariables;
  layout.slots.resize(static_cast<size_t>(count));
  std::set<Interval> variables = SeparateVectors(accesses);
  std::set<int64_t> inside;
  for (const Interval& vector : variables) {
    for (int64_t i = 0; i < vector.lanes; ++i) inside.insert(vector.begin + i);
  }
  for (const Access& access : accesses) {
    for (int64_t i = *access.constant; i < *access.constant + access.lanes; ++i) {
      if (!inside.count(i)) variables.insert({i, 1});
    }
  }
  for (const Interval& variable : variables) {
    auto number = static_cast<int32_t>(layout.variables.size());
    layout.variables.push_back(static_cast<int32_t>(variable.lanes));
    for (int32_t lane = 0; lane < variable.lanes; ++lane) {
      layout.slots[static_cast<size_t>(variable.begin + lane)] = {number, lane};
    }
  }
}

}  // namespace

// ---- Layouts ----------------------------------------------------------------------------------

Result<std::vector<Layout>> ChooseLayouts(const loop::Kernel& kernel, loop::Simplifier& simplify,
                                          FeatureSet features) {
  Survey survey(kernel, simplify);
  TRY_ASSIGN(auto accesses, survey.Run());
  std::vector<Layout> layouts;
  for (int32_t b = 0; b < kernel.buffers.size(); ++b) {
    const loop::Buffer& buffer = kernel.buffers[BufferId{b}];
    const auto& own = accesses[static_cast<size_t>(b)];
    Layout& layout = layouts.emplace_back();
    layout.halves = !features.Has(Feature::kF16) && buffer.type.dtype == DType::kF16;
    layout.width =
        layout.halves ? ChooseWidthOfHalves(buffer, own) : ChooseWidth(buffer, own, features);
    if (IsParameter(buffer)) continue;
    int64_t count = buffer.type.shape[0].value();
    layout.count = std::max<int64_t>(1, (count + layout.width - 1) / layout.width);
    layout.kind =
        buffer.space == Space::kWorkgroup ? Layout::Kind::kWorkgroup : Layout::Kind::kArray;
    for (const Access& access : own) {
      if (!access.constant) continue;
      if (*access.constant < 0 || *access.constant + access.lanes > count) {
        return Error{"@" + kernel.name + ": accesses %" + buffer.name + " outside its " +
                     std::to_string(count) + " elements"};
      }
    }
    if (survey.fragments().count(BufferId{b})) {
      layout.kind = Layout::Kind::kFragments;
      layout.count = count / (Machine::kFragment * Machine::kFragment);
      continue;
    }
    if (buffer.space == Space::kRegister && AllConstant(own)) PlaceInVariables(layout, count, own);
  }
  return layouts;
}

static std::vector<Place> PlacesInVariables(const Layout& layout, int64_t first, int32_t lanes) {
  const Layout::Slot& slot = layout.slots[static_cast<size_t>(first)];
  if (lanes > 1 && slot.lane == 0 &&
      layout.variables[static_cast<size_t>(slot.variable)] == lanes) {
    return {{slot.variable, {}, {}, lanes}};
  }
  std::vector<Place> places;
  for (int64_t i = first; i < first + lanes; ++i) {
    places.push_back({layout.slots[static_cast<size_t>(i)].variable, {}, {}, 1});
  }
  return places;
}

std::vector<Place> PlacesOf(loop::Kernel& kernel, loop::Simplifier& simplify, const Layout& layout,
                            ExprId index, int32_t lanes) {
  loop::Builder build(kernel);
  if (layout.kind == Layout::Kind::kVariables) {
    int64_t first = simplify.ToPolynomial(index).constant;
    std::vector<Place> places = PlacesInVariables(layout, first, lanes);
    for (size_t i = 0; i < places.size(); ++i) {
      Place& place = places[i];
      if (layout.variables[static_cast<size_t>(place.variable)] == place.lanes) continue;
      place.component = build.Int(layout.slots[static_cast<size_t>(first) + i].lane);
    }
    return places;
  }
  if (layout.width == 1 && lanes == 1) return {{0, simplify(index), {}, 1}};
  std::vector<Place> places;
  ExprId width = build.Int(layout.width);
  for (int32_t lane = 0; lane < lanes;) {
    ExprId position = simplify(build.Add(index, build.Int(lane)));
    int64_t divisor = simplify.KnownDivisor(simplify.ToPolynomial(position));
    Place place{0, simplify(build.FloorDiv(position, width)), {}, layout.width};
    if (lane + layout.width > lanes || !IsAligned(divisor, layout.width)) {
      place.component = simplify(build.FloorMod(position, width));
      place.lanes = 1;
    }
    lane += place.lanes;
    places.push_back(place);
  }
  return places;
}

}  // namespace webnnc::spirv
