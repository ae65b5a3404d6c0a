#include "plan/device_sizes.h"

#include <algorithm>
#include <map>
#include <set>

#include "loop/builder.h"
#include "loop/sizes.h"
#include "webnnc/abi.h"

namespace webnnc::plan {

namespace {

// More than this is not reserved for one buffer, in bytes: it may be that all but a little of it is
// never used.
constexpr double kMostReserved = 64 << 20;

using Symbols = std::set<std::string>;

Symbols SymbolsIn(const Dim& dim) {
  Symbols symbols;
  dim.CollectSymbols(symbols);
  return symbols;
}

Symbols Common(const Symbols& a, const Symbols& b) {
  Symbols common;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(),
                        std::inserter(common, common.end()));
  return common;
}

// Whether a size is never less when one of the symbols is more, as far as this can be seen, and
// grows with their product nowhere.
bool GrowsWith(const Dim& dim, const Symbols& symbols);

bool GrowsWith(const DimAtom& atom, const Symbols& symbols) {
  if (atom.kind == DimAtom::Kind::kSymbol) return true;
  const auto& [a, b] = *atom.arguments;
  switch (atom.kind) {
    case DimAtom::Kind::kMin:
    case DimAtom::Kind::kMax: return GrowsWith(a, symbols) && GrowsWith(b, symbols);
    case DimAtom::Kind::kFloorDiv: return b.IsConstant() && b.value() > 0 && GrowsWith(a, symbols);
    default: return false;
  }
}

bool Mentions(const DimAtom& atom, const Symbols& symbols) {
  if (atom.kind == DimAtom::Kind::kSymbol) return symbols.count(atom.symbol) > 0;
  return !Common(SymbolsIn(atom.arguments->first), symbols).empty() ||
         !Common(SymbolsIn(atom.arguments->second), symbols).empty();
}

bool GrowsWith(const Dim& dim, const Symbols& symbols) {
  return std::all_of(dim.terms().begin(), dim.terms().end(), [&](const DimTerm& term) {
    int mentioning = 0;
    for (const DimAtom& atom : term.factors) {
      if (!Mentions(atom, symbols)) continue;
      if (term.coefficient < 0 || !GrowsWith(atom, symbols)) return false;
      ++mentioning;
    }
    return mentioning <= 1;
  });
}

// A size as an expression of a kernel, which loads some symbols.
class SizeExpression {
 public:
  SizeExpression(loop::Builder& build, const std::map<std::string, loop::ExprId>& loaded)
      : build_(build), loaded_(loaded) {
    for (const auto& [symbol, value] : loaded) symbols_.insert(symbol);
  }

  loop::ExprId Of(const Dim& dim) {
    if (Common(SymbolsIn(dim), symbols_).empty()) return build_.Size(dim);
    loop::ExprId sum = build_.Int(dim.constant());
    for (const DimTerm& term : dim.terms()) {
      loop::ExprId product = build_.Int(term.coefficient);
      for (const DimAtom& atom : term.factors) product = build_.Mul(product, Of(atom));
      sum = build_.Add(sum, product);
    }
    return sum;
  }

 private:
  loop::ExprId Of(const DimAtom& atom) {
    if (atom.kind == DimAtom::Kind::kSymbol) {
      auto found = loaded_.find(atom.symbol);
      return found == loaded_.end() ? build_.Size(Dim::Symbol(atom.symbol)) : found->second;
    }
    loop::ExprId a = Of(atom.arguments->first), b = Of(atom.arguments->second);
    switch (atom.kind) {
      case DimAtom::Kind::kFloorDiv: return build_.FloorDiv(a, b);
      case DimAtom::Kind::kMod: return build_.FloorMod(a, b);
      case DimAtom::Kind::kMin: return build_.Min(a, b);
      case DimAtom::Kind::kMax: return build_.Max(a, b);
      // The larger of the two, but 0 where they are 0 and 1.
      default: return build_.Min(build_.Mul(a, b), build_.Max(a, b));
    }
  }

  loop::Builder& build_;
  const std::map<std::string, loop::ExprId>& loaded_;
  Symbols symbols_;
};

int64_t RoundUp(int64_t bytes) {
  return (bytes + abi::kBindingAlignment - 1) / abi::kBindingAlignment * abi::kBindingAlignment;
}

class SizeKeeper {
 public:
  SizeKeeper(Variant& gpu, const std::vector<Dim>& not_negative, const LikelySizes& sizes,
             const EmitShader& emit)
      : gpu_(gpu), program_(gpu.program), not_negative_(not_negative), sizes_(sizes), emit_(emit) {}

  Status Run() {
    FindCandidates();
    while (DropUnfit()) {
    }
    if (kept_.empty()) return kSuccess;
    for (const std::string& symbol : kept_) places_.emplace(symbol, places_.size());
    FindPlans();
    TRY(FindParts());
    AddBuffers();
    RewriteSteps();
    ReadOutputSizes();
    for (auto k = static_cast<int32_t>(gpu_.shaders.size()); k < program_.kernels.size(); ++k) {
      TRY_ASSIGN(auto shader, emit_(program_, KernelId{k}));
      gpu_.shaders.push_back(std::move(shader));
    }
    return kSuccess;
  }

 private:
  // ---- Which symbols

  // Symbols that are an element of what is read back, for nothing but such symbols.
  void FindCandidates() {
    std::map<BufferId, size_t> uses;
    for (const Step& step : program_.steps) {
      for (BufferId id : BuffersOf(step)) ++uses[id];
      auto* transfer = std::get_if<Transfer>(&step);
      bool is_read_back = transfer && program_.buffers[transfer->to].place == Place::kHost;
      if (is_read_back) read_from_[transfer->to] = transfer->from;
      auto* define = std::get_if<Define>(&step);
      if (!define || !define->most) continue;
      together_[define->buffer].push_back(define->symbol);
      most_[define->symbol] = *define->most;
    }
    for (const Port& port : program_.outputs) ++uses[port.buffer];
    for (const auto& [buffer, symbols] : together_) {
      if (read_from_.count(buffer) && uses[buffer] == symbols.size() + 1)
        kept_.insert(symbols.begin(), symbols.end());
    }
  }

  bool IsKept(const Define& define) const { return kept_.count(define.symbol) > 0; }

  // Forgets the symbols that a size has which must be known on the host, or be at most what it is
  // for the most that they can be.
  bool Drop(const Dim& dim, bool is_known_on_host) {
    Symbols mentioned = Common(SymbolsIn(dim), kept_);
    bool fits = mentioned.empty() || (!is_known_on_host && GrowsWith(dim, kept_));
    if (fits) return false;
    for (const std::string& symbol : mentioned) kept_.erase(symbol);
    return true;
  }

  bool DropUnfit() {
    bool dropped = false;
    // Also what says that the most is one: it may be a promise that data must keep.
    for (const Dim& size : not_negative_) dropped |= Drop(size, true);
    for (const Buffer& buffer : program_.buffers) {
      bool needs_host =
          buffer.place == Place::kHost || buffer.grows || buffer.kind == BufferKind::kState;
      dropped |= Drop(buffer.elements, needs_host || IsTooLarge(buffer));
    }
    for (const Shader& shader : gpu_.shaders) {
      for (const Dim* count : {&shader.grid.x, &shader.grid.y, &shader.grid.z})
        dropped |= Drop(*count, false);
    }
    for (const Step& step : program_.steps) {
      if (auto* launch = std::get_if<Launch>(&step); launch && launch->place == Place::kHost) {
        for (const Dim& size : loop::SizesOf(program_.host_kernels[launch->kernel].flat))
          dropped |= Drop(size, true);
        for (const Dim& begin : launch->begins) dropped |= Drop(begin, true);
      }
      if (auto* assign = std::get_if<Assign>(&step)) {
        for (const auto& [symbol, size] : assign->sizes) {
          dropped |= Drop(Dim::Symbol(symbol), true);
          dropped |= Drop(size, true);
        }
      }
      if (auto* stack = std::get_if<Stack>(&step)) dropped |= Drop(stack->elements, true);
      auto* plan = std::get_if<Plan>(&step);
      auto* loop = std::get_if<Loop>(&step);
      if (loop && loop->plan) plan = &*loop->plan;
      for (size_t i = 0; plan && i < plan->not_negative.size(); ++i)
        dropped |= Drop(plan->not_negative[i], true);
      auto* define = std::get_if<Define>(&step);
      if (define && IsKept(*define)) dropped |= Drop(*define->most, false);
    }
    // What is read back is read back for all of the symbols that are elements of it, or for none.
    for (const auto& [buffer, symbols] : together_) {
      auto is_kept = [&](const std::string& symbol) { return kept_.count(symbol) > 0; };
      if (std::all_of(symbols.begin(), symbols.end(), is_kept)) continue;
      for (const std::string& symbol : symbols) dropped |= kept_.erase(symbol) > 0;
    }
    return dropped;
  }

  bool IsTooLarge(const Buffer& buffer) const {
    Dim bytes = ByteSize(program_, buffer);
    SymbolValues values;
    for (const std::string& symbol : Common(SymbolsIn(bytes), kept_))
      values[symbol] = static_cast<int64_t>(Most(Dim::Symbol(symbol)));
    return !values.empty() && sizes_.Typical(bytes.Substitute(values)) > kMostReserved;
  }

  // The most of a size, for sizes as they are likely to be.
  double Most(const Dim& dim) const {
    SymbolValues values;
    for (const std::string& symbol : Common(SymbolsIn(dim), kept_))
      values[symbol] = static_cast<int64_t>(Most(most_.at(symbol)));
    return std::min(sizes_.Typical(dim.Substitute(values)), 0x1p31);
  }

  // ---- Where they are

  void FindPlans() {
    auto add = [&](const Plan& plan) {
      for (const std::string& symbol : plan.symbols) plans_[symbol] = plan.number;
    };
    for (const Step& step : program_.steps) {
      if (auto* plan = std::get_if<Plan>(&step)) add(*plan);
      auto* loop = std::get_if<Loop>(&step);
      if (loop && loop->plan) add(*loop->plan);
    }
  }

  // The plan from which on a size is known.
  int PlanOf(const Dim& dim) const {
    int last = 0;
    for (const std::string& symbol : SymbolsIn(dim)) {
      auto found = plans_.find(symbol);
      if (found != plans_.end()) last = std::max(last, found->second);
    }
    return last;
  }

  static std::vector<Dim> SizesOf(const Grid& grid) {
    std::vector<Dim> sizes = grid.sizes;
    for (const Dim* count : {&grid.x, &grid.y, &grid.z}) sizes.push_back(*count);
    return sizes;
  }

  // Gives each shader that must be told on the device its part of the buffer.
  Status FindParts() {
    for (size_t k = 0; k < gpu_.shaders.size(); ++k) {
      Shader& shader = gpu_.shaders[k];
      auto mentions_kept = [&](const Dim& size) { return !Common(SymbolsIn(size), kept_).empty(); };
      auto all = SizesOf(shader.grid);
      if (std::none_of(all.begin(), all.end(), mentions_kept)) continue;
      if (!shader.grid.may_be_more) {
        TRY_ASSIGN(shader, emit_(program_, KernelId{static_cast<int32_t>(k)}));
        all = SizesOf(shader.grid);
      }
      int plan = 0;
      for (const Dim& size : all) plan = std::max(plan, PlanOf(size));
      shader.told_at = told_bytes_;
      told_bytes_ +=
          RoundUp(shader.grid.uniform_bytes() + 3 * static_cast<int64_t>(sizeof(int32_t)));
      told_by_[plan].push_back(k);
    }
    return kSuccess;
  }

  void AddBuffers() {
    known_ = program_.buffers.Add({"known", DType::kI32, static_cast<int64_t>(places_.size())});
    told_ = program_.buffers.Add({"told", DType::kI32,
                                  told_bytes_ / static_cast<int64_t>(sizeof(int32_t)),
                                  BufferKind::kTold});
  }

  // ---- Steps

  void RewriteSteps() {
    std::vector<Step> before = std::move(program_.steps);
    program_.steps.clear();
    for (size_t s = 0; s < before.size(); ++s) {
      const Step& step = before[s];
      auto* transfer = std::get_if<Transfer>(&step);
      if (transfer && IsForKept(*transfer)) continue;
      if (auto* define = std::get_if<Define>(&step); define && IsKept(*define)) {
        AddBounds(before, s);
        while (s + 1 < before.size() && FollowsIn(before[s + 1], define->buffer)) ++s;
        continue;
      }
      program_.steps.push_back(step);
      if (auto* plan = std::get_if<Plan>(&step)) AddTelling(plan->number);
      auto* loop = std::get_if<Loop>(&step);
      if (loop && loop->plan) AddTelling(loop->plan->number);
    }
  }

  bool IsForKept(const Transfer& transfer) const {
    auto found = together_.find(transfer.to);
    return found != together_.end() && kept_.count(found->second[0]) > 0;
  }

  static bool FollowsIn(const Step& step, BufferId buffer) {
    auto* define = std::get_if<Define>(&step);
    return define && define->buffer == buffer;
  }

  // The symbols that are elements of one buffer: defined one behind the other from step `first` on.
  void AddBounds(const std::vector<Step>& steps, size_t first) {
    const BufferId buffer = std::get<Define>(steps[first]).buffer;
    const BufferId counted = read_from_.at(buffer);
    loop::Kernel kernel;
    kernel.name = "known." + std::to_string(++kernels_added_);
    const Dim& elements = program_.buffers[counted].elements;
    auto in = kernel.buffers.Add({"x0", {DType::kI32, {elements}}, loop::Space::kIn});
    auto out = AddKnown(kernel, loop::Space::kOut);
    loop::Builder build(kernel);
    for (size_t s = first; s < steps.size() && FollowsIn(steps[s], buffer); ++s) {
      const auto& define = std::get<Define>(steps[s]);
      auto place = static_cast<int64_t>(places_.at(define.symbol));
      build.Store(out, {build.Int(place)}, build.Load(in, {build.Int(define.element)}));
      program_.steps.push_back(
          Bound{define.symbol, counted, define.element, {{{define.symbol, *define.most}}}});
    }
    AddLaunch(std::move(kernel), {counted, known_});
  }

  loop::BufferId AddKnown(loop::Kernel& kernel, loop::Space space) const {
    return kernel.buffers.Add({space == loop::Space::kIn ? "x0" : "y0",
                               {DType::kI32, {static_cast<int64_t>(places_.size())}},
                               space});
  }

  // Computes what shaders are told whose sizes are known from a plan on.
  void AddTelling(int plan) {
    auto found = told_by_.find(plan);
    if (found == told_by_.end()) return;
    loop::Kernel kernel;
    kernel.name = "told." + std::to_string(++kernels_added_);
    auto known = AddKnown(kernel, loop::Space::kIn);
    auto told = kernel.buffers.Add(
        {"y0", {DType::kI32, {program_.buffers[told_].elements}}, loop::Space::kOut});
    loop::Builder build(kernel);
    std::map<std::string, loop::ExprId> loaded;
    for (const auto& [symbol, place] : places_)
      loaded[symbol] = build.Load(known, {build.Int(static_cast<int64_t>(place))});
    SizeExpression expression(build, loaded);
    constexpr auto kWord = static_cast<int64_t>(sizeof(int32_t));
    for (size_t k : found->second) {
      const Shader& shader = gpu_.shaders[k];
      const Grid& grid = shader.grid;
      auto store = [&](int64_t at, const Dim& size) {
        build.Store(told, {build.Int(at / kWord)}, expression.Of(size));
      };
      for (size_t i = 0; i < grid.sizes.size(); ++i)
        store(shader.told_at + static_cast<int64_t>(i) * kWord, grid.sizes[i]);
      int64_t counts = shader.told_at + grid.uniform_bytes();
      for (const Dim* count : {&grid.x, &grid.y, &grid.z}) {
        store(counts, *count);
        counts += kWord;
      }
    }
    AddLaunch(std::move(kernel), {known_, told_});
  }

  void AddLaunch(loop::Kernel kernel, std::vector<BufferId> arguments) {
    KernelId id = program_.kernels.Add({kernel, {}, kernel});
    program_.steps.push_back(Launch{id, std::move(arguments), {}});
  }

  // What callers are told: when all is computed, sizes of outputs are what they are.
  void ReadOutputSizes() {
    Symbols symbols;
    std::set<int> plans;
    for (const Port& port : program_.outputs) {
      for (const Dim& size : port.type.shape) {
        Symbols own = Common(SymbolsIn(size), kept_);
        if (!own.empty()) plans.insert(PlanOf(size));
        symbols.insert(own.begin(), own.end());
      }
    }
    if (symbols.empty()) return;
    BufferId read = program_.buffers.Add({"known",
                                          DType::kI32,
                                          program_.buffers[known_].elements,
                                          BufferKind::kExchange,
                                          {},
                                          Place::kHost});
    program_.buffers[known_].kind = BufferKind::kExchange;
    program_.steps.push_back(Transfer{known_, read, ""});
    for (const std::string& symbol : symbols)
      program_.steps.push_back(Define{symbol, read, static_cast<int64_t>(places_.at(symbol))});
    for (int plan : plans) program_.steps.push_back(Recompute{plan});
  }

  Variant& gpu_;
  Program& program_;
  const std::vector<Dim>& not_negative_;
  const LikelySizes& sizes_;
  const EmitShader& emit_;
  // Where on the device a buffer on the host is read back from.
  std::map<BufferId, BufferId> read_from_;
  // Of symbols on the host's side: which are elements of one buffer, and the most of each.
  std::map<BufferId, std::vector<std::string>> together_;
  std::map<std::string, Dim> most_;
  Symbols kept_;
  std::map<std::string, size_t> places_;
  std::map<std::string, int> plans_;
  // By plan, the shaders that are told what is known from then on.
  std::map<int, std::vector<size_t>> told_by_;
  int64_t told_bytes_ = 0;
  BufferId known_, told_;
  int kernels_added_ = 0;
};

}  // namespace

Status KeepSizesOnDevice(Variant& gpu, const std::vector<Dim>& not_negative,
                         const LikelySizes& sizes, const EmitShader& emit) {
  return SizeKeeper(gpu, not_negative, sizes, emit).Run();
}

}  // namespace webnnc::plan
