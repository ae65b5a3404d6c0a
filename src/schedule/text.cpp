#include <algorithm>

#include "base/overloaded.h"
#include "schedule/schedule.h"

namespace webnnc::schedule {

static constexpr std::string_view kTailNames[] = {"guard", "shift", "peel"};
static constexpr std::string_view kOperandNames[] = {"left", "right", "value"};

static std::string Print(const Operand& operand) {
  if (operand.part == Operand::kLoad) return "%" + operand.buffer;
  return std::string(kOperandNames[operand.part]);
}

static bool IsDigit(char c) { return c >= '0' && c <= '9'; }

static std::string Words(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += " " + word;
  return out;
}

static std::string Words(const LoopIds& loops) {
  std::string out;
  for (const LoopId& loop : loops) out += " " + Print(loop);
  return out;
}

std::string Print(const LoopId& loop) {
  if (loop.stage == LoopId::kEveryStage) return loop.name;
  return "s" + std::to_string(loop.stage) + "." + loop.name;
}

// "s1.k.0" is a stage's; "s1.0" is what a split left of a loop s1.
static LoopId LoopNamed(const std::string& text) {
  size_t dot = text.find('.');
  bool has_stage =
      text.starts_with("s") && dot != std::string::npos && dot > 1 && dot < 6 &&
      dot + 1 < text.size() && !IsDigit(text[dot + 1]) &&
      std::all_of(text.begin() + 1, text.begin() + static_cast<ptrdiff_t>(dot), IsDigit);
  if (!has_stage) return text;
  return {text.substr(dot + 1), std::stoi(text.substr(1, dot - 1))};
}

std::string Print(const Directive& directive) {
  return std::visit(
      Overloaded{
          [](const Split& split) {
            std::string out = "split " + Print(split.loop);
            for (int64_t factor : split.factors) out += " " + std::to_string(factor);
            if (split.tail != Tail::kGuard) {
              out += " tail=" + std::string(kTailNames[static_cast<int>(split.tail)]);
            }
            return out;
          },
          [](const Peel& peel) {
            return "peel " + Print(peel.loop) + " " + std::to_string(peel.first) + " " +
                   std::to_string(peel.last);
          },
          [](const Fuse& fuse) { return "fuse" + Words(fuse.loops) + " into " + fuse.into; },
          [](const Order& order) { return "order" + Words(order.loops); },
          [](const Merge& merge) { return "merge" + Words(merge.loops); },
          [](const At& at) { return "at s" + std::to_string(at.stage) + " " + Print(at.loop); },
          [](const Bind& bind) {
            if (bind.kind == loop::LoopKind::kUnrolled) return "unroll" + Words(bind.loops);
            if (bind.kind == loop::LoopKind::kVector) return "vector" + Words(bind.loops);
            return "bind" + Words(bind.loops) + " " + std::string(Name(bind.kind));
          },
          [](const Keep& keep) {
            return std::string("keep") + (keep.at.empty() ? "" : " " + Print(keep.at)) +
                   (keep.apart ? " apart" : "");
          },
          [](const Skip&) { return std::string("skip"); },
          [](const Combine& combine) {
            static constexpr const char* kHow[] = {"", " via=subgroup", " everywhere"};
            return "combine " + Print(combine.loop) + kHow[combine.how];
          },
          [](const Replicate& replicate) {
            return "replicate " + Print(replicate.at) + " into " + replicate.into + " " +
                   std::to_string(replicate.threads);
          },
          [](const Dot& dot) { return "dot " + Print(dot.loop); },
          [](const Narrow& narrow) { return "narrow " + Print(narrow.at); },
          [](const Subtotal& subtotal) {
            std::string every = subtotal.every > 1 ? " " + std::to_string(subtotal.every) : "";
            return "subtotal " + Print(subtotal.at) + every;
          },
          [](const Stage& stage) {
            std::string out = "stage " + Print(stage.operand) + " " + Print(stage.at) + " " +
                              std::string(Name(stage.space)) + Words(stage.layout);
            if (!stage.fill.empty()) out += " fill" + Words(stage.fill);
            if (stage.lanes != 1) out += " lanes=" + std::to_string(stage.lanes);
            if (stage.pad != 0) out += " pad=" + std::to_string(stage.pad);
            if (stage.row != 1) out += " row=" + std::to_string(stage.row);
            if (stage.ahead) out += " ahead";
            return out;
          },
          [](const Pack& pack) {
            return "pack %" + pack.buffer + " " + std::to_string(pack.width);
          },
      },
      directive);
}

std::string Print(const Schedule& schedule) {
  std::string out = "schedule {\n";
  for (const Directive& directive : schedule) out += "  " + Print(directive) + "\n";
  return out + "}\n";
}

namespace {

constexpr std::string_view kKeywords[] = {
    "split",  "peel",     "fuse",      "order",    "merge",       "at",          "bind",
    "unroll", "vector",   "keep",      "skip",     "combine",     "replicate",   "everywhere",
    "stage",  "pack",     "thread",    "subgroup", "matrix",      "dot",         "into",
    "tail",   "fill",     "lanes",     "pad",      "row",         "ahead",       "apart",
    "narrow", "subtotal", "workgroup", "register", "workgroup.x", "workgroup.y", "workgroup.z"};

class Parser {
 public:
  explicit Parser(Lexer& lexer) : lexer_(lexer) {}

  Result<Schedule> Run() {
    TRY(lexer_.Expect("schedule"));
    TRY(lexer_.Expect("{"));
    Schedule schedule;
    while (!lexer_.Eat("}")) {
      TRY_ASSIGN(auto directive, ParseDirective());
      schedule.push_back(std::move(directive));
    }
    return schedule;
  }

 private:
  // Words up to the next keyword or brace.
  Result<std::vector<std::string>> Names() {
    std::vector<std::string> names;
    for (;;) {
      bool stops = lexer_.Sees("}") || lexer_.AtEnd();
      for (std::string_view keyword : kKeywords) stops |= lexer_.Sees(keyword);
      if (stops) return names;
      TRY_ASSIGN(auto name, lexer_.Word());
      names.push_back(name);
    }
  }

  Result<LoopIds> Loops() {
    TRY_ASSIGN(auto names, Names());
    LoopIds loops;
    for (const std::string& name : names) loops.push_back(LoopNamed(name));
    return loops;
  }

  Result<LoopId> Loop() {
    TRY_ASSIGN(auto name, lexer_.Word());
    return LoopNamed(name);
  }

  Result<Directive> ParseDirective() {
    if (lexer_.Eat("split")) return ParseSplit();
    if (lexer_.Eat("peel")) {
      Peel peel;
      TRY_ASSIGN(peel.loop, Loop());
      for (int64_t* count : {&peel.first, &peel.last}) {
        TRY_ASSIGN(*count, lexer_.Integer());
        if (*count < 0 || *count > 1 << 20)
          return lexer_.Fail("a loop's end has 0 to 2^20 iterations");
      }
      return Directive(peel);
    }
    if (lexer_.Eat("fuse")) {
      Fuse fuse;
      TRY_ASSIGN(fuse.loops, Loops());
      TRY(lexer_.Expect("into"));
      TRY_ASSIGN(fuse.into, lexer_.Word());
      return Directive(fuse);
    }
    if (lexer_.Eat("order")) {
      TRY_ASSIGN(auto loops, Loops());
      return Directive(Order{loops});
    }
    if (lexer_.Eat("merge")) {
      TRY_ASSIGN(auto loops, Loops());
      return Directive(Merge{loops});
    }
    if (lexer_.Eat("at")) {
      TRY_ASSIGN(auto name, lexer_.Word());
      LoopId stage = LoopNamed(name + ".all");
      if (stage.stage == LoopId::kEveryStage) return lexer_.Fail("no stage '" + name + "'");
      TRY_ASSIGN(auto loop, Loop());
      return Directive(At{stage.stage, loop});
    }
    if (lexer_.Eat("unroll")) {
      TRY_ASSIGN(auto loops, Loops());
      return Directive(Bind{loops, loop::LoopKind::kUnrolled});
    }
    if (lexer_.Eat("vector")) {
      TRY_ASSIGN(auto loops, Loops());
      return Directive(Bind{loops, loop::LoopKind::kVector});
    }
    if (lexer_.Eat("bind")) return ParseBind();
    if (lexer_.Eat("keep")) {
      TRY_ASSIGN(auto loops, Loops());
      if (loops.size() > 1) return lexer_.Fail("keep takes one loop");
      bool apart = lexer_.Eat("apart");
      return Directive(Keep{loops.empty() ? LoopId() : loops[0], apart});
    }
    if (lexer_.Eat("skip")) return Directive(Skip{});
    if (lexer_.Eat("combine")) {
      TRY_ASSIGN(auto name, Loop());
      Combine combine{name};
      if (lexer_.Eat("via")) {
        TRY(lexer_.Expect("="));
        TRY(lexer_.Expect("subgroup"));
        combine.how = Combine::kBySubgroups;
      } else if (lexer_.Eat("everywhere")) {
        combine.how = Combine::kEverywhere;
      }
      return Directive(combine);
    }
    if (lexer_.Eat("replicate")) {
      Replicate replicate;
      TRY_ASSIGN(replicate.at, Loop());
      TRY(lexer_.Expect("into"));
      TRY_ASSIGN(replicate.into, lexer_.Word());
      TRY_ASSIGN(replicate.threads, lexer_.Integer());
      if (replicate.threads < 1 || replicate.threads > 1 << 20)
        return lexer_.Fail("there are from 1 to 2^20 threads");
      return Directive(replicate);
    }
    if (lexer_.Eat("dot")) {
      TRY_ASSIGN(auto name, Loop());
      return Directive(Dot{name});
    }
    if (lexer_.Eat("narrow")) {
      TRY_ASSIGN(auto name, Loop());
      return Directive(Narrow{name});
    }
    if (lexer_.Eat("subtotal")) {
      Subtotal subtotal;
      TRY_ASSIGN(subtotal.at, Loop());
      if (lexer_.SeesNumber()) {
        TRY_ASSIGN(subtotal.every, lexer_.Integer());
        bool is_power = subtotal.every > 1 && subtotal.every <= 1 << 30 &&
                        (subtotal.every & (subtotal.every - 1)) == 0;
        if (!is_power) return lexer_.Fail("a subtotal is of 2, 4, 8... up to 2^30 iterations");
      }
      return Directive(subtotal);
    }
    if (lexer_.Eat("pack")) {
      Pack pack;
      TRY(lexer_.Expect("%"));
      TRY_ASSIGN(pack.buffer, lexer_.Word());
      TRY_ASSIGN(pack.width, lexer_.Integer());
      if (pack.width < 1 || pack.width > 1 << 20)
        return lexer_.Fail("a panel has from 1 to 2^20 columns");
      return Directive(pack);
    }
    TRY(lexer_.Expect("stage"));
    return ParseStage();
  }

  Result<Directive> ParseSplit() {
    Split split;
    TRY_ASSIGN(split.loop, Loop());
    while (lexer_.SeesNumber()) {
      TRY_ASSIGN(auto factor, lexer_.Integer());
      if (factor < 1 || factor > 1 << 20) return lexer_.Fail("a factor is from 1 to 2^20");
      split.factors.push_back(factor);
    }
    if (lexer_.Eat("tail")) {
      TRY(lexer_.Expect("="));
      TRY_ASSIGN(auto name, lexer_.Word());
      auto found = std::find(std::begin(kTailNames), std::end(kTailNames), name);
      if (found == std::end(kTailNames)) return lexer_.Fail("no tail '" + name + "'");
      split.tail = static_cast<Tail>(found - std::begin(kTailNames));
    }
    return Directive(split);
  }

  Result<Directive> ParseBind() {
    Bind bind{};
    TRY_ASSIGN(bind.loops, Loops());
    using loop::LoopKind;
    for (LoopKind kind : {LoopKind::kThread, LoopKind::kSubgroup, LoopKind::kMatrix,
                          LoopKind::kWorkgroupX, LoopKind::kWorkgroupY, LoopKind::kWorkgroupZ}) {
      if (!lexer_.Eat(Name(kind))) continue;
      bind.kind = kind;
      return Directive(bind);
    }
    return lexer_.Fail("expected thread or workgroup.x");
  }

  Result<Directive> ParseStage() {
    Stage stage;
    bool loads = lexer_.Eat("%");
    TRY_ASSIGN(auto operand, lexer_.Word());
    auto found = std::find(std::begin(kOperandNames), std::end(kOperandNames), operand);
    if (loads) {
      stage.operand = {Operand::kLoad, operand};
    } else if (found == std::end(kOperandNames)) {
      return lexer_.Fail("no operand '" + operand + "'");
    } else {
      stage.operand = static_cast<Operand::Part>(found - std::begin(kOperandNames));
    }
    TRY_ASSIGN(stage.at, Loop());
    if (lexer_.Eat("register")) {
      stage.space = loop::Space::kRegister;
    } else {
      TRY(lexer_.Expect("workgroup"));
    }
    TRY_ASSIGN(stage.layout, Names());
    if (lexer_.Eat("fill")) {
      TRY_ASSIGN(stage.fill, Names());
    }
    for (auto [name, value] :
         {std::pair{"lanes", &stage.lanes}, {"pad", &stage.pad}, {"row", &stage.row}}) {
      if (!lexer_.Eat(name)) continue;
      TRY(lexer_.Expect("="));
      TRY_ASSIGN(*value, lexer_.Integer());
      if (*value < 0 || *value > 64) return lexer_.Fail("from 0 to 64");
    }
    stage.ahead = lexer_.Eat("ahead");
    return Directive(stage);
  }

  Lexer& lexer_;
};

}  // namespace

Result<Schedule> ParseSchedule(Lexer& lexer) { return Parser(lexer).Run(); }

}  // namespace webnnc::schedule
