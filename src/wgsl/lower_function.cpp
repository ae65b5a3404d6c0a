#include "wgsl/lower_function.h"

#include <set>

namespace webnnc::wgsl {

namespace {

class FunctionLowering {
 public:
  FunctionLowering(const Source& source, Module& module, Globals& globals,
                   const SPIRFunction& function)
      : source_(source), function_(function), values_(source, module, globals, function) {}

  Result<Function> Run() {
    Function result;
    const SPIRType& type = source_.Type(function_.return_type);
    if (type.basetype != SPIRType::Void) result.result = TypeText(source_, type);
    for (const auto& parameter : function_.arguments) {
      result.parameters.push_back(
          {values_.SymbolOf(parameter.id), TypeText(source_, source_.Type(parameter.type)), ""});
    }
    Block body;
    LowerRegion(function_.entry_block, 0, body);
    if (!error_.empty()) return Error{"the SPIR-V has " + error_};
    result.body = values_.TakePrologue();
    for (SpirvId variable : function_.local_variables) {
      const SPIRType& held = source_.TypeOfVariable(*source_.Variable(variable));
      result.body.push_back(Var{values_.SymbolOf(variable), TypeText(source_, held), {}});
    }
    for (Statement& statement : body) result.body.push_back(std::move(statement));
    return result;
  }

 private:
  struct OpenLoop {
    SpirvId header, merge, next;
    Loop* loop;
  };

  void Fail(const std::string& what) {
    if (error_.empty()) error_ = what;
  }

  // The blocks from `block` on, until `stop` or until control goes elsewhere.
  void LowerRegion(SpirvId block, SpirvId stop, Block& out) {
    while (block != stop && error_.empty()) {
      const SPIRBlock& parsed = source_.Block(block);
      bool is_open = !loops_.empty() && loops_.back().header == block;
      if (parsed.merge == SPIRBlock::MergeLoop && !is_open) {
        LowerLoop(block, out);
        block = parsed.merge_block;
        continue;
      }
      if (!lowered_.insert(block).second) return Fail("control flow that is not nested");
      for (const Instruction& instruction : source_.Instructions(parsed)) {
        values_.Run(instruction, out);
      }
      switch (parsed.terminator) {
        case SPIRBlock::Direct: block = Follow(parsed.next_block, stop, out); break;
        case SPIRBlock::Select: block = LowerBranch(parsed, stop, out); break;
        case SPIRBlock::Return: LowerReturn(parsed, stop, out); return;
        default: return Fail("a block that ends in neither a branch nor a return");
      }
      if (!block) return;
    }
  }

  // `target` if it is what follows; 0 if it is somewhere else, and how to get there has been said.
  SpirvId Follow(SpirvId target, SpirvId stop, Block& out) {
    if (!loops_.empty()) {
      const OpenLoop& loop = loops_.back();
      if (target == loop.merge) return out.push_back(Break{}), 0;
      if (target == loop.next && target != stop) return out.push_back(Continue{}), 0;
      if (target == loop.header) return 0;
    }
    return target == stop ? 0 : target;
  }

  void LowerReturn(const SPIRBlock& parsed, SpirvId stop, Block& out) {
    if (parsed.return_value) {
      out.push_back(Return{values_.Of(parsed.return_value)});
    } else if (stop || !loops_.empty()) {
      out.push_back(Return{});
    }
  }

  // What comes after the branch, or 0.
  SpirvId LowerBranch(const SPIRBlock& parsed, SpirvId stop, Block& out) {
    ExprId condition = values_.Of(parsed.condition);
    if (parsed.merge == SPIRBlock::MergeSelection) {
      SpirvId merge = parsed.next_block;
      If node{condition, {}, {}};
      if (SpirvId yes = Follow(parsed.true_block, merge, node.yes))
        LowerRegion(yes, merge, node.yes);
      if (SpirvId no = Follow(parsed.false_block, merge, node.no)) LowerRegion(no, merge, node.no);
      if (node.yes.empty()) {
        node.condition = values_.Not(condition);
        node.yes.swap(node.no);
      }
      if (!node.yes.empty()) out.push_back(std::move(node));
      return Follow(merge, stop, out);
    }
    // Without a merge instruction, one side leaves the loop or its iteration.
    if (loops_.empty()) return Fail("a branch without a merge instruction"), 0;
    const OpenLoop& loop = loops_.back();
    auto leaves = [&](SpirvId target) { return target == loop.merge || target == loop.next; };
    bool is_test = &out == &loop.loop->body && out.empty() && !loop.loop->condition;
    if (is_test && parsed.false_block == loop.merge) {
      loop.loop->condition = condition;
      return Follow(parsed.true_block, stop, out);
    }
    bool leaves_if_true = leaves(parsed.true_block);
    if (!leaves_if_true && !leaves(parsed.false_block)) {
      return Fail("a branch without a merge instruction"), 0;
    }
    SpirvId left = parsed.true_block, kept = parsed.false_block;
    if (!leaves_if_true) {
      std::swap(left, kept);
      condition = values_.Not(condition);
    }
    If node{condition, {}, {}};
    Follow(left, 0, node.yes);
    out.push_back(std::move(node));
    return Follow(kept, stop, out);
  }

  void LowerLoop(SpirvId header, Block& out) {
    const SPIRBlock& parsed = source_.Block(header);
    SpirvId next = parsed.continue_block;
    if (next == header) return Fail("a loop that is its own continue construct");
    Loop loop;
    loops_.push_back({header, parsed.merge_block, next, &loop});
    LowerRegion(header, next, loop.body);
    loops_.pop_back();
    // A branch in here would be a condition at the loop's end, which Follow cannot say.
    const SPIRBlock& last = source_.Block(next);
    bool is_simple = last.terminator == SPIRBlock::Direct && SpirvId(last.next_block) == header;
    if (!is_simple) return Fail("a continue construct with control flow");
    for (const Instruction& instruction : source_.Instructions(last)) {
      values_.Run(instruction, loop.next);
    }
    out.push_back(std::move(loop));
  }

  const Source& source_;
  const SPIRFunction& function_;
  Values values_;
  std::vector<OpenLoop> loops_;
  std::set<SpirvId> lowered_;
  std::string error_;
};

}  // namespace

Result<Function> LowerFunction(const Source& source, Module& module, Globals& globals, SpirvId id) {
  return FunctionLowering(source, module, globals, source.Function(id)).Run();
}

}  // namespace webnnc::wgsl
