#include "tests/random/random_schedule.h"

#include <algorithm>

#include "loop/rewrite.h"
#include "schedule/nest.h"

namespace webnnc::tests {

namespace {

using loop::LoopKind;
using schedule::Directive;
using schedule::NestLoop;

class Drawer {
 public:
  Drawer(const loop::Kernel& plain, Choices& choices)
      : nests_(schedule::ExtractNests(plain)), choices_(choices) {}

  schedule::Schedule Run() {
    schedule::Schedule out;
    int count = choices_.Below(11);
    for (int i = 0; i < count && !nests_.nests.empty(); ++i) {
      std::optional<Directive> directive = Draw();
      if (!directive) continue;
      // What does not fit now would only make Apply refuse all.
      schedule::Nests changed = nests_;
      bool fits(schedule::ApplyAll(changed, {*directive}));
      if (!fits && !choices_.Chance(40)) continue;
      if (fits) nests_ = std::move(changed);
      out.push_back(std::move(*directive));
    }
    return out;
  }

 private:
  const schedule::Nest& AnyNest() {
    return nests_.nests[static_cast<size_t>(choices_.Below(static_cast<int>(nests_.nests.size())))];
  }

  std::optional<Directive> Draw() {
    const schedule::Nest& nest = AnyNest();
    const std::vector<NestLoop>& loops = nest.main.loops;
    if (loops.empty()) return std::nullopt;
    auto at = static_cast<size_t>(choices_.Below(static_cast<int>(loops.size())));
    const NestLoop& loop = loops[at];
    switch (choices_.Below(18)) {
      case 0:
      case 1:
      case 2: return DrawSplit(loop);
      case 3: return schedule::Order{Shuffled(loops)};
      case 4: return schedule::Order{SpatialFirst(loops)};
      case 5:
        if (at + 1 == loops.size()) return std::nullopt;
        return schedule::Fuse{{loop.name, loops[at + 1].name}, loop.name + "f"};
      case 6: return schedule::Bind{{loop.name}, LoopKind::kUnrolled};
      case 7: return schedule::Bind{{loop.name}, LoopKind::kVector};
      case 8: return DrawThreads(loops, at);
      case 9: {
        auto axis =
            static_cast<LoopKind>(static_cast<int>(LoopKind::kWorkgroupX) + choices_.Below(3));
        return schedule::Bind{{loops[choices_.Chance(3) ? at : 0].name}, axis};
      }
      case 10: return schedule::Keep{choices_.Chance(3) ? "" : loop.name, choices_.Chance(3)};
      case 11:
        return schedule::Combine{loop.name, choices_.Chance(3) ? schedule::Combine::kEverywhere
                                                               : schedule::Combine::kOnce};
      case 12: return DrawStage(nest, at);
      case 13: return DrawSubtotal(loop);
      case 16: return schedule::Dot{loop.name};
      case 14: return DrawMerge(loops);
      case 15: return DrawAt(nest, loop);
      default: return DrawRare(loop);
    }
  }

  Directive DrawSplit(const NestLoop& loop) {
    static const std::vector<int64_t> kFactors{2, 4, 3, 1, 8, 5, 16};
    schedule::Split split{loop.name, {choices_.Pick(kFactors)}};
    if (choices_.Chance(4)) split.factors.push_back(choices_.Pick(kFactors));
    split.tail = static_cast<schedule::Tail>(choices_.Below(3));
    return split;
  }

  static std::vector<std::string> NamesOf(const std::vector<NestLoop>& loops) {
    std::vector<std::string> names;
    for (const NestLoop& loop : loops) names.push_back(loop.name);
    return names;
  }

  std::vector<std::string> Shuffled(const std::vector<NestLoop>& loops) {
    std::vector<std::string> names = NamesOf(loops);
    for (size_t i = names.size(); i > 1; --i)
      std::swap(names[i - 1], names[static_cast<size_t>(choices_.Below(static_cast<int>(i)))]);
    return names;
  }

  static std::vector<std::string> SpatialFirst(std::vector<NestLoop> loops) {
    std::stable_partition(loops.begin(), loops.end(),
                          [](const NestLoop& loop) { return !loop.reduction; });
    return NamesOf(loops);
  }

  Directive DrawThreads(const std::vector<NestLoop>& loops, size_t at) {
    schedule::Bind bind{{loops[at].name}, LoopKind::kThread};
    while (at + 1 < loops.size() && choices_.Chance(3)) bind.loops.push_back(loops[++at].name);
    return bind;
  }

  schedule::Operand DrawOperand(const schedule::Nest& nest) {
    using schedule::Operand;
    int part = choices_.Below(4);
    if (part < 3) return static_cast<Operand::Part>(part);
    std::vector<std::string> loaded;
    for (const loop::Part& each : nest.parts) {
      loop::ForEachExpr(nests_.kernel, each.term, [&](loop::ExprId id) {
        auto* load = std::get_if<loop::Load>(&nests_.kernel.exprs[id].node);
        if (load) loaded.push_back(nests_.kernel.buffers[load->buffer].name);
      });
    }
    if (loaded.empty()) return Operand::kValue;
    return {Operand::kLoad, choices_.Pick(loaded)};
  }

  std::optional<Directive> DrawStage(const schedule::Nest& nest, size_t at) {
    const std::vector<NestLoop>& loops = nest.main.loops;
    schedule::Stage stage;
    stage.operand = DrawOperand(nest);
    stage.at = loops[at].name;
    for (size_t i = at + 1; i < loops.size(); ++i) {
      if (!choices_.Chance(4)) stage.layout.push_back(loops[i].name);
    }
    if (stage.layout.empty()) return std::nullopt;
    if (choices_.Chance(2)) std::swap(stage.layout.front(), stage.layout.back());
    if (choices_.Chance(3)) {
      stage.fill = stage.layout;
      std::reverse(stage.fill.begin(), stage.fill.end());
    }
    if (choices_.Chance(2)) stage.space = loop::Space::kRegister;
    stage.lanes = std::vector<int64_t>{1, 2, 4}[static_cast<size_t>(choices_.Below(3))];
    if (choices_.Chance(3)) stage.pad = choices_.Below(5);
    if (choices_.Chance(3)) stage.row = 1 + choices_.Below(static_cast<int>(stage.layout.size()));
    stage.ahead = choices_.Chance(3);
    return stage;
  }

  Directive DrawSubtotal(const NestLoop& loop) {
    static const std::vector<int64_t> kEvery{1, 2, 4, 8};
    return schedule::Subtotal{loop.name, choices_.Pick(kEvery)};
  }

  std::optional<Directive> DrawAt(const schedule::Nest& host, const NestLoop& loop) {
    int stage = host.main.stage;
    if (stage == 0) return std::nullopt;
    return schedule::At{choices_.Chance(2) ? stage - 1 : choices_.Below(stage), {loop.name, stage}};
  }

  Directive DrawMerge(const std::vector<NestLoop>& loops) {
    std::vector<std::string> names = NamesOf(loops);
    names.resize(1 + static_cast<size_t>(choices_.Below(static_cast<int>(names.size()))));
    return schedule::Merge{names};
  }

  // Of some weight in panels, if there is one.
  Directive DrawPack() {
    static const std::vector<int64_t> kWidths{16, 4, 1, 2, 3, 8, 100};
    std::vector<std::string> weights;
    for (const loop::Buffer& buffer : nests_.kernel.buffers) {
      if (buffer.panels) weights.push_back(buffer.name);
    }
    return schedule::Pack{weights.empty() ? "none" : choices_.Pick(weights),
                          choices_.Pick(kWidths)};
  }

  Directive DrawRare(const NestLoop& loop) {
    switch (choices_.Below(6)) {
      case 4:
      case 5: return DrawPack();
      case 0: return schedule::Peel{loop.name, choices_.Below(3), choices_.Below(3)};
      case 1: return schedule::Skip{};
      case 2: return schedule::Replicate{loop.name, "each", 2};
      default: return schedule::Narrow{loop.name};
    }
  }

  schedule::Nests nests_;
  Choices& choices_;
};

}  // namespace

schedule::Schedule DrawSchedule(const loop::Kernel& plain, Choices& choices) {
  return Drawer(plain, choices).Run();
}

}  // namespace webnnc::tests
