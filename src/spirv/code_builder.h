// Writes the instructions of one function.
//
// A Value knows the function it is in, so that arithmetic reads as arithmetic:
//
//   Value square = x * x;
//   code.Store(sum, code.Load(sum) + Select(square < limit, square, 0.5 * x));
//
// Operands agree in type and lanes. Booleans have no memory.
#pragma once

#include <spirv/unified1/GLSL.std.450.h>

#include <functional>
#include <optional>

#include "loop/kernel.h"
#include "spirv/module_builder.h"

namespace webnnc::spirv {

class CodeBuilder;

struct Value {
  CodeBuilder* code = nullptr;
  spv::Id id = 0;
  DType dtype = DType::kF32;
  int32_t lanes = 1;

  bool valid() const { return id != 0; }
};

// A place in memory that holds one value.
struct Pointer {
  spv::Id id = 0;
  DType dtype = DType::kF32;
  int32_t lanes = 1;
};

class CodeBuilder {
 public:
  explicit CodeBuilder(ModuleBuilder& module) : module_(module) {}
  CodeBuilder(const CodeBuilder&) = delete;
  CodeBuilder& operator=(const CodeBuilder&) = delete;

  ModuleBuilder& module() { return module_; }

  // ---- Values

  Value Constant(const Scalar& value, int32_t lanes = 1);
  Value Int(int64_t value) { return Constant(Scalar::Integer(DType::kI32, value)); }
  Value Emit(spv::Op op, DType dtype, int32_t lanes, const Words& operands);
  Value Math(GLSLstd450 function, const std::vector<Value>& arguments);
  Value Call(spv::Id function, DType dtype, int32_t lanes, const std::vector<Value>& arguments);
  // A vector of what are scalars or vectors, or the value itself if there is one.
  Value Construct(const std::vector<Value>& parts);
  Value Splat(const Value& scalar, int32_t lanes);
  Value Extract(const Value& vector, int32_t lane);

  // What `f` gives, written before everything else in the function.
  Value AtEntry(const std::function<Value()>& f);
  // What `f` gives, written outside of all but the `depth` outermost Ifs and loops that are being
  // written: ahead of the others.
  Value AtDepth(size_t depth, const std::function<Value()>& f);
  // How many Ifs and loops are being written.
  size_t depth() const { return open_.size(); }

  // The sum of the products of four bytes, of each lane.
  Value DotOfBytes(const Value& a, const Value& b);

  // ---- Subgroups

  // What all invocations of the subgroup have, combined: of kAdd, kMul, kMax or kMin.
  Value SubgroupReduce(loop::Update update, const Value& value);
  // An input of type u32, as i32.
  Value BuiltIn(spv::BuiltIn built_in);

  // ---- Fragments of matrices, which a subgroup holds

  spv::Id FragmentVariable(DType dtype, std::string_view name);
  // From or to memory, beginning with an element of an array; rows are so many elements of the
  // array apart, or columns.
  spv::Id LoadFragment(DType dtype, spv::Id element, int64_t stride, bool by_columns);
  void StoreFragment(spv::Id variable, DType dtype, spv::Id element, int64_t stride,
                     bool by_columns);
  void ClearFragment(spv::Id variable, DType dtype);
  // variable += left * right
  void MultiplyFragments(spv::Id variable, DType dtype, spv::Id left, spv::Id right);

  // ---- Memory

  Pointer Variable(DType dtype, int32_t lanes, std::string_view name);
  // An array of elements of the given type.
  spv::Id ArrayVariable(DType dtype, int32_t lanes, int64_t count, std::string_view name);
  // The part of `variable` that `indices` lead to.
  Pointer Element(spv::StorageClass storage, spv::Id variable, DType dtype, int32_t lanes,
                  const std::vector<Value>& indices);
  Value Load(const Pointer& pointer);
  void Store(const Pointer& pointer, const Value& value);

  // ---- Control flow

  void If(const Value& condition, const std::function<void()>& then,
          const std::function<void()>& otherwise = {});
  // Runs body with i = 0, 1, ..., extent - 1, all of type i32.
  void Loop(std::string_view name, const Value& extent, const std::function<void(Value)>& body);
  // Runs body as long as the condition holds. Both start from memory.
  void While(const std::function<Value()>& condition, const std::function<void()>& body);
  void WorkgroupBarrier();

  // ---- Functions

  // A parameter of the function, in the order of the calls.
  Value Parameter(DType dtype, int32_t lanes, std::string_view name);
  // The whole function, which is added to the module. Returns nothing if `result` is not valid.
  spv::Id Finish(std::string_view name, const Value& result = {});

 private:
  struct LoopParts {
    spv::Id header, test, body, next, end;
  };
  spv::Id EmitOfType(spv::Op op, spv::Id type, const Words& operands);
  LoopParts BeginLoop(const std::function<Value()>& condition);
  void EndLoop(const LoopParts& loop);
  void Branch(spv::Id label);
  void Label(spv::Id label);
  // Writes an If or a loop, which is put behind what is around it only when it is complete.
  void Nest(const std::function<void()>& write);

  ModuleBuilder& module_;
  Words variables_, entry_, body_;
  Words* out_ = &body_;
  // What is around the instructions that are being written, outermost first.
  std::vector<Words*> open_;
  std::vector<Value> parameters_;
};

// ---- Arithmetic. A number stands for the constant of the other operand's type.

Value Like(const Value& value, double number);
Value operator+(const Value& a, const Value& b);
Value operator-(const Value& a, const Value& b);
Value operator*(const Value& a, const Value& b);
// Of floats.
Value operator/(const Value& a, const Value& b);
Value operator-(const Value& a);
inline Value operator+(const Value& a, double b) { return a + Like(a, b); }
inline Value operator-(const Value& a, double b) { return a - Like(a, b); }
inline Value operator*(const Value& a, double b) { return a * Like(a, b); }
inline Value operator+(double a, const Value& b) { return Like(b, a) + b; }
inline Value operator-(double a, const Value& b) { return Like(b, a) - b; }
inline Value operator/(double a, const Value& b) { return Like(b, a) / b; }

// Comparisons of floats are false if either is NaN, except "!=".
Value operator<(const Value& a, const Value& b);
Value operator<=(const Value& a, const Value& b);
Value operator==(const Value& a, const Value& b);
Value operator!=(const Value& a, const Value& b);
inline Value operator<(const Value& a, double b) { return a < Like(a, b); }
inline Value operator<(double a, const Value& b) { return Like(b, a) < b; }
inline Value operator<=(double a, const Value& b) { return Like(b, a) <= b; }
inline Value operator==(const Value& a, double b) { return a == Like(a, b); }
inline Value operator!=(const Value& a, double b) { return a != Like(a, b); }

// Of bools, or of integers' bits.
Value operator&(const Value& a, const Value& b);
Value operator|(const Value& a, const Value& b);
Value operator^(const Value& a, const Value& b);
Value Not(const Value& a);
// Arithmetic for signed types.
Value ShiftRight(const Value& a, const Value& b);
Value ShiftLeft(const Value& a, const Value& b);
inline Value ShiftRight(const Value& a, int bits) { return ShiftRight(a, Like(a, bits)); }

// `condition` has as many lanes as the others, or one.
Value Select(const Value& condition, const Value& yes, const Value& no);
Value Min(const Value& a, const Value& b);
Value Max(const Value& a, const Value& b);
Value Abs(const Value& a);
// The same bits as another type of the same size.
Value Bitcast(const Value& a, DType to);

}  // namespace webnnc::spirv
