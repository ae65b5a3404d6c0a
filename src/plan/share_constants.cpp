#include "plan/share_constants.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <optional>

#include "loop/builder.h"
#include "loop/parameters.h"
#include "plan/merge_kernels.h"
#include "target/machine.h"

namespace webnnc::plan {

namespace {

using loop::BinaryOp;
using loop::ExprId;

// Kernels with more numbers than this stay: they are tables.
constexpr size_t kMostNumbers = 16;

// A number at one place of a kernel.
struct Number {
  Scalar value;
  bool is_bound = false;
};

// What stands at the place of a number; none leaves it.
using Replace = std::function<ExprId(loop::Builder& build, size_t place)>;

// Walks through the numbers of a kernel that may be replaced, in an order that kernels which differ
// in them alone have in common.
class Numbers {
 public:
  Numbers(loop::Kernel& kernel, Replace replace)
      : kernel_(kernel), build_(kernel), replace_(std::move(replace)) {}

  std::vector<Number> Run() {
    Run(kernel_.body);
    return std::move(numbers_);
  }

 private:
  void Run(loop::Block& block) {
    for (loop::Stmt& stmt : block) {
      if (auto* loop = std::get_if<loop::For>(&stmt)) {
        Run(loop->body);
      } else if (auto* test = std::get_if<loop::If>(&stmt)) {
        Run(test->body);
      } else if (auto* store = std::get_if<loop::Store>(&stmt)) {
        in_sum_ = false;
        store->value = At(store->value);
      } else if (auto* reduce = std::get_if<loop::Reduce>(&stmt)) {
        in_sum_ = true;
        for (loop::Part& part : reduce->parts) part.term = At(part.term);
      }
    }
  }

  // Places are those of the tree, in which what is used twice stands twice.
  ExprId At(ExprId id) {
    if (numbers_.size() > kMostNumbers) return id;
    const loop::Expr expr = kernel_.exprs[id];
    bool descends = std::holds_alternative<loop::Unary>(expr.node) ||
                    std::holds_alternative<loop::Binary>(expr.node) ||
                    std::holds_alternative<loop::Select>(expr.node) ||
                    std::holds_alternative<loop::Convert>(expr.node);
    if (!descends || !HasConstants(id)) return id;
    std::vector<ExprId> operands = loop::Operands(expr);
    for (size_t i = 0; i < operands.size(); ++i) {
      bool decides = std::holds_alternative<loop::Select>(expr.node) && i == 0;
      if (decides) continue;
      const Scalar* value = build_.ConstantValue(operands[i]);
      if (!value) {
        operands[i] = At(operands[i]);
      } else if (auto* binary = std::get_if<loop::Binary>(&expr.node);
                 binary && MayReplace(binary->op, *value)) {
        numbers_.push_back({*value, binary->op == BinaryOp::kMin || binary->op == BinaryOp::kMax});
        ExprId by = replace_(build_, numbers_.size() - 1);
        if (by.valid()) operands[i] = by;
      }
    }
    return kernel_.exprs.Add(loop::WithOperands(expr, operands));
  }

  // Shaders see which constants follow each other in sums, and which divide.
  bool MayReplace(BinaryOp op, const Scalar& value) const {
    if (value.dtype == DType::kF32) {
      bool used = op == BinaryOp::kMul || op == BinaryOp::kMin || op == BinaryOp::kMax;
      // Tables are compared as numbers, of which -0 equals 0.
      bool is_told = std::isfinite(value.real) && (value.real != 0 || !std::signbit(value.real));
      return used && !in_sum_ && is_told;
    }
    return (op == BinaryOp::kAdd || op == BinaryOp::kSub) && IsInteger(value.dtype) &&
           ByteSize(value.dtype) <= 2;
  }

  bool HasConstants(ExprId id) {
    auto found = has_constants_.find(id);
    if (found != has_constants_.end()) return found->second;
    bool has = std::holds_alternative<loop::Constant>(kernel_.exprs[id].node);
    for (ExprId operand : loop::Operands(kernel_.exprs[id])) has |= HasConstants(operand);
    return has_constants_[id] = has;
  }

  loop::Kernel& kernel_;
  loop::Builder build_;
  Replace replace_;
  std::vector<Number> numbers_;
  std::map<ExprId, bool> has_constants_;
  bool in_sum_ = false;
};

// A kernel and its numbers.
struct Member {
  KernelId kernel;
  std::vector<Number> numbers;
};

class Sharing {
 public:
  Sharing(Program& program, IdVector<WeightTag, Weight>& weights)
      : program_(program), weights_(weights) {}

  void Run() {
    std::map<std::string, std::vector<Member>> groups;
    std::map<KernelId, bool> seen;
    for (Launch* launch : LaunchesOf(program_)) {
      if (launch->place != Place::kDevice) continue;
      launches_[launch->kernel].push_back(launch);
      if (seen.emplace(launch->kernel, true).second) Add(*launch, groups);
    }
    for (const auto& [key, members] : groups) {
      if (members.size() > 1) Share(members);
    }
  }

 private:
  // Numbers have their place for a name, so that kernels which differ in them alone are the same.
  void Add(const Launch& launch, std::map<std::string, std::vector<Member>>& groups) {
    loop::Kernel kernel = program_.kernels[launch.kernel].plain;
    auto parameters = static_cast<int64_t>(loop::ParametersOf(kernel).size());
    if (parameters >= program_.target.machine->max_buffers) return;
    loop::BufferId table = kernel.buffers.Add({"table", {DType::kF32, {kMostNumbers}}});
    auto number = [&](loop::Builder& build, size_t place) {
      return build.Load(table, {build.Int(static_cast<int64_t>(place))});
    };
    std::vector<Number> numbers = Numbers(kernel, number).Run();
    if (numbers.empty() || numbers.size() > kMostNumbers) return;
    groups[KeyOf(program_, launch, std::move(kernel))].push_back({launch.kernel, numbers});
  }

  // Elements of the table by the numbers of all kernels at a place: none where they are equal.
  struct Columns {
    std::map<std::vector<double>, int64_t> elements;
    std::vector<std::optional<int64_t>> of_place;
    std::vector<bool> whole;
  };

  static Columns ColumnsOf(const std::vector<Member>& members) {
    constexpr double kMostWhole = 32767;
    Columns columns;
    for (size_t place = 0; place < members[0].numbers.size(); ++place) {
      std::vector<double> column;
      bool whole = members[0].numbers[place].is_bound;
      for (const Member& member : members) {
        double value = member.numbers[place].value.AsReal();
        column.push_back(value);
        whole &= value == std::nearbyint(value) && std::fabs(value) <= kMostWhole;
      }
      columns.whole.push_back(whole);
      bool equal = std::all_of(members.begin(), members.end(), [&](const Member& member) {
        return member.numbers[place].value == members[0].numbers[place].value;
      });
      columns.of_place.push_back(std::nullopt);
      if (equal) continue;
      auto next = static_cast<int64_t>(columns.elements.size());
      columns.of_place.back() = columns.elements.emplace(std::move(column), next).first->second;
    }
    return columns;
  }

  void Share(const std::vector<Member>& members) {
    const Columns columns = ColumnsOf(members);
    if (columns.elements.empty()) return;
    const auto size = static_cast<int64_t>(columns.elements.size());
    for (size_t m = 0; m < members.size(); ++m) {
      loop::Kernel& kernel = program_.kernels[members[m].kernel].plain;
      loop::BufferId table = kernel.buffers.Add({"table", {DType::kF32, {size}}});
      Numbers(kernel, [&](loop::Builder& build, size_t place) {
        auto element = columns.of_place[place];
        if (!element) return ExprId();
        ExprId loaded = build.Load(table, {build.Int(*element)});
        const DType dtype = members[m].numbers[place].value.dtype;
        // Says that it is whole, for what rounds to integers (wasm/rounding.h).
        if (columns.whole[place] && !program_.target.IsGpu())
          loaded = build.Convert(loaded, DType::kI16);
        return build.Convert(loaded, dtype);
      }).Run();
      std::vector<float> values(columns.elements.size());
      for (const auto& [column, element] : columns.elements)
        values[static_cast<size_t>(element)] = static_cast<float>(column[m]);
      BufferId argument = BufferOf(values);
      for (Launch* launch : launches_[members[m].kernel]) {
        launch->arguments.push_back(argument);
        if (!launch->begins.empty()) launch->begins.push_back(0);
      }
    }
  }

  BufferId BufferOf(const std::vector<float>& values) {
    std::vector<uint8_t> bytes(values.size() * sizeof(float));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    Weight weight{.name = "constants",
                  .type = {DType::kF32, {static_cast<int64_t>(values.size())}},
                  .data = TensorData::Own(std::move(bytes))};
    WeightId id;
    for (int32_t w = 0; w < weights_.size() && !id.valid(); ++w) {
      const Weight& known = weights_[WeightId{w}];
      if (known.type == weight.type && known.data == weight.data) id = WeightId{w};
    }
    if (!id.valid()) {
      if (++tables_ > 1) weight.name += "_" + std::to_string(tables_);
      id = weights_.Add(std::move(weight));
    }
    return WeightBuffer(program_, weights_, id);
  }

  Program& program_;
  IdVector<WeightTag, Weight>& weights_;
  std::map<KernelId, std::vector<Launch*>> launches_;
  int tables_ = 0;
};

}  // namespace

void ShareConstants(Program& program, IdVector<WeightTag, Weight>& weights) {
  NameParameters(program);
  Sharing(program, weights).Run();
}

}  // namespace webnnc::plan
