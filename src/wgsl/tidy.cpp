#include "wgsl/tidy.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace webnnc::wgsl {

namespace {

// Calls visit(block, inside_loop) for the blocks directly inside `statement`.
template <typename Visit>
void ForEachBlock(Statement& statement, const Visit& visit) {
  if (auto* node = std::get_if<If>(&statement)) {
    visit(node->yes, false);
    visit(node->no, false);
  } else if (auto* loop = std::get_if<Loop>(&statement)) {
    visit(loop->body, true);
    visit(loop->next, true);
  } else if (auto* loop = std::get_if<For>(&statement)) {
    visit(loop->body, true);
  }
}

// ---- Loops that count -------------------------------------------------------------------------

// A Loop becomes a For if its variable is set right before it and nowhere mentioned outside.
class LoopFinder {
 public:
  LoopFinder(Module& module, Block& body) : module_(module), body_(body) {}

  void Run() {
    for (const Statement& statement : body_) {
      ForEachName(module_, statement, [&](SymbolId symbol) { ++mentions_[symbol]; });
    }
    Visit(body_);
    std::erase_if(body_, [&](const Statement& statement) {
      auto* var = std::get_if<Var>(&statement);
      return var && counters_.count(var->symbol) > 0;
    });
  }

 private:
  void Visit(Block& block) {
    for (size_t i = 0; i < block.size(); ++i) {
      ForEachBlock(block[i], [&](Block& inner, bool) { Visit(inner); });
      if (i > 0 && Replace(block[i - 1], block[i]))
        block.erase(block.begin() + static_cast<long>(--i));
    }
  }

  bool Replace(const Statement& before, Statement& statement) {
    auto* loop = std::get_if<Loop>(&statement);
    auto* first = std::get_if<Assign>(&before);
    if (!loop || !first || !loop->condition || loop->next.size() != 1) return false;
    auto* next = std::get_if<Assign>(&loop->next[0]);
    SymbolId symbol = NameOf(module_, first->target);
    if (!next || !symbol.valid() || !first->op.empty()) return false;
    if (NameOf(module_, next->target) != symbol) return false;
    // One mention is the assignment before it, another the declaration.
    int inside = 0;
    ForEachName(module_, statement, [&](SymbolId other) { inside += other == symbol; });
    if (mentions_[symbol] != inside + 2) return false;
    counters_.insert(symbol);
    For replacement{symbol, first->value, *loop->condition, *next, std::move(loop->body)};
    statement = std::move(replacement);
    return true;
  }

  Module& module_;
  Block& body_;
  std::unordered_map<SymbolId, int> mentions_;
  std::unordered_set<SymbolId> counters_;
};

// ---- Variables where they are needed ----------------------------------------------------------

// Moves a declaration into the innermost block that has all mentions, in front of the first. If
// that sets the whole variable, it becomes the initial value. Inside a loop it must, since a
// variable keeps its value from one iteration to the next, and a declaration would forget it.
class VariablePlacer {
 public:
  VariablePlacer(Module& module, Block& body) : module_(module), body_(body) {}

  void Run() {
    std::vector<Var> vars;
    for (const Statement& statement : body_) {
      if (auto* var = std::get_if<Var>(&statement)) vars.push_back(*var);
    }
    std::erase_if(body_, [](const Statement& s) { return std::holds_alternative<Var>(s); });
    for (const Var& var : vars) Place(var, body_, true);
  }

 private:
  bool Mentions(const Statement& statement, SymbolId symbol) {
    bool mentions = false;
    ForEachName(module_, statement, [&](SymbolId other) { mentions |= other == symbol; });
    return mentions;
  }

  // Whether it could be placed, as it `must` be outside of loops.
  bool Place(const Var& var, Block& block, bool must) {
    std::vector<size_t> mentions;
    for (size_t i = 0; i < block.size() && mentions.size() < 2; ++i) {
      if (Mentions(block[i], var.symbol)) mentions.push_back(i);
    }
    if (mentions.empty()) return true;
    Statement& first = block[mentions[0]];
    if (mentions.size() == 1 && PlaceInside(var, first, must)) return true;
    auto* assign = std::get_if<Assign>(&first);
    bool sets = assign && assign->op.empty() && NameOf(module_, assign->target) == var.symbol;
    if (sets) sets = CountInValue(*assign, var.symbol) == 0;
    if (sets) {
      first = Var{var.symbol, var.type, assign->value};
      return true;
    }
    if (!must) return false;
    block.insert(block.begin() + static_cast<long>(mentions[0]), var);
    return true;
  }

  int CountInValue(const Assign& assign, SymbolId symbol) {
    int count = 0;
    ForEachName(module_, assign.value, [&](SymbolId other) { count += other == symbol; });
    return count;
  }

  // If all mentions are in one of the blocks inside `statement`.
  bool PlaceInside(const Var& var, Statement& statement, bool must) {
    int all = 0;
    ForEachName(module_, statement, [&](SymbolId other) { all += other == var.symbol; });
    bool placed = false;
    ForEachBlock(statement, [&](Block& inner, bool is_loop) {
      int own = 0;
      for (const Statement& s : inner) {
        ForEachName(module_, s, [&](SymbolId other) { own += other == var.symbol; });
      }
      if (own == all && !placed) placed = Place(var, inner, must && !is_loop);
    });
    return placed;
  }

  Module& module_;
  Block& body_;
};

// ---- Names for one use ------------------------------------------------------------------------

// A value that was named for its length, and is stored or returned as it is in the next statement,
// is written there.
class LetRemover {
 public:
  LetRemover(Module& module, Block& body) : module_(module), body_(body) {}

  void Run() {
    for (const Statement& statement : body_) {
      ForEachName(module_, statement, [&](SymbolId symbol) { ++mentions_[symbol]; });
    }
    Visit(body_);
  }

 private:
  void Visit(Block& block) {
    for (size_t i = 0; i < block.size(); ++i) {
      ForEachBlock(block[i], [&](Block& inner, bool) { Visit(inner); });
      if (i > 0 && Replace(block[i - 1], block[i])) {
        block.erase(block.begin() + static_cast<long>(--i));
      }
    }
  }

  bool Replace(const Statement& before, Statement& statement) {
    auto* let = std::get_if<Let>(&before);
    if (!let || mentions_[let->symbol] != 2) return false;
    ExprId* value = nullptr;
    if (auto* assign = std::get_if<Assign>(&statement)) value = &assign->value;
    if (auto* node = std::get_if<Return>(&statement); node && node->value) value = &*node->value;
    if (!value || NameOf(module_, *value) != let->symbol) return false;
    *value = let->value;
    return true;
  }

  Module& module_;
  Block& body_;
  std::unordered_map<SymbolId, int> mentions_;
};

}  // namespace

void Tidy(Module& module, Block& body) {
  LetRemover(module, body).Run();
  LoopFinder(module, body).Run();
  VariablePlacer(module, body).Run();
}

}  // namespace webnnc::wgsl
