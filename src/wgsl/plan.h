// Decides how the values of a function appear in its text.
//
// A value that is used once is written where it is used, so that expressions read as expressions.
// This must not change what is computed: a load may move only to where nothing has been written to
// its memory in between, and nothing moves into a loop. Values that are used more often are named;
// but what is only a name itself, as a local variable or one component of it, is written as often
// as it is used.
//
//   %1 = OpLoad %float %acc             (dropped; %acc is written below)
//   %2 = OpFMul %float %a %b            a * b, in its place
//   %3 = OpFAdd %float %1 %2            acc + a * b
//        OpStore %acc %3                acc = acc + a * b;
#pragma once

#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "wgsl/source.h"

namespace webnnc::wgsl {

enum class Form : uint8_t {
  kDropped,  // not used
  kInline,   // written where it is used
  kNamed,    // let name = value;
};

class Plan {
 public:
  Plan(const Source& source, const SPIRFunction& function);

  Form Of(SpirvId value) const {
    auto found = forms_.find(value);
    return found == forms_.end() ? Form::kNamed : found->second;
  }

 private:
  // An instruction of a block, or what ends the block.
  struct Position {
    size_t block = 0, instruction = 0;
    friend auto operator<=>(const Position&, const Position&) = default;
  };
  struct Block {
    SpirvId id = 0;
    const SPIRBlock* parsed = nullptr;
    std::vector<Instruction> instructions;
    std::vector<size_t> successors;
    // The headers of the loops that it is in.
    std::set<SpirvId> loops;
  };

  void ReadBlocks(const SPIRFunction& function);
  void FindLoops();
  void FindWrites();
  void Decide();
  Form FormOf(const Instruction& instruction, Position at, const std::vector<Position>& uses);
  Form FormOfLoad(const Instruction& load, Position at, const std::vector<Position>& uses);
  Form FormOfArithmetic(Position at, const std::vector<Position>& uses);

  // The variable that a pointer leads into, and whether constants alone say where.
  SpirvId RootOf(SpirvId pointer) const;
  bool IsFixed(SpirvId pointer) const;
  // Whether `variable` may be written after `from` and before `to`, on a way that does not come by
  // `from` again.
  bool MayChange(SpirvId variable, Position from, Position to);
  // The blocks that can be reached from the end of block `from` without entering block `avoided`.
  const std::vector<bool>& Reachable(size_t from, size_t avoided);

  const Source& source_;
  std::vector<Block> blocks_;
  std::unordered_map<SpirvId, size_t> block_numbers_;
  std::unordered_map<SpirvId, const Instruction*> definitions_;
  std::unordered_map<SpirvId, std::vector<Position>> writes_;
  std::vector<Position> barriers_;
  std::map<std::pair<size_t, size_t>, std::vector<bool>> reachable_;
  std::unordered_map<SpirvId, Form> forms_;
};

}  // namespace webnnc::wgsl
