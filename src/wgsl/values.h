// Turns the instructions of a function into expressions and statements.
#pragma once

#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "wgsl/plan.h"
#include "wgsl/syntax.h"
#include "wgsl/types.h"

namespace webnnc::wgsl {

// The symbols of what functions share.
class Globals {
 public:
  explicit Globals(Module& module) : module_(module) {}

  void Name(SpirvId id, SymbolId symbol) { symbols_[id] = symbol; }
  SymbolId Of(SpirvId id) const { return symbols_.at(id); }

  // Variables with the bits of infinity and NaN. WGSL has no literals for these and refuses to
  // compute them from constants, but knows nothing of what a variable holds.
  SymbolId InfinityBits() { return Bits(infinity_, "infinity_bits", "0x7f800000u"); }
  SymbolId NanBits() { return Bits(nan_, "nan_bits", "0x7fc00000u"); }

 private:
  SymbolId Bits(SymbolId& symbol, const char* name, const char* value) {
    if (symbol.valid()) return symbol;
    symbol = module_.NewSymbol(name);
    module_.globals.push_back({"", "private", symbol, "u32", value});
    return symbol;
  }

  Module& module_;
  std::unordered_map<SpirvId, SymbolId> symbols_;
  SymbolId infinity_, nan_;
};

class Values {
 public:
  Values(const Source& source, Module& module, Globals& globals, const SPIRFunction& function);

  SymbolId SymbolOf(SpirvId parameter_or_variable) const {
    return symbols_.at(parameter_or_variable);
  }
  // What an instruction does goes to `out`, if it does anything here.
  void Run(const Instruction& instruction, Block& out);
  // A value that has been computed, or a constant.
  ExprId Of(SpirvId value);
  ExprId Not(ExprId condition);
  // What must stand before everything else in the function.
  Block TakePrologue() { return std::move(prologue_); }

 private:
  void Define(const Instruction& instruction, ExprId value, Block& out);
  void Store(const Instruction& instruction, Block& out);

  ExprId Evaluate(const Instruction& instruction, Block& out);
  ExprId EvaluateOperator(const Instruction& instruction, Block& out);
  ExprId EvaluateInfix(const Instruction& instruction, const std::vector<ExprId>& operands,
                       Block& out);
  ExprId EvaluateSelect(const Instruction& instruction);
  ExprId Construct(const SPIRType& type, const std::vector<ExprId>& parts);
  ExprId CallOf(std::variant<std::string, SymbolId> function, std::vector<ExprId> arguments,
                Block& out);
  // A load or store of a matrix whose first element a pointer leads to.
  ExprId LoadMatrix(const Instruction& instruction);
  ExprId StoreMatrix(const Instruction& instruction);
  std::vector<ExprId> MatrixPlace(SpirvId pointer);
  ExprId PlaceOf(SpirvId pointer);
  ExprId Element(ExprId base, const SPIRType& type, const SPIRConstant* constant, ExprId index);

  // ---- constants.cpp
  ExprId Constant(const SPIRConstant& constant);
  ExprId Number(const SPIRType& type, const SPIRConstant& constant, uint32_t component);
  ExprId Float(float value, bool is_half);
  ExprId Special(SymbolId& symbol, const char* name, SymbolId bits);
  ExprId Literal(std::string text) { return module_.Add(wgsl::Literal{std::move(text)}); }
  bool IsConstant(ExprId id) const;
  bool IsNumber(ExprId id, const std::string& text) const;
  // A constant as something that WGSL computes with only when it runs: of constants it would refuse
  // results that overflow.
  ExprId AtRunTime(ExprId id, Block& out);

  const SPIRType& TypeOf(SpirvId value) const;
  ExprId As(ExprId id, const SPIRType& from, SPIRType::BaseType components);
  ExprId ShiftAmount(ExprId id, const SPIRType& type);
  // How long the text will be, about.
  size_t Length(ExprId id);

  const Source& source_;
  Module& module_;
  Globals& globals_;
  Plan plan_;
  std::unordered_map<SpirvId, SymbolId> symbols_;
  std::unordered_map<SpirvId, SpirvId> types_;
  std::unordered_map<SpirvId, Instruction> chains_;
  std::unordered_map<SpirvId, ExprId> exprs_;
  // The scalar of which an expression is a vector.
  std::unordered_map<ExprId, ExprId> splats_;
  std::unordered_set<ExprId> integer_comparisons_;
  std::unordered_map<ExprId, size_t> lengths_;
  SymbolId infinity_, nan_;
  Block prologue_;
};

}  // namespace webnnc::wgsl
