#include "loop/passes/transform_windows.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "loop/builder.h"
#include "loop/minimal_filter.h"
#include "loop/passes/simplify.h"
#include "loop/rewrite.h"
#include "loop/stage.h"
#include "target/machine.h"

namespace webnnc::loop {

namespace {

using Matrix = MinimalFilter::Matrix;

// Neighbours in a panel of what is read by vectors (plan::PackWeights).
constexpr int64_t kPanel = Machine::kPanelWidth;

// A dimension of the window: a loop over results, and one over the filter's elements.
struct Dimension {
  StageLoop result, tap;
  MinimalFilter filter;
  // The place among what the filter meets: both loops' sum.
  VarId met;
  // Places of a tile, and tiles.
  VarId place, tile;
  Dim tiles;
};

class Transformer {
 public:
  Transformer(const Kernel& plain, int64_t outputs)
      : kernel_(plain), build_(kernel_), stages_(StagesOf(plain)), outputs_(outputs) {}

  std::optional<Kernel> Run() {
    if (!IsProduct() || !FindDimensions() || !FindLanes()) return std::nullopt;
    std::vector<Stage> made{FilterStage(), TileStage(), ProductStage()};
    ReplaceResult(made);
    SetStages(kernel_, std::move(made));
    return std::move(kernel_);
  }

 private:
  // ---- What the kernel is

  // Whether the first stage is the only reduction, a sum of products in f32.
  bool IsProduct() {
    if (stages_.empty()) return false;
    const Stage& stage = stages_[0];
    bool sums = IsReduction(stage) && stage.update == Update::kAdd && stage.parts.size() == 1;
    if (!sums || stage.ordered || kernel_.exprs[stage.value()].dtype != DType::kF32 ||
        kernel_.buffers[stage.buffer()].type.dtype != DType::kF32)
      return false;
    for (size_t s = 1; s < stages_.size(); ++s) {
      if (stages_[s].kind != StageKind::kMap || stages_[s].ordered) return false;
    }
    product_ = ProductOf(kernel_, stage);
    return product_.has_value();
  }

  bool Has(ExprId id, VarId var) const {
    return Mentions(kernel_, id, [&](VarId other) { return other == var; });
  }

  bool FindDimensions() {
    Stage& stage = stages_[0];
    for (bool swapped : {false, true}) {
      met_ = swapped ? product_->right : product_->left;
      filter_ = swapped ? product_->left : product_->right;
      dimensions_.clear();
      for (const StageLoop& tap : stage.loops) {
        for (const StageLoop& result : stage.loops) AddDimension(result, tap);
      }
      if (!dimensions_.empty()) return true;
    }
    return false;
  }

  // If the filter's elements along `tap` meet neighbours, those of the next result one further.
  void AddDimension(const StageLoop& result, const StageLoop& tap) {
    const Stage& stage = stages_[0];
    bool fits = Names(kernel_, stage, result.var) && !Names(kernel_, stage, tap.var) &&
                tap.extent.IsConstant() && result.extent.IsConstant() &&
                result.extent.value() >= outputs_ && Has(met_, result.var) && Has(met_, tap.var) &&
                Has(filter_, tap.var) && !Has(filter_, result.var);
    if (!fits) return;
    auto filter = MinimalFilterOf(outputs_, tap.extent.value());
    if (!filter) return;
    Dimension made{result, tap, std::move(*filter), kernel_.vars.Add({"s"}), {}, {}, {}};
    Simplifier simplify(kernel_);
    for (const StageLoop& loop : stage.loops) {
      if (loop.var != result.var) simplify.Bind(loop.var, loop.extent);
    }
    simplify.Bind(made.met, result.extent + tap.extent - 1);
    Substitution at(kernel_, {{result.var, build_.Sub(build_.Var(made.met), build_.Var(tap.var))}});
    ExprId met = simplify(at(met_));
    if (Has(met, tap.var)) return;
    met_ = met;
    made.place = kernel_.vars.Add({"a"});
    made.tile = kernel_.vars.Add({"t"});
    made.tiles = CeilDiv(result.extent, outputs_);
    dimensions_.push_back(std::move(made));
  }

  // The result's innermost loop, along which panels of filters are read.
  bool FindLanes() {
    const Stage& stage = stages_[0];
    auto lane = stage.place.empty() ? std::nullopt : VariableOf(kernel_, stage.place.back());
    if (!lane || Has(met_, *lane) || !Has(filter_, *lane)) return false;
    for (const StageLoop& loop : stage.loops) {
      if (loop.var == *lane) lane_ = loop;
    }
    return lane_.extent.IsConstant() && lane_.extent.value() % kPanel == 0;
  }

  // ---- Sums with given factors

  ExprId Scaled(ExprId value, double factor) {
    if (factor == 1) return value;
    return build_.Mul(value, build_.Real(DType::kF32, factor));
  }

  // A factor that all have is multiplied once.
  ExprId Sum(const std::vector<double>& factors, const std::vector<ExprId>& values) {
    // One that is added goes first.
    auto first = std::find_if(factors.begin(), factors.end(), [](double f) { return f > 0; });
    CHECK(first != factors.end());
    const bool alike = std::all_of(factors.begin(), factors.end(),
                                   [&](double f) { return f == 0 || std::abs(f) == *first; });
    const double common = alike ? *first : 1;
    const auto begin = static_cast<size_t>(first - factors.begin());
    ExprId sum = Scaled(values[begin], *first / common);
    for (size_t i = 0; i < factors.size(); ++i) {
      if (i == begin || factors[i] == 0) continue;
      ExprId term = Scaled(values[i], std::abs(factors[i]) / common);
      sum = factors[i] > 0 ? build_.Add(sum, term) : build_.Sub(sum, term);
    }
    return Scaled(sum, common);
  }

  // The sum of `row` of a matrix for each dimension from `d` on; leaf(i) is the value at a place.
  ExprId Sums(size_t d, std::vector<int64_t>& at,
              const std::function<const Matrix&(const Dimension&)>& matrix,
              const std::vector<ExprId>& rows,
              const std::function<ExprId(const std::vector<int64_t>&)>& leaf) {
    if (d == dimensions_.size()) return leaf(at);
    const Matrix& factors = matrix(dimensions_[d]);
    std::vector<ExprId> values;
    for (size_t i = 0; i < factors[0].size(); ++i) {
      at.push_back(static_cast<int64_t>(i));
      values.push_back(Sums(d + 1, at, matrix, rows, leaf));
      at.pop_back();
    }
    ExprId chosen = Sum(factors.back(), values);
    for (size_t row = factors.size() - 1; row-- > 0;) {
      ExprId is_row = build_.Equal(rows[d], build_.Int(static_cast<int64_t>(row)));
      chosen = build_.Select(is_row, Sum(factors[row], values), chosen);
    }
    return chosen;
  }

  // ---- The stages

  const Dimension* DimensionOf(VarId var) const {
    for (const Dimension& dimension : dimensions_) {
      if (dimension.result.var == var || dimension.tap.var == var) return &dimension;
    }
    return nullptr;
  }

  bool IsTap(VarId var) const {
    const Dimension* dimension = DimensionOf(var);
    return dimension && dimension->tap.var == var;
  }

  // Dimensions of a tensor that flows, and the loops that run through it.
  struct Flow {
    BufferId buffer;
    Index index;
    std::vector<StageLoop> loops;
  };

  // The places of a tile, then loops of the product that `is` says: those of the result in its
  // order, then what is summed up. Panels are the last dimension.
  Flow FlowOf(const std::string& name, const std::function<bool(VarId)>& is, bool panels) {
    const Stage& stage = stages_[0];
    Flow flow;
    Shape shape;
    auto add = [&](const StageLoop& loop) {
      flow.loops.push_back(loop);
      flow.index.push_back(build_.Var(loop.var));
      shape.push_back(loop.extent);
    };
    for (const Dimension& dimension : dimensions_)
      add({dimension.place, dimension.filter.products()});
    for (ExprId index : stage.place) {
      auto var = VariableOf(kernel_, index);
      if (!var || !is(*var)) continue;
      if (panels && *var == lane_.var) {
        // Schedules tell by its name that it is the same loop.
        add({panel_ = kernel_.vars.Add({kernel_.vars[lane_.var].name}),
             CeilDiv(lane_.extent, kPanel)});
      } else if (const Dimension* dimension = DimensionOf(*var)) {
        add({dimension->tile, dimension->tiles});
      } else {
        add(LoopOf(*var));
      }
    }
    for (const StageLoop& loop : stage.loops) {
      if (!Names(kernel_, stage, loop.var) && !IsTap(loop.var) && is(loop.var)) add(loop);
    }
    if (panels) add({in_panel_ = kernel_.vars.Add({"v"}), kPanel});
    flow.buffer = kernel_.buffers.Add({name, {DType::kF32, shape}, Space::kTemporary, panels});
    return flow;
  }

  StageLoop LoopOf(VarId var) const {
    return *std::find_if(stages_[0].loops.begin(), stages_[0].loops.end(),
                         [&](const StageLoop& loop) { return loop.var == var; });
  }

  std::vector<ExprId> Places() {
    std::vector<ExprId> places;
    for (const Dimension& dimension : dimensions_) places.push_back(build_.Var(dimension.place));
    return places;
  }

  Stage FilterStage() {
    filters_ = FlowOf("filters", [&](VarId var) { return Has(filter_, var); }, true);
    auto leaf = [&](const std::vector<int64_t>& at) {
      std::unordered_map<VarId, ExprId> values{
          {lane_.var,
           build_.Add(build_.Mul(build_.Var(panel_), build_.Int(kPanel)), build_.Var(in_panel_))}};
      for (size_t d = 0; d < at.size(); ++d) values[dimensions_[d].tap.var] = build_.Int(at[d]);
      return Resolved(filter_, values, filters_);
    };
    std::vector<int64_t> at;
    ExprId value = Sums(
        0, at, [](const Dimension& d) -> const Matrix& { return d.filter.filter; }, Places(), leaf);
    return MapStage(filters_.loops, {filters_.buffer, filters_.index, value});
  }

  Stage TileStage() {
    auto is = [&](VarId var) {
      const Dimension* dimension = DimensionOf(var);
      return dimension ? dimension->result.var == var : Has(met_, var);
    };
    tiles_ = FlowOf("tiles", is, false);
    auto leaf = [&](const std::vector<int64_t>& at) {
      std::unordered_map<VarId, ExprId> values;
      ExprId inside = build_.Constant(Scalar::Bool(true));
      for (size_t d = 0; d < at.size(); ++d) {
        const Dimension& dimension = dimensions_[d];
        ExprId begin = build_.Mul(build_.Var(dimension.tile), build_.Int(outputs_));
        ExprId place = values[dimension.met] = build_.Add(begin, build_.Int(at[d]));
        const Dim end = dimension.result.extent + dimension.tap.extent - 1;
        inside = build_.And(inside, build_.Less(place, build_.Size(end)));
      }
      ExprId value = Resolved(met_, values, tiles_);
      return Padded(Resolved(inside, {}, tiles_), value);
    };
    std::vector<int64_t> at;
    ExprId value = Sums(
        0, at, [](const Dimension& d) -> const Matrix& { return d.filter.input; }, Places(), leaf);
    return MapStage(tiles_.loops, {tiles_.buffer, tiles_.index, value});
  }

  // One choice: what is padded is asked for together.
  ExprId Padded(ExprId inside, ExprId value) {
    ExprId zero = build_.Real(DType::kF32, 0);
    const auto* select = std::get_if<Select>(&kernel_.exprs[value].node);
    if (!select || select->no != zero) return build_.Select(inside, value, zero);
    const Select padded = *select;
    return build_.Select(build_.And(inside, padded.condition), padded.yes, zero);
  }

  // With variables replaced, as simple as the loops of the stage allow.
  ExprId Resolved(ExprId id, const std::unordered_map<VarId, ExprId>& values, const Flow& flow) {
    Simplifier simplify(kernel_);
    for (const StageLoop& loop : flow.loops) simplify.Bind(loop.var, loop.extent);
    return simplify(Substitution(kernel_, values)(id));
  }

  Stage ProductStage() {
    products_ = FlowOf(
        "products", [&](VarId var) { return Names(kernel_, stages_[0], var) && !IsTap(var); },
        false);
    Stage stage = stages_[0];
    stage.loops = products_.loops;
    for (const StageLoop& loop : stages_[0].loops) {
      if (!Names(kernel_, stages_[0], loop.var) && !IsTap(loop.var)) stage.loops.push_back(loop);
    }
    std::unordered_map<VarId, ExprId> panels{
        {panel_, build_.FloorDiv(build_.Var(lane_.var), build_.Int(kPanel))},
        {in_panel_, build_.FloorMod(build_.Var(lane_.var), build_.Int(kPanel))}};
    Substitution at(kernel_, panels);
    Index filter;
    for (ExprId index : filters_.index) filter.push_back(at(index));
    ExprId term =
        build_.Mul(build_.Load(tiles_.buffer, tiles_.index), build_.Load(filters_.buffer, filter));
    stage.place = products_.index;
    stage.parts = {{products_.buffer, term, build_.Constant(Neutral(Update::kAdd, DType::kF32))}};
    return stage;
  }

  // What the reduction stored is computed where it is used, and stored where it is a result.
  void ReplaceResult(std::vector<Stage>& made) {
    const Stage& stage = stages_[0];
    std::vector<ExprId> rows;
    std::unordered_map<VarId, ExprId> tiles;
    for (const Dimension& dimension : dimensions_) {
      ExprId result = build_.Var(dimension.result.var);
      rows.push_back(build_.FloorMod(result, build_.Int(outputs_)));
      tiles[dimension.tile] = build_.FloorDiv(result, build_.Int(outputs_));
    }
    auto leaf = [&](const std::vector<int64_t>& at) {
      std::unordered_map<VarId, ExprId> values = tiles;
      for (size_t d = 0; d < at.size(); ++d) values[dimensions_[d].place] = build_.Int(at[d]);
      Substitution resolve(kernel_, values);
      Index index;
      for (ExprId each : products_.index) index.push_back(resolve(each));
      return build_.Load(products_.buffer, index);
    };
    std::vector<int64_t> at;
    ExprId value = Sums(
        0, at, [](const Dimension& d) -> const Matrix& { return d.filter.result; }, rows, leaf);
    const Scalar* start = build_.ConstantValue(stage.parts[0].start);
    if (!start || !(*start == Neutral(Update::kAdd, DType::kF32)))
      value = build_.Add(value, stage.parts[0].start);
    if (kernel_.buffers[stage.buffer()].space != Space::kTemporary)
      made.push_back(MapStage(PlaceLoops(kernel_, stage), {stage.buffer(), stage.place, value}));
    for (size_t s = 1; s < stages_.size(); ++s) {
      made.push_back(stages_[s]);
      ExprRewriter rewrite(kernel_, [&](ExprId id, ExprId) {
        auto* load = std::get_if<Load>(&kernel_.exprs[id].node);
        if (!load || load->buffer != stage.buffer()) return id;
        std::unordered_map<VarId, ExprId> values;
        for (size_t d = 0; d < stage.place.size(); ++d) {
          if (auto var = VariableOf(kernel_, stage.place[d])) values[*var] = load->index[d];
        }
        return Substitution(kernel_, values)(value);
      });
      RewriteRoots(made.back(), [&](ExprId id) { return rewrite(id); });
    }
  }

  Kernel kernel_;
  Builder build_;
  std::vector<Stage> stages_;
  const int64_t outputs_;
  std::optional<Product> product_;
  ExprId met_, filter_;  // the product's sides; the first by places that the filter meets
  std::vector<Dimension> dimensions_;
  StageLoop lane_;
  VarId panel_, in_panel_;
  Flow filters_, tiles_, products_;
};

}  // namespace

std::optional<Kernel> TransformWindows(const Kernel& plain, int64_t outputs) {
  return Transformer(plain, outputs).Run();
}

}  // namespace webnnc::loop
