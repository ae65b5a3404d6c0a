#include "loop/passes/vectorize.h"

#include <set>

#include "base/overloaded.h"
#include "loop/builder.h"
#include "loop/passes/simplify.h"
#include "loop/rewrite.h"

namespace webnnc::loop {

namespace {

// Turns the body of one vector loop into vectors.
class LaneVectorizer {
 public:
  LaneVectorizer(Kernel& kernel, Simplifier& simplify, const For& loop)
      : kernel_(kernel),
        build_(kernel),
        simplify_(simplify),
        var_(loop.var),
        lanes_(static_cast<int32_t>(loop.extent.value())) {}

  Block Run(const Block& block) {
    Block out;
    for (const Stmt& stmt : block) {
      if (auto* loop = std::get_if<For>(&stmt)) {
        simplify_.Bind(loop->var, loop->extent);
        out.push_back(For{loop->var, loop->extent, loop->kind, Run(loop->body)});
      } else if (auto* store = std::get_if<Store>(&stmt)) {
        RunStore(*store, out);
      } else if (auto* test = std::get_if<If>(&stmt)) {
        RunIf(*test, out);
      } else {
        // Lets are made by later passes, and no barrier is inside a vector loop.
        CHECK(false);
      }
    }
    return out;
  }

 private:
  bool Varies(ExprId id) {
    auto found = varies_.find(id);
    if (found != varies_.end()) return found->second;
    auto* variable = std::get_if<Variable>(&kernel_.exprs[id].node);
    bool varies = variable && variable->var == var_;
    for (ExprId operand : Operands(kernel_.exprs[id])) varies |= Varies(operand);
    varies_[id] = varies;
    return varies;
  }

  // Notes the loads that are made wherever `id` is computed.
  void NoteLoads(ExprId id, std::set<ExprId>& loads) const {
    const Expr& expr = kernel_.exprs[id];
    if (std::holds_alternative<Load>(expr.node)) loads.insert(id);
    if (auto* select = std::get_if<Select>(&expr.node)) return NoteLoads(select->condition, loads);
    for (ExprId operand : Operands(expr)) NoteLoads(operand, loads);
  }

  // Whether `id` has no loads but these, and such as may be made wherever the loop runs.
  bool LoadsOnly(ExprId id, const std::set<ExprId>& loads) {
    bool only = true;
    ForEachExpr(kernel_, id, [&](ExprId e) {
      auto* load = std::get_if<Load>(&kernel_.exprs[e].node);
      only &= !load || loads.count(e) > 0 || IsWithin(*load);
    });
    return only;
  }

  // Whether this is an element of what the kernel is given, in each iteration and lane.
  bool IsWithin(const Load& load) {
    const Buffer& buffer = kernel_.buffers[load.buffer];
    if (buffer.space != Space::kIn || HasLoads(load.index[0])) return false;
    Polynomial place = simplify_.ToPolynomial(load.index[0]);
    Polynomial last = simplify_.ToPolynomial(build_.Size(ElementCount(buffer.type.shape) - 1));
    return simplify_.ProvablyNonNegative(place) && simplify_.ProvablyNonNegative(last - place);
  }

  bool HasLoads(ExprId id) const {
    bool has = false;
    ForEachExpr(kernel_, id,
                [&](ExprId e) { has |= std::holds_alternative<Load>(kernel_.exprs[e].node); });
    return has;
  }

  // `id` with the lane's number put in.
  ExprId AtLane(ExprId id, int64_t lane) {
    Substitution put(kernel_, {{var_, build_.Int(lane)}});
    return simplify_(put(id));
  }

  // How far the index moves from one lane to the next, if that is the same everywhere.
  std::optional<int64_t> Stride(ExprId index) {
    Polynomial p = simplify_.ToPolynomial(index);
    int64_t stride = 0;
    for (const auto& [monomial, coefficient] : p.terms) {
      bool varies = false;
      for (ExprId factor : monomial) varies |= Varies(factor);
      if (!varies) continue;
      auto* variable = std::get_if<Variable>(&kernel_.exprs[monomial[0]].node);
      if (monomial.size() != 1 || !variable) return std::nullopt;
      stride = coefficient;
    }
    return stride;
  }

  ExprId PackLanes(ExprId id) {
    std::vector<ExprId> lanes;
    for (int64_t lane = 0; lane < lanes_; ++lane) lanes.push_back(AtLane(id, lane));
    for (ExprId lane : lanes) {
      if (lane != lanes[0]) return build_.Pack(std::move(lanes));
    }
    return build_.Splat(lanes[0], lanes_);
  }

  // The vector of `id`'s values in all lanes.
  ExprId Vector(ExprId id) {
    auto found = done_.find(id);
    if (found != done_.end()) return found->second;
    ExprId result = Varies(id) ? VectorOf(id) : build_.Splat(id, lanes_);
    done_[id] = result;
    return result;
  }

  ExprId VectorOf(ExprId id) {
    Expr expr = kernel_.exprs[id];
    expr.lanes = lanes_;
    return std::visit(
        Overloaded{
            [&](const Variable&) {
              return kernel_.exprs.Add({Ramp{build_.Int(0)}, DType::kI32, lanes_});
            },
            [&](const Load& load) {
              auto stride = Stride(load.index.back());
              if (stride != 1) return PackLanes(id);
              Index index = load.index;
              index.back() = AtLane(index.back(), 0);
              return kernel_.exprs.Add({Load{load.buffer, index}, expr.dtype, lanes_});
            },
            [&](const Select& select) {
              if (!Varies(select.condition)) {
                return kernel_.exprs.Add(
                    {Select{select.condition, Vector(select.yes), Vector(select.no)}, expr.dtype,
                     lanes_});
              }
              // A condition may guard a load, which must then stay behind it, lane by lane; but not
              // one that it makes itself, or that is within its buffer whatever the condition says.
              std::set<ExprId> made;
              NoteLoads(select.condition, made);
              if (!LoadsOnly(select.yes, made) || !LoadsOnly(select.no, made)) return PackLanes(id);
              return kernel_.exprs.Add(
                  {Select{Vector(select.condition), Vector(select.yes), Vector(select.no)},
                   expr.dtype, lanes_});
            },
            [&](const auto&) {
              std::vector<ExprId> operands = Operands(expr);
              for (ExprId& operand : operands) operand = Vector(operand);
              return kernel_.exprs.Add(WithOperands(expr, operands));
            },
        },
        expr.node);
  }

  void RunStore(const Store& store, Block& out) {
    auto stride = Stride(store.index.back());
    bool row_varies = store.index.size() > 1 && Varies(store.index[0]);
    if (stride == 1 && !row_varies) {
      Index index = store.index;
      index.back() = AtLane(index.back(), 0);
      out.push_back(Store{store.buffer, std::move(index), Vector(store.value), store.update});
      return;
    }
    if (store.update == Update::kSet && IsComputed(store.value)) {
      ScatterLanes(store, out);
    } else {
      LaneByLane({store}, out);
    }
  }

  // Whether there is work in `id` that is better done on vectors.
  bool IsComputed(ExprId id) const {
    const Expr& expr = kernel_.exprs[id];
    return std::holds_alternative<Unary>(expr.node) || std::holds_alternative<Binary>(expr.node);
  }

  // Lanes that are not stored side by side go through registers.
  void ScatterLanes(const Store& store, Block& out) {
    DType dtype = kernel_.exprs[store.value].dtype;
    BufferId lanes = kernel_.buffers.Add({"lanes", {dtype, {lanes_}}, Space::kRegister});
    out.push_back(Store{lanes, {build_.Int(0)}, Vector(store.value)});
    for (int64_t lane = 0; lane < lanes_; ++lane) {
      Index index;
      for (ExprId i : store.index) index.push_back(AtLane(i, lane));
      out.push_back(Store{store.buffer, std::move(index), build_.Load(lanes, {build_.Int(lane)})});
    }
  }

  void LaneByLane(const Block& block, Block& out) {
    for (int64_t lane = 0; lane < lanes_; ++lane) {
      Block copy = CloneBlock(kernel_, block, {{var_, build_.Int(lane)}});
      RewriteExprs(copy, [&](ExprId id) { return simplify_(id); });
      for (Stmt& stmt : copy) out.push_back(std::move(stmt));
    }
  }

  void RunIf(const If& test, Block& out) {
    ExprId condition = simplify_(test.condition);
    if (!Varies(condition)) {
      out.push_back(If{condition, Run(test.body)});
      return;
    }
    ExprId all = build_.Constant(Scalar::Bool(true));
    for (int64_t lane = 0; lane < lanes_; ++lane) all = build_.And(all, AtLane(condition, lane));
    // i < n in the last lane says it for all: conditions that only grow stricter need one test.
    ExprId last = AtLane(condition, lanes_ - 1);
    if (IsMonotone(condition)) all = last;
    out.push_back(If{all, Run(test.body)});
    Block rest;
    LaneByLane({test}, rest);
    out.push_back(If{build_.Not(all), std::move(rest)});
  }

  // Whether `condition` is a < b with b - a falling from lane to lane.
  bool IsMonotone(ExprId condition) {
    auto* binary = std::get_if<Binary>(&kernel_.exprs[condition].node);
    if (!binary || binary->op != BinaryOp::kLess) return false;
    Binary copy = *binary;
    auto rise = Stride(copy.a), fall = Stride(copy.b);
    return rise && fall && *rise >= 0 && *fall <= 0;
  }

  Kernel& kernel_;
  Builder build_;
  Simplifier& simplify_;
  VarId var_;
  int32_t lanes_;
  std::unordered_map<ExprId, ExprId> done_;
  std::unordered_map<ExprId, bool> varies_;
};

class Vectorizer {
 public:
  explicit Vectorizer(Kernel& kernel) : kernel_(kernel), simplify_(kernel) {}

  void Run(Block& block) {
    Block out;
    for (Stmt& stmt : block) {
      auto* loop = std::get_if<For>(&stmt);
      if (auto* test = std::get_if<If>(&stmt)) Run(test->body);
      if (loop) simplify_.Bind(loop->var, loop->extent);
      if (loop && loop->kind == LoopKind::kVector) {
        Block vectors = LaneVectorizer(kernel_, simplify_, *loop).Run(loop->body);
        for (Stmt& inner : vectors) out.push_back(std::move(inner));
        continue;
      }
      if (loop) Run(loop->body);
      out.push_back(std::move(stmt));
    }
    block = std::move(out);
  }

 private:
  Kernel& kernel_;
  Simplifier simplify_;
};

}  // namespace

void Vectorize(Kernel& kernel) { Vectorizer(kernel).Run(kernel.body); }

}  // namespace webnnc::loop
