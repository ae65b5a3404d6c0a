#include "wgsl/plan.h"

#include <algorithm>

namespace webnnc::wgsl {

Plan::Plan(const Source& source, const SPIRFunction& function) : source_(source) {
  ReadBlocks(function);
  FindLoops();
  FindWrites();
  Decide();
}

// ---- The function -----------------------------------------------------------------------------

void Plan::ReadBlocks(const SPIRFunction& function) {
  for (SpirvId id : function.blocks) {
    block_numbers_[id] = blocks_.size();
    const SPIRBlock& parsed = source_.Block(id);
    blocks_.push_back({id, &parsed, source_.Instructions(parsed), {}, {}});
  }
  for (Block& block : blocks_) {
    if (block.parsed->terminator == SPIRBlock::Direct) {
      block.successors = {block_numbers_.at(block.parsed->next_block)};
    } else if (block.parsed->terminator == SPIRBlock::Select) {
      block.successors = {block_numbers_.at(block.parsed->true_block),
                          block_numbers_.at(block.parsed->false_block)};
    }
    for (const Instruction& instruction : block.instructions) {
      if (instruction.result) definitions_[instruction.result] = &instruction;
    }
  }
}

void Plan::FindLoops() {
  for (size_t header = 0; header < blocks_.size(); ++header) {
    if (blocks_[header].parsed->merge != SPIRBlock::MergeLoop) continue;
    SpirvId id = blocks_[header].id;
    blocks_[header].loops.insert(id);
    size_t merge = block_numbers_.at(blocks_[header].parsed->merge_block);
    const std::vector<bool>& inside = Reachable(header, merge);
    for (size_t b = 0; b < blocks_.size(); ++b) {
      if (inside[b]) blocks_[b].loops.insert(id);
    }
  }
}

void Plan::FindWrites() {
  for (size_t b = 0; b < blocks_.size(); ++b) {
    const auto& instructions = blocks_[b].instructions;
    for (size_t i = 0; i < instructions.size(); ++i) {
      bool stores = instructions[i].op == spv::OpStore ||
                    instructions[i].op == spv::OpCooperativeMatrixStoreNV;
      if (stores) {
        writes_[RootOf(instructions[i].operands[0])].push_back({b, i});
      }
      if (instructions[i].op == spv::OpControlBarrier) barriers_.push_back({b, i});
    }
  }
}

SpirvId Plan::RootOf(SpirvId pointer) const {
  auto found = definitions_.find(pointer);
  return found == definitions_.end() ? pointer : RootOf(found->second->operands[0]);
}

bool Plan::IsFixed(SpirvId pointer) const {
  auto found = definitions_.find(pointer);
  if (found == definitions_.end()) return true;
  auto indices = found->second->operands.subspan(1);
  bool constant = std::all_of(indices.begin(), indices.end(),
                              [&](SpirvId id) { return source_.Constant(id) != nullptr; });
  return constant && IsFixed(found->second->operands[0]);
}

// ---- Changes of memory ------------------------------------------------------------------------

const std::vector<bool>& Plan::Reachable(size_t from, size_t avoided) {
  auto [found, is_new] = reachable_.try_emplace({from, avoided});
  if (!is_new) return found->second;
  std::vector<bool>& reached = found->second;
  reached.resize(blocks_.size());
  std::vector<size_t> open = blocks_[from].successors;
  while (!open.empty()) {
    size_t block = open.back();
    open.pop_back();
    if (block == avoided || reached[block]) continue;
    reached[block] = true;
    open.insert(open.end(), blocks_[block].successors.begin(), blocks_[block].successors.end());
  }
  return reached;
}

bool Plan::MayChange(SpirvId variable, Position from, Position to) {
  auto between = [&](const std::vector<Position>& changes) {
    if (changes.empty()) return false;
    if (from.block == to.block && from < to) {
      auto first = std::upper_bound(changes.begin(), changes.end(), from);
      return first != changes.end() && *first < to;
    }
    const std::vector<bool>& after = Reachable(from.block, from.block);
    return std::any_of(changes.begin(), changes.end(), [&](Position change) {
      if (change.block == from.block) return change > from;
      if (!after[change.block]) return false;
      bool before = change.block == to.block && change < to;
      return before || Reachable(change.block, from.block)[to.block];
    });
  };
  auto writes = writes_.find(variable);
  if (writes == writes_.end()) return false;
  if (between(writes->second)) return true;
  // A barrier shows what other threads have written.
  spv::StorageClass storage = source_.Variable(variable)->storage;
  bool is_shared =
      storage == spv::StorageClassWorkgroup || storage == spv::StorageClassStorageBuffer;
  return is_shared && between(barriers_);
}

// ---- Forms ------------------------------------------------------------------------------------

// Whether all operands of a vector's constructor are the same scalar.
static bool IsSplat(const Instruction& instruction) {
  return instruction.op == spv::OpCompositeConstruct &&
         std::all_of(instruction.operands.begin(), instruction.operands.end(),
                     [&](SpirvId id) { return id == instruction.operands[0]; });
}

// Users come before what they use, so that it is known where a value is finally written.
void Plan::Decide() {
  std::unordered_map<SpirvId, std::vector<Position>> uses;
  for (size_t b = blocks_.size(); b-- > 0;) {
    const Block& block = blocks_[b];
    Position end{b, block.instructions.size()};
    if (block.parsed->condition) uses[block.parsed->condition].push_back(end);
    if (block.parsed->return_value) uses[block.parsed->return_value].push_back(end);
    for (size_t i = block.instructions.size(); i-- > 0;) {
      const Instruction& instruction = block.instructions[i];
      std::vector<Position> places = {{b, i}};
      if (instruction.result) {
        const std::vector<Position>& own = uses[instruction.result];
        Form form = FormOf(instruction, {b, i}, own);
        forms_[instruction.result] = form;
        if (form == Form::kDropped) continue;
        if (form == Form::kInline) places = own;
      }
      std::vector<SpirvId> values = ValuesOf(instruction);
      if (IsSplat(instruction)) values.resize(1);
      for (SpirvId value : values) {
        auto& all = uses[value];
        all.insert(all.end(), places.begin(), places.end());
      }
    }
  }
}

Form Plan::FormOf(const Instruction& instruction, Position at, const std::vector<Position>& uses) {
  if (uses.empty()) return Form::kDropped;
  if (instruction.op == spv::OpAccessChain) return Form::kInline;
  // Where it is evaluated matters.
  if (IsReduction(instruction.op) || instruction.op == spv::OpCooperativeMatrixLoadNV)
    return Form::kNamed;
  if (instruction.op == spv::OpLoad) return FormOfLoad(instruction, at, uses);
  // Beside a vector, a scalar stands for a vector of it.
  if (instruction.op == spv::OpCompositeExtract || IsSplat(instruction)) return Form::kInline;
  return FormOfArithmetic(at, uses);
}

Form Plan::FormOfArithmetic(Position at, const std::vector<Position>& uses) {
  bool once = uses.size() == 1 && blocks_[uses[0].block].loops == blocks_[at.block].loops;
  return once ? Form::kInline : Form::kNamed;
}

Form Plan::FormOfLoad(const Instruction& load, Position at, const std::vector<Position>& uses) {
  SpirvId variable = RootOf(load.operands[0]);
  switch (source_.Variable(variable)->storage) {
    case spv::StorageClassInput: return Form::kInline;
    case spv::StorageClassUniform: return FormOfArithmetic(at, uses);
    default: break;
  }
  auto unchanged = [&](Position use) { return !MayChange(variable, at, use); };
  bool is_local = source_.Variable(variable)->storage == spv::StorageClassFunction;
  if (is_local && IsFixed(load.operands[0])) {
    return std::all_of(uses.begin(), uses.end(), unchanged) ? Form::kInline : Form::kNamed;
  }
  bool once = uses.size() == 1 && uses[0].block == at.block && unchanged(uses[0]);
  return once ? Form::kInline : Form::kNamed;
}

}  // namespace webnnc::wgsl
