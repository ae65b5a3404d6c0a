#include "spirv/code_builder.h"

#include "base/result.h"

namespace webnnc::spirv {

// ---- Values -----------------------------------------------------------------------------------

Value CodeBuilder::Constant(const Scalar& value, int32_t lanes) {
  return {this, module_.Constant(value, lanes), value.dtype, lanes};
}

spv::Id CodeBuilder::EmitOfType(spv::Op op, spv::Id type, const Words& operands) {
  spv::Id result = module_.NewId();
  Words all = {type, result};
  all.insert(all.end(), operands.begin(), operands.end());
  Append(*out_, op, all);
  return result;
}

Value CodeBuilder::Emit(spv::Op op, DType dtype, int32_t lanes, const Words& operands) {
  return {this, EmitOfType(op, module_.Type(dtype, lanes), operands), dtype, lanes};
}

Value CodeBuilder::Math(GLSLstd450 function, const std::vector<Value>& arguments) {
  Words operands = {module_.MathInstructions(), static_cast<uint32_t>(function)};
  for (const Value& argument : arguments) operands.push_back(argument.id);
  return Emit(spv::OpExtInst, arguments[0].dtype, arguments[0].lanes, operands);
}

Value CodeBuilder::Call(spv::Id function, DType dtype, int32_t lanes,
                        const std::vector<Value>& arguments) {
  Words operands = {function};
  for (const Value& argument : arguments) operands.push_back(argument.id);
  return Emit(spv::OpFunctionCall, dtype, lanes, operands);
}

Value CodeBuilder::Construct(const std::vector<Value>& parts) {
  if (parts.size() == 1) return parts[0];
  Words operands;
  int32_t lanes = 0;
  for (const Value& part : parts) {
    operands.push_back(part.id);
    lanes += part.lanes;
  }
  return Emit(spv::OpCompositeConstruct, parts[0].dtype, lanes, operands);
}

Value CodeBuilder::Splat(const Value& scalar, int32_t lanes) {
  return Construct(std::vector<Value>(static_cast<size_t>(lanes), scalar));
}

Value CodeBuilder::Extract(const Value& vector, int32_t lane) {
  if (vector.lanes == 1) return vector;
  return Emit(spv::OpCompositeExtract, vector.dtype, 1, {vector.id, static_cast<uint32_t>(lane)});
}

Value CodeBuilder::AtEntry(const std::function<Value()>& f) {
  Words* outside = std::exchange(out_, &entry_);
  Value value = f();
  out_ = outside;
  return value;
}

Value CodeBuilder::AtDepth(size_t depth, const std::function<Value()>& f) {
  if (depth == open_.size()) return f();
  Words* inside = std::exchange(out_, open_[depth]);
  Value value = f();
  out_ = inside;
  return value;
}

Value CodeBuilder::DotOfBytes(const Value& a, const Value& b) {
  module_.Require(spv::CapabilityDotProduct);
  module_.Require(spv::CapabilityDotProductInput4x8BitPacked);
  std::vector<Value> lanes;
  for (int32_t lane = 0; lane < a.lanes; ++lane) {
    lanes.push_back(Emit(spv::OpSDot, DType::kI32, 1,
                         {Extract(a, lane).id, Extract(b, lane).id,
                          spv::PackedVectorFormatPackedVectorFormat4x8Bit}));
  }
  return Construct(lanes);
}

// ---- Subgroups --------------------------------------------------------------------------------

static spv::Op ReductionOf(loop::Update update, DType dtype) {
  auto for_type = [&](spv::Op of_floats, spv::Op of_signed, spv::Op of_unsigned) {
    return IsFloat(dtype) ? of_floats : IsSigned(dtype) ? of_signed : of_unsigned;
  };
  switch (update) {
    case loop::Update::kAdd:
      return for_type(spv::OpGroupNonUniformFAdd, spv::OpGroupNonUniformIAdd,
                      spv::OpGroupNonUniformIAdd);
    case loop::Update::kMul:
      return for_type(spv::OpGroupNonUniformFMul, spv::OpGroupNonUniformIMul,
                      spv::OpGroupNonUniformIMul);
    case loop::Update::kMax:
      return for_type(spv::OpGroupNonUniformFMax, spv::OpGroupNonUniformSMax,
                      spv::OpGroupNonUniformUMax);
    case loop::Update::kMin:
      return for_type(spv::OpGroupNonUniformFMin, spv::OpGroupNonUniformSMin,
                      spv::OpGroupNonUniformUMin);
    default: CHECK(false);
  }
}

Value CodeBuilder::SubgroupReduce(loop::Update update, const Value& value) {
  module_.Require(spv::CapabilityGroupNonUniform);
  module_.Require(spv::CapabilityGroupNonUniformArithmetic);
  spv::Id scope = module_.Constant(Scalar::Integer(DType::kU32, spv::ScopeSubgroup));
  return Emit(ReductionOf(update, value.dtype), value.dtype, value.lanes,
              {scope, spv::GroupOperationReduce, value.id});
}

Value CodeBuilder::BuiltIn(spv::BuiltIn built_in) {
  bool of_subgroups = built_in != spv::BuiltInLocalInvocationIndex;
  if (of_subgroups) module_.Require(spv::CapabilityGroupNonUniform);
  spv::Id input = module_.BuiltInVariable(built_in, module_.Type(DType::kU32));
  return AtEntry([&] { return Bitcast(Load({input, DType::kU32, 1}), DType::kI32); });
}

// ---- Fragments --------------------------------------------------------------------------------

spv::Id CodeBuilder::FragmentVariable(DType dtype, std::string_view name) {
  spv::Id type = module_.PointerType(spv::StorageClassFunction, module_.FragmentType(dtype));
  spv::Id id = module_.NewId();
  Append(variables_, spv::OpVariable, {type, id, spv::StorageClassFunction});
  module_.Name(id, name);
  return id;
}

spv::Id CodeBuilder::LoadFragment(DType dtype, spv::Id element, int64_t stride, bool by_columns) {
  return EmitOfType(spv::OpCooperativeMatrixLoadNV, module_.FragmentType(dtype),
                    {element, Int(stride).id, Constant(Scalar::Bool(by_columns)).id});
}

void CodeBuilder::StoreFragment(spv::Id variable, DType dtype, spv::Id element, int64_t stride,
                                bool by_columns) {
  spv::Id value = EmitOfType(spv::OpLoad, module_.FragmentType(dtype), {variable});
  Append(*out_, spv::OpCooperativeMatrixStoreNV,
         {element, value, Int(stride).id, Constant(Scalar::Bool(by_columns)).id});
}

void CodeBuilder::ClearFragment(spv::Id variable, DType dtype) {
  spv::Id zero = Constant(Scalar::Of(dtype, 0)).id;
  Append(*out_, spv::OpStore,
         {variable, module_.CompositeConstant(module_.FragmentType(dtype), {zero})});
}

void CodeBuilder::MultiplyFragments(spv::Id variable, DType dtype, spv::Id left, spv::Id right) {
  spv::Id type = module_.FragmentType(dtype), sum = EmitOfType(spv::OpLoad, type, {variable});
  spv::Id result = EmitOfType(spv::OpCooperativeMatrixMulAddNV, type, {left, right, sum});
  Append(*out_, spv::OpStore, {variable, result});
}

// ---- Memory -----------------------------------------------------------------------------------

Pointer CodeBuilder::Variable(DType dtype, int32_t lanes, std::string_view name) {
  spv::Id type = module_.PointerType(spv::StorageClassFunction, module_.Type(dtype, lanes));
  spv::Id id = module_.NewId();
  Append(variables_, spv::OpVariable, {type, id, spv::StorageClassFunction});
  module_.Name(id, name);
  return {id, dtype, lanes};
}

spv::Id CodeBuilder::ArrayVariable(DType dtype, int32_t lanes, int64_t count,
                                   std::string_view name) {
  spv::Id array = module_.ArrayType(module_.Type(dtype, lanes), count);
  spv::Id type = module_.PointerType(spv::StorageClassFunction, array), id = module_.NewId();
  Append(variables_, spv::OpVariable, {type, id, spv::StorageClassFunction});
  module_.Name(id, name);
  return id;
}

Pointer CodeBuilder::Element(spv::StorageClass storage, spv::Id variable, DType dtype,
                             int32_t lanes, const std::vector<Value>& indices) {
  if (indices.empty()) return {variable, dtype, lanes};
  spv::Id id = module_.NewId();
  Words operands = {module_.PointerType(storage, module_.Type(dtype, lanes)), id, variable};
  for (const Value& index : indices) operands.push_back(index.id);
  Append(*out_, spv::OpAccessChain, operands);
  return {id, dtype, lanes};
}

Value CodeBuilder::Load(const Pointer& pointer) {
  return Emit(spv::OpLoad, pointer.dtype, pointer.lanes, {pointer.id});
}

void CodeBuilder::Store(const Pointer& pointer, const Value& value) {
  CHECK(pointer.dtype == value.dtype && pointer.lanes == value.lanes);
  Append(*out_, spv::OpStore, {pointer.id, value.id});
}

// ---- Control flow -----------------------------------------------------------------------------

void CodeBuilder::Branch(spv::Id label) { Append(*out_, spv::OpBranch, {label}); }
void CodeBuilder::Label(spv::Id label) { Append(*out_, spv::OpLabel, {label}); }

void CodeBuilder::Nest(const std::function<void()>& write) {
  Words words;
  open_.push_back(std::exchange(out_, &words));
  write();
  out_ = open_.back();
  open_.pop_back();
  out_->insert(out_->end(), words.begin(), words.end());
}

void CodeBuilder::If(const Value& condition, const std::function<void()>& then,
                     const std::function<void()>& otherwise) {
  spv::Id yes = module_.NewId(), no = otherwise ? module_.NewId() : 0, end = module_.NewId();
  Nest([&] {
    Append(*out_, spv::OpSelectionMerge, {end, spv::SelectionControlMaskNone});
    Append(*out_, spv::OpBranchConditional, {condition.id, yes, otherwise ? no : end});
    Label(yes);
    then();
    Branch(end);
    if (otherwise) {
      Label(no);
      otherwise();
      Branch(end);
    }
    Label(end);
  });
}

CodeBuilder::LoopParts CodeBuilder::BeginLoop(const std::function<Value()>& condition) {
  LoopParts loop{module_.NewId(), module_.NewId(), module_.NewId(), module_.NewId(),
                 module_.NewId()};
  Branch(loop.header);
  Label(loop.header);
  Append(*out_, spv::OpLoopMerge, {loop.end, loop.next, spv::LoopControlMaskNone});
  Branch(loop.test);
  Label(loop.test);
  Append(*out_, spv::OpBranchConditional, {condition().id, loop.body, loop.end});
  Label(loop.body);
  return loop;
}

void CodeBuilder::EndLoop(const LoopParts& loop) {
  Branch(loop.header);
  Label(loop.end);
}

void CodeBuilder::Loop(std::string_view name, const Value& extent,
                       const std::function<void(Value)>& body) {
  Pointer counter = Variable(DType::kI32, 1, name);
  Nest([&] {
    Store(counter, Int(0));
    Value i;
    LoopParts loop = BeginLoop([&] {
      i = Load(counter);
      return i < extent;
    });
    body(i);
    Branch(loop.next);
    Label(loop.next);
    Store(counter, Load(counter) + Int(1));
    EndLoop(loop);
  });
}

void CodeBuilder::While(const std::function<Value()>& condition,
                        const std::function<void()>& body) {
  Nest([&] {
    LoopParts loop = BeginLoop(condition);
    body();
    Branch(loop.next);
    Label(loop.next);
    EndLoop(loop);
  });
}

void CodeBuilder::WorkgroupBarrier() {
  auto constant = [&](uint32_t value) {
    return module_.Constant(Scalar::Integer(DType::kU32, value));
  };
  spv::Id scope = constant(spv::ScopeWorkgroup);
  spv::Id semantics =
      constant(spv::MemorySemanticsAcquireReleaseMask | spv::MemorySemanticsWorkgroupMemoryMask);
  Append(*out_, spv::OpControlBarrier, {scope, scope, semantics});
}

// ---- Functions --------------------------------------------------------------------------------

Value CodeBuilder::Parameter(DType dtype, int32_t lanes, std::string_view name) {
  Value parameter{this, module_.NewId(), dtype, lanes};
  module_.Name(parameter.id, name);
  parameters_.push_back(parameter);
  return parameter;
}

spv::Id CodeBuilder::Finish(std::string_view name, const Value& result) {
  spv::Id id = module_.NewId();
  module_.Name(id, name);
  spv::Id result_type =
      result.valid() ? module_.Type(result.dtype, result.lanes) : module_.VoidType();
  std::vector<spv::Id> types;
  for (const Value& p : parameters_) types.push_back(module_.Type(p.dtype, p.lanes));
  Words words;
  Append(words, spv::OpFunction,
         {result_type, id, spv::FunctionControlMaskNone, module_.FunctionType(result_type, types)});
  for (size_t i = 0; i < parameters_.size(); ++i) {
    Append(words, spv::OpFunctionParameter, {types[i], parameters_[i].id});
  }
  Append(words, spv::OpLabel, {module_.NewId()});
  for (const Words* part : {&variables_, &entry_, &body_}) {
    words.insert(words.end(), part->begin(), part->end());
  }
  if (result.valid()) {
    Append(words, spv::OpReturnValue, {result.id});
  } else {
    Append(words, spv::OpReturn, {});
  }
  Append(words, spv::OpFunctionEnd, {});
  module_.AddFunction(words);
  return id;
}

// ---- Arithmetic -------------------------------------------------------------------------------

Value Like(const Value& value, double number) {
  return value.code->Constant(Scalar::Of(value.dtype, number), value.lanes);
}

static Value Same(spv::Op op, const Value& a, const Value& b) {
  CHECK(a.dtype == b.dtype && a.lanes == b.lanes);
  return a.code->Emit(op, a.dtype, a.lanes, {a.id, b.id});
}

static Value Compare(spv::Op op, const Value& a, const Value& b) {
  CHECK(a.dtype == b.dtype && a.lanes == b.lanes);
  return a.code->Emit(op, DType::kBool, a.lanes, {a.id, b.id});
}

// The instruction for the operands' type.
static spv::Op ForType(DType dtype, spv::Op of_floats, spv::Op of_signed, spv::Op of_unsigned) {
  return IsFloat(dtype) ? of_floats : IsSigned(dtype) ? of_signed : of_unsigned;
}

Value operator+(const Value& a, const Value& b) {
  return Same(IsFloat(a.dtype) ? spv::OpFAdd : spv::OpIAdd, a, b);
}
Value operator-(const Value& a, const Value& b) {
  return Same(IsFloat(a.dtype) ? spv::OpFSub : spv::OpISub, a, b);
}
Value operator*(const Value& a, const Value& b) {
  return Same(IsFloat(a.dtype) ? spv::OpFMul : spv::OpIMul, a, b);
}
Value operator/(const Value& a, const Value& b) { return Same(spv::OpFDiv, a, b); }

Value operator-(const Value& a) {
  // Unsigned integers have no sign to change, though the instruction would take them.
  if (a.dtype == DType::kU32) return Like(a, 0) - a;
  return a.code->Emit(IsFloat(a.dtype) ? spv::OpFNegate : spv::OpSNegate, a.dtype, a.lanes, {a.id});
}

Value operator<(const Value& a, const Value& b) {
  return Compare(ForType(a.dtype, spv::OpFOrdLessThan, spv::OpSLessThan, spv::OpULessThan), a, b);
}
Value operator<=(const Value& a, const Value& b) {
  return Compare(
      ForType(a.dtype, spv::OpFOrdLessThanEqual, spv::OpSLessThanEqual, spv::OpULessThanEqual), a,
      b);
}
Value operator==(const Value& a, const Value& b) {
  if (a.dtype == DType::kBool) return Compare(spv::OpLogicalEqual, a, b);
  return Compare(IsFloat(a.dtype) ? spv::OpFOrdEqual : spv::OpIEqual, a, b);
}
Value operator!=(const Value& a, const Value& b) {
  if (a.dtype == DType::kBool) return Compare(spv::OpLogicalNotEqual, a, b);
  // Written as the instruction that is true of NaN, it would be taken for one that is not: WGSL has
  // only one "!=".
  if (IsFloat(a.dtype)) return Not(a == b);
  return Compare(spv::OpINotEqual, a, b);
}

Value operator&(const Value& a, const Value& b) {
  return Same(a.dtype == DType::kBool ? spv::OpLogicalAnd : spv::OpBitwiseAnd, a, b);
}
Value operator|(const Value& a, const Value& b) {
  return Same(a.dtype == DType::kBool ? spv::OpLogicalOr : spv::OpBitwiseOr, a, b);
}
Value operator^(const Value& a, const Value& b) {
  return Same(a.dtype == DType::kBool ? spv::OpLogicalNotEqual : spv::OpBitwiseXor, a, b);
}
Value Not(const Value& a) {
  spv::Op op = a.dtype == DType::kBool ? spv::OpLogicalNot : spv::OpNot;
  return a.code->Emit(op, a.dtype, a.lanes, {a.id});
}
Value ShiftRight(const Value& a, const Value& b) {
  return Same(IsSigned(a.dtype) ? spv::OpShiftRightArithmetic : spv::OpShiftRightLogical, a, b);
}
Value ShiftLeft(const Value& a, const Value& b) { return Same(spv::OpShiftLeftLogical, a, b); }

Value Select(const Value& condition, const Value& yes, const Value& no) {
  CHECK(yes.dtype == no.dtype && yes.lanes == no.lanes);
  // Before SPIR-V 1.4 a condition has as many lanes as what it chooses.
  Value wide = condition;
  bool as_words = yes.dtype == DType::kF16 && yes.lanes == 8;
  if (condition.lanes != yes.lanes)
    wide = condition.code->Splat(condition, as_words ? 4 : yes.lanes);
  return yes.code->Emit(spv::OpSelect, yes.dtype, yes.lanes, {wide.id, yes.id, no.id});
}

static GLSLstd450 ForType(DType dtype, GLSLstd450 of_floats, GLSLstd450 of_signed,
                          GLSLstd450 of_unsigned) {
  return IsFloat(dtype) ? of_floats : IsSigned(dtype) ? of_signed : of_unsigned;
}

Value Min(const Value& a, const Value& b) {
  return a.code->Math(ForType(a.dtype, GLSLstd450FMin, GLSLstd450SMin, GLSLstd450UMin), {a, b});
}
Value Max(const Value& a, const Value& b) {
  return a.code->Math(ForType(a.dtype, GLSLstd450FMax, GLSLstd450SMax, GLSLstd450UMax), {a, b});
}
Value Abs(const Value& a) {
  if (a.dtype == DType::kU32) return a;
  return a.code->Math(IsFloat(a.dtype) ? GLSLstd450FAbs : GLSLstd450SAbs, {a});
}
Value Bitcast(const Value& a, DType to) {
  if (a.dtype == to) return a;
  return a.code->Emit(spv::OpBitcast, to, a.lanes, {a.id});
}

}  // namespace webnnc::spirv
