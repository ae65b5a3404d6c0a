#include "loop/passes/stream_rows.h"

#include <algorithm>
#include <map>
#include <set>

#include "loop/builder.h"
#include "loop/passes/collapse.h"
#include "loop/passes/mask.h"
#include "loop/passes/stream_terms.h"
#include "loop/relax.h"
#include "loop/rewrite.h"

namespace webnnc::loop {

namespace {

class StreamWriter {
 public:
  StreamWriter(Kernel kernel, const Streams& found, int64_t block, int64_t parts)
      : kernel_(std::move(kernel)),
        found_(found),
        build_(kernel_),
        block_(block),
        parts_(parts),
        part_(kernel_.vars.Add({"p"})) {}

  Stream Run() {
    const Dim blocks = CeilDiv(found_.length, block_ * parts_);
    ordered_ = {kernel_.vars.Add({"b"}), blocks};
    ExprId block = build_.Var(ordered_.var);
    if (parts_ > 1) block = build_.Add(build_.Mul(build_.Var(part_), build_.Size(blocks)), block);
    at_ = build_.Add(build_.Mul(block, build_.Int(block_)), build_.Var(found_.column));
    bool whole = KnownDivisor(found_.length) % (block_ * parts_) == 0;
    if (!whole) inside_ = build_.Less(at_, build_.Size(found_.length));
    FindCondition();
    FindRowBuffers();
    for (const Streamed& each : found_.streamed) WriteStart(each);
    WriteFirst();
    for (const Streamed& each : found_.streamed) {
      if (!each.relative_to) WriteReduction(each);
    }
    for (const Streamed& each : found_.streamed) {
      if (each.relative_to) WriteReduction(each);
    }
    kernel_.buffers[found_.first].type.shape[found_.dimension] = block_;
    AddParts();
    whole_ = written_.size();
    for (const Streamed& each : found_.streamed) WriteEnd(each);
    WriteMaps();
    SetStages(kernel_, std::move(written_));
    DropUnused(kernel_);
    return {std::move(kernel_), whole_};
  }

 private:
  // Of a block in which the mask leaves none of a row's columns nothing comes for that row.
  void FindCondition() {
    ExprId mask = MaskOf(kernel_, found_);
    if (!mask.valid()) return;
    Substitution place(kernel_, {{found_.column, at_}});
    ExprId any = Relax(kernel_, place(mask), {{found_.column, block_}});
    if (!build_.ConstantValue(any)) condition_ = any;
  }

  // Adds a stage with variables of its own. Columns are those of a block.
  void Add(Stage stage, bool in_block) {
    if (in_block) stage.condition = condition_;
    std::unordered_map<VarId, ExprId> values;
    for (StageLoop& loop : stage.loops) {
      if (loop.var == found_.column) loop.extent = block_;
      VarId own = kernel_.vars.Add({kernel_.vars[loop.var].name});
      values[loop.var] = build_.Var(own);
      loop.var = own;
    }
    Substitution rename(kernel_, std::move(values));
    RewriteRoots(stage, [&](ExprId id) { return rename(id); });
    if (in_block) stage.ordered = ordered_;
    written_.push_back(std::move(stage));
  }

  BufferId AddTemporary(const std::string& name, DType dtype, const Shape& shape) {
    return kernel_.buffers.Add({name, {dtype, shape}, Space::kTemporary});
  }

  // Values of a row's block are in one place for all that use them. What is relative to a maximum
  // takes the place of what the maximum is of, if each is one.
  void FindRowBuffers() {
    Shape shape = kernel_.buffers[found_.first].type.shape;
    shape[found_.dimension] = block_;
    std::set<ExprId> free, relative;
    for (const Streamed& each : found_.streamed)
      (each.relative_to ? relative : free).insert(each.in_row);
    for (ExprId value : free) {
      row_buffers_[value] =
          IsStored(value) ? found_.first : AddTemporary("row", build_.dtype(value), shape);
    }
    for (ExprId value : relative) {
      bool alone = free.size() == 1 && relative.size() == 1 &&
                   build_.dtype(value) == build_.dtype(*free.begin());
      row_buffers_[value] =
          alone ? row_buffers_[*free.begin()] : AddTemporary("row", build_.dtype(value), shape);
    }
  }

  // Whether it is what the first stage stores, with nothing past the last column.
  bool IsStored(ExprId id) const {
    auto* load = std::get_if<Load>(&kernel_.exprs[id].node);
    return load && load->buffer == found_.first && !inside_;
  }

  const Index& InRow() const { return found_.stages[0].place; }

  void WriteStart(const Streamed& each) {
    const Stage& stage = each.stage;
    const Buffer result = kernel_.buffers[stage.buffer()];
    bool own = result.space == Space::kTemporary && each.after.empty();
    running_[stage.buffer()] =
        own ? stage.buffer() : AddTemporary("sum", result.type.dtype, result.type.shape);
    Scalar start = Neutral(stage.update, result.type.dtype);
    // Infinity minus infinity is no number: where a block has nothing but that, nothing of it
    // counts.
    if (stage.update == Update::kMax && IsFloat(result.type.dtype))
      start = Lowest(result.type.dtype);
    ExprId value = build_.Constant(start);
    Add(MapStage(PlaceLoops(kernel_, stage), {RunningOf(each), stage.place, value}), false);
    if (stage.update != Update::kMax) return;
    old_[stage.buffer()] = AddTemporary("old", result.type.dtype, result.type.shape);
    scale_[stage.buffer()] = AddTemporary("scale", result.type.dtype, result.type.shape);
  }

  void WriteFirst() {
    Stage first = found_.stages[0];
    Part& part = first.parts[0];
    if (auto product = ProductOf(kernel_, first)) {
      part.term = build_.Mul(InBlock(product->left, 0), InBlock(product->right, 0));
    } else {
      part.term = InBlock(part.term, Neutral(first.update, DTypeOf(kernel_, first)).AsReal());
    }
    part.start = InBlock(part.start, 0);
    Add(first, true);
    std::set<ExprId> done;
    for (const Streamed& each : found_.streamed) {
      if (each.relative_to || IsStored(each.in_row) || !done.insert(each.in_row).second) continue;
      double nothing = Neutral(each.stage.update, DTypeOf(kernel_, each.stage)).AsReal();
      WriteRow(each, Guarded(OfBlock(each.in_row), nothing));
    }
  }

  void WriteRow(const Streamed& each, ExprId value) {
    std::vector<StageLoop> loops = PlaceLoops(kernel_, found_.stages[0]);
    Add(MapStage(std::move(loops), {row_buffers_.at(each.in_row), InRow(), value}), true);
  }

  void WriteReduction(const Streamed& each) {
    Stage stage = each.stage;
    const bool is_maximum = found_.IsMaximum(each);
    std::vector<StageLoop> rows = PlaceLoops(kernel_, stage);
    if (is_maximum) {
      ExprId before = build_.Load(RunningOf(each), stage.place);
      Add(MapStage(rows, {old_.at(stage.buffer()), stage.place, before}), true);
    }
    if (each.relative_to && relative_.insert(each.in_row).second) WriteRow(each, Relative(each));
    ExprId term = build_.Load(row_buffers_.at(each.in_row), InRow());
    if (each.other.valid()) term = build_.Mul(term, InBlock(each.other, 0));
    ExprId start = build_.Load(RunningOf(each), stage.place);
    if (each.relative_to) {
      start = build_.Mul(
          start, build_.Load(scale_.at(*each.relative_to), found_.MaximumOf(each).stage.place));
    }
    stage.parts[0] = {RunningOf(each), term, start};
    Add(stage, true);
    if (!is_maximum) return;
    ExprId difference = build_.Sub(build_.Load(old_.at(stage.buffer()), stage.place),
                                   build_.Load(RunningOf(each), stage.place));
    ExprId scale = build_.Apply(UnaryOp::kExp, difference);
    Add(MapStage(rows, {scale_.at(stage.buffer()), stage.place, scale}), true);
  }

  // The value of a row that is relative to a maximum, from what the maximum is of.
  ExprId Relative(const Streamed& each) {
    ExprRewriter rewrite(kernel_, [&](ExprId id, ExprId original) {
      auto known = row_buffers_.find(original);
      if (known == row_buffers_.end() || relative_.count(original)) return id;
      return build_.Load(known->second, InRow());
    });
    ExprId value = rewrite(each.in_row);
    // Past the last column it is exp(-inf).
    auto* exp = std::get_if<Unary>(&kernel_.exprs[value].node);
    auto* difference = exp ? std::get_if<Binary>(&kernel_.exprs[exp->a].node) : nullptr;
    bool ends = difference && std::holds_alternative<Load>(kernel_.exprs[difference->a].node);
    return ends ? value : Guarded(OfBlock(value), 0);
  }

  // The whole sum, as others see it.
  void WriteEnd(const Streamed& each) {
    const Stage& stage = each.stage;
    if (parts_ == 1 && RunningOf(each) == stage.buffer()) return;
    ExprId value = SumOfParts(each);
    for (const After& after : each.after) {
      ExprId by = ReadEnds(after.by);
      switch (after.kind) {
        case After::Kind::kMul: value = build_.Mul(value, by); break;
        case After::Kind::kDiv: value = build_.Div(value, by); break;
        case After::Kind::kSelect:
          value = build_.Select(by, value, build_.Real(build_.dtype(value), 0));
          break;
        case After::Kind::kNoWeights: {
          ExprId zero = build_.Real(build_.dtype(by), 0);
          ExprId none = build_.Or(build_.Apply(UnaryOp::kIsNan, by), build_.Equal(by, zero));
          value = build_.Select(none, build_.Real(build_.dtype(value), 0), value);
        }
      }
    }
    // Of no columns the sum is that of nothing, whatever would come after.
    if (LowerBound(found_.length).value_or(0) < 1)
      value = build_.Select(build_.Less(build_.Int(0), build_.Size(found_.length)), value,
                            build_.Constant(Neutral(stage.update, build_.dtype(value))));
    ends_[stage.buffer()] = {stage.place, value};
    bool is_result = kernel_.buffers[stage.buffer()].space == Space::kOut;
    if (is_result)
      Add(MapStage(PlaceLoops(kernel_, stage), {stage.buffer(), stage.place, value}), false);
  }

  ExprId SumOfParts(const Streamed& each) {
    if (parts_ == 1) return build_.Load(RunningOf(each), each.stage.place);
    std::optional<ExprId> whole;
    for (int64_t part = 0; part < parts_; ++part) {
      ExprId value = LoadPart(each, part);
      if (each.relative_to) {
        const Streamed& maximum = found_.MaximumOf(each);
        ExprId difference = build_.Sub(LoadPart(maximum, part), SumOfParts(maximum));
        value = build_.Mul(value, build_.Apply(UnaryOp::kExp, difference));
      }
      whole = whole ? Combine(kernel_, each.stage.update, *whole, value) : value;
    }
    return *whole;
  }

  ExprId LoadPart(const Streamed& each, int64_t part) {
    Index at = each.stage.place;
    at.insert(at.begin(), build_.Int(part));
    return build_.Load(RunningOf(each), at);
  }

  // Gives the stages so far a loop over parts, and what flows between them a dimension.
  void AddParts() {
    if (parts_ == 1) return;
    for (const Streamed& each : found_.streamed) {
      const TensorType type = kernel_.buffers[RunningOf(each)].type;
      BufferId part = AddTemporary("part", type.dtype, type.shape);
      ExprId value = build_.Load(RunningOf(each), each.stage.place);
      Add(MapStage(PlaceLoops(kernel_, each.stage), {part, each.stage.place, value}), false);
      running_[each.stage.buffer()] = part;
    }
    std::set<BufferId> flowing;
    for (int32_t b = 0; b < kernel_.buffers.size(); ++b) {
      Buffer& buffer = kernel_.buffers[BufferId{b}];
      if (buffer.space != Space::kTemporary) continue;
      buffer.type.shape.insert(buffer.type.shape.begin(), parts_);
      flowing.insert(BufferId{b});
    }
    for (Stage& stage : written_) {
      ExprId part = build_.Var(kernel_.vars.Add({"p"}));
      ExprRewriter rewrite(kernel_, [&](ExprId id, ExprId) {
        Expr expr = kernel_.exprs[id];
        if (auto* variable = std::get_if<Variable>(&expr.node))
          return variable->var == part_ ? part : id;
        auto* load = std::get_if<Load>(&expr.node);
        if (!load || !flowing.count(load->buffer)) return id;
        load->index.insert(load->index.begin(), part);
        return kernel_.exprs.Add(std::move(expr));
      });
      RewriteRoots(stage, rewrite);
      stage.place.insert(stage.place.begin(), part);
      stage.loops.insert(stage.loops.begin(), {*VariableOf(kernel_, part), parts_});
    }
  }

  void WriteMaps() {
    for (const Stage& stage : found_.stages) {
      if (IsReduction(stage)) continue;
      written_.push_back(stage);
      RewriteRoots(written_.back(), [&](ExprId id) { return ReadEnds(id); });
    }
  }

  // With what sums become in the place of their loads.
  ExprId ReadEnds(ExprId id) {
    ExprRewriter rewrite(kernel_, [&](ExprId rewritten, ExprId) {
      const Expr expr = kernel_.exprs[rewritten];
      auto* load = std::get_if<Load>(&expr.node);
      auto found = load ? ends_.find(load->buffer) : ends_.end();
      if (found == ends_.end()) return rewritten;
      std::unordered_map<VarId, ExprId> values;
      for (size_t d = 0; d < load->index.size(); ++d) {
        auto var = VariableOf(kernel_, found->second.place[d]);
        if (var) values[*var] = load->index[d];
      }
      return Substitution(kernel_, std::move(values))(found->second.value);
    });
    return rewrite(id);
  }

  // `value` of a column that there is, and `otherwise` past the last.
  ExprId Guarded(ExprId value, double otherwise) {
    if (!inside_) return value;
    return build_.Select(*inside_, value, build_.Real(build_.dtype(value), otherwise));
  }

  // What is said of a column as it is said of one of the block; guarded, if that is something.
  ExprId InBlock(ExprId id, double otherwise) {
    if (!id.valid()) return id;
    ExprId value = OfBlock(id);
    return value == id ? value : Guarded(value, otherwise);
  }

  ExprId OfBlock(ExprId id) {
    std::set<BufferId> of_block{found_.first};
    for (const auto& [value, buffer] : row_buffers_) of_block.insert(buffer);
    ExprRewriter rewrite(kernel_, [&](ExprId rewritten, ExprId original) {
      auto* load = std::get_if<Load>(&kernel_.exprs[original].node);
      if (load && of_block.count(load->buffer)) return original;
      auto* variable = std::get_if<Variable>(&kernel_.exprs[original].node);
      return variable && variable->var == found_.column ? at_ : rewritten;
    });
    return rewrite(id);
  }

  // What a reduction is summed in, block by block.
  BufferId RunningOf(const Streamed& each) const { return running_.at(each.stage.buffer()); }

  Kernel kernel_;
  const Streams& found_;
  Builder build_;
  const int64_t block_, parts_;
  // The number of the part, in what is said of all of them.
  const VarId part_;

  StageLoop ordered_;
  // The column in the whole row, and whether it is one.
  ExprId at_;
  std::optional<ExprId> inside_;
  // Without which a row has nothing of a block; invalid if that is not known.
  ExprId condition_;
  std::map<ExprId, BufferId> row_buffers_;
  std::set<ExprId> relative_;
  // By the reduction's result.
  std::map<BufferId, BufferId> running_;
  // Of each maximum: what it was before the block, and what sums so far are multiplied by.
  std::map<BufferId, BufferId> old_, scale_;
  // What results are when all blocks are summed, in terms of variables of their places.
  struct End {
    Index place;
    ExprId value;
  };
  std::map<BufferId, End> ends_;
  std::vector<Stage> written_;
  // How many of them there are before those that put parts together.
  size_t whole_ = 0;
};

}  // namespace

std::optional<Stream> StreamRows(const Kernel& plain, int64_t block, int64_t parts) {
  Kernel kernel = plain;
  auto found = FindStreams(kernel);
  if (!found) return std::nullopt;
  return StreamWriter(std::move(kernel), *found, block, parts).Run();
}

}  // namespace webnnc::loop
