#include "wgsl/values.h"

#include <algorithm>

#include "base/overloaded.h"
#include "wgsl/math.h"
#include "wgsl/operators.h"

namespace webnnc::wgsl {

Values::Values(const Source& source, Module& module, Globals& globals, const SPIRFunction& function)
    : source_(source), module_(module), globals_(globals), plan_(source, function) {
  for (const auto& parameter : function.arguments) {
    symbols_[parameter.id] = module.NewSymbol(source.NameOf(parameter.id));
    types_[parameter.id] = parameter.type;
  }
  for (SpirvId variable : function.local_variables) {
    symbols_[variable] = module.NewSymbol(source.NameOf(variable));
  }
}

const SPIRType& Values::TypeOf(SpirvId value) const {
  if (const SPIRConstant* constant = source_.Constant(value)) {
    return source_.Type(constant->constant_type);
  }
  return source_.Type(types_.at(value));
}

ExprId Values::Of(SpirvId value) {
  auto found = exprs_.find(value);
  if (found != exprs_.end()) return found->second;
  auto symbol = symbols_.find(value);
  if (symbol != symbols_.end()) return exprs_[value] = module_.Add(Name{symbol->second});
  return exprs_[value] = Constant(*source_.Constant(value));
}

// ---- Statements -------------------------------------------------------------------------------

void Values::Run(const Instruction& instruction, Block& out) {
  switch (instruction.op) {
    case spv::OpStore: return Store(instruction, out);
    case spv::OpCooperativeMatrixStoreNV: out.push_back(Do{StoreMatrix(instruction)}); return;
    case spv::OpControlBarrier:
      out.push_back(Do{module_.Add(Call{"workgroupBarrier", {}})});
      return;
    default: break;
  }
  types_[instruction.result] = instruction.type;
  if (instruction.op == spv::OpAccessChain) {
    chains_[instruction.result] = instruction;
  } else if (plan_.Of(instruction.result) != Form::kDropped) {
    Define(instruction, Evaluate(instruction, out), out);
  }
}

static bool Takes(std::string_view op) {
  return op == "+" || op == "-" || op == "*" || op == "/" || op == "%" || op == "&" || op == "|" ||
         op == "^";
}

void Values::Store(const Instruction& instruction, Block& out) {
  ExprId target = PlaceOf(instruction.operands[0]), value = Of(instruction.operands[1]);
  auto* infix = std::get_if<Infix>(&module_.exprs[value]);
  if (infix && Takes(infix->op) && Same(module_, infix->a, target)) {
    out.push_back(Assign{target, infix->op, infix->b});
  } else {
    out.push_back(Assign{target, "", value});
  }
}

// What a value without a name is called by: a letter for each kind of operation.
static char LetterOf(const Expr& value) {
  static constexpr std::string_view kOperators = "+-*/%<>=!&|^", kLetters = "asmdrlgenbox";
  if (auto* infix = std::get_if<Infix>(&value)) return kLetters[kOperators.find(infix->op[0])];
  auto* call = std::get_if<Call>(&value);
  auto* function = call ? std::get_if<std::string>(&call->function) : nullptr;
  return function ? (*function)[0] : 'v';
}

void Values::Define(const Instruction& instruction, ExprId value, Block& out) {
  // Longer expressions are not read but deciphered.
  constexpr size_t kLongest = 90;
  bool is_inline = plan_.Of(instruction.result) == Form::kInline;
  bool is_name = std::holds_alternative<Name>(module_.exprs[value]);
  if (is_inline && (is_name || splats_.count(value) || Length(value) <= kLongest)) {
    exprs_[instruction.result] = value;
    return;
  }
  std::string name = source_.NameOf(instruction.result);
  if (name.empty() && instruction.op == spv::OpLoad) {
    SpirvId root = instruction.operands[0];
    while (chains_.count(root)) root = chains_.at(root).operands[0];
    name = source_.NameOf(root);
  }
  SymbolId symbol = module_.NewSymbol(name);
  module_.symbols[symbol].letter = LetterOf(module_.exprs[value]);
  out.push_back(Let{symbol, value});
  exprs_[instruction.result] = module_.Add(Name{symbol});
}

// ---- Places -----------------------------------------------------------------------------------

static const char* const kComponents[] = {"x", "y", "z", "w"};

ExprId Values::Element(ExprId base, const SPIRType& type, const SPIRConstant* constant,
                       ExprId index) {
  // A struct is written as its only member.
  if (IsStruct(type)) return base;
  if (IsArray(type) || !constant) return module_.Add(Index{base, index});
  return module_.Add(Member{base, kComponents[constant->scalar() % 4]});
}

ExprId Values::PlaceOf(SpirvId pointer) {
  auto chain = chains_.find(pointer);
  if (chain == chains_.end()) {
    auto local = symbols_.find(pointer);
    return module_.Add(Name{local == symbols_.end() ? globals_.Of(pointer) : local->second});
  }
  std::span operands = chain->second.operands;
  ExprId place = PlaceOf(operands[0]);
  // A chain may begin at another one, whose result type is a pointer to what it leads to.
  bool is_root = !chains_.count(operands[0]);
  const SPIRType* type = is_root ? &source_.TypeOfVariable(*source_.Variable(operands[0]))
                                 : &source_.Type(source_.Type(types_.at(operands[0])).parent_type);
  for (SpirvId index : operands.subspan(1)) {
    place = Element(place, *type, source_.Constant(index), Of(index));
    type = &Inside(source_, *type);
  }
  return place;
}

// ---- Matrices ---------------------------------------------------------------------------------

std::vector<ExprId> Values::MatrixPlace(SpirvId pointer) {
  const auto element = std::get<Index>(module_.exprs[PlaceOf(pointer)]);
  return {module_.Add(Prefix{'&', element.base}), element.index};
}

static const char* OrderOf(const Source& source, SpirvId by_columns) {
  return source.Constant(by_columns)->scalar() ? "col_major" : "row_major";
}

ExprId Values::LoadMatrix(const Instruction& instruction) {
  std::span operands = instruction.operands;
  std::string side = source_.IsRight(instruction.result) ? "right" : "left";
  std::string type =
      "subgroup_matrix_" + side + "<" + MatrixText(source_, source_.Type(instruction.type)) + ">";
  std::vector<ExprId> arguments = MatrixPlace(operands[0]);
  arguments.push_back(Of(operands[1]));
  return module_.Add(
      Call{"subgroupMatrixLoad<" + type + ", " + OrderOf(source_, operands[2]) + ">", arguments});
}

ExprId Values::StoreMatrix(const Instruction& instruction) {
  std::span operands = instruction.operands;
  std::vector<ExprId> arguments = MatrixPlace(operands[0]);
  arguments.insert(arguments.end(), {Of(operands[1]), Of(operands[2])});
  return module_.Add(
      Call{std::string("subgroupMatrixStore<") + OrderOf(source_, operands[3]) + ">", arguments});
}

// ---- Expressions ------------------------------------------------------------------------------

ExprId Values::Evaluate(const Instruction& instruction, Block& out) {
  std::span operands = instruction.operands;
  std::vector<ExprId> values;
  auto evaluate = [&](std::span<const uint32_t> ids) {
    for (SpirvId id : ids) values.push_back(Of(id));
  };
  switch (instruction.op) {
    case spv::OpLoad: return PlaceOf(operands[0]);
    case spv::OpSelect: return EvaluateSelect(instruction);
    case spv::OpCooperativeMatrixLoadNV: return LoadMatrix(instruction);
    case spv::OpCooperativeMatrixMulAddNV: {
      evaluate(operands);
      return module_.Add(Call{"subgroupMatrixMultiplyAccumulate", values});
    }
    case spv::OpExtInst: {
      evaluate(operands.subspan(2));
      return CallOf(std::string(FindMath(operands[1])->name), values, out);
    }
    case spv::OpFunctionCall: {
      evaluate(operands.subspan(1));
      return CallOf(globals_.Of(operands[0]), values, out);
    }
    case spv::OpCompositeConstruct: {
      evaluate(operands);
      return Construct(source_.Type(instruction.type), values);
    }
    case spv::OpCompositeExtract: {
      const SPIRType& type = TypeOf(operands[0]);
      ExprId base = Of(operands[0]);
      if (IsStruct(type)) return base;
      if (splats_.count(base)) return splats_.at(base);
      if (IsArray(type)) return module_.Add(Index{base, Literal(std::to_string(operands[1]))});
      return module_.Add(Member{base, kComponents[operands[1] % 4]});
    }
    default: return EvaluateOperator(instruction, out);
  }
}

ExprId Values::Construct(const SPIRType& type, const std::vector<ExprId>& parts) {
  if (IsStruct(type)) return parts[0];
  bool is_splat = !IsArray(type) && parts.size() == type.vecsize &&
                  std::all_of(parts.begin(), parts.end(), [&](ExprId part) {
                    return part == parts[0] || Same(module_, part, parts[0]);
                  });
  std::string name = TypeText(source_, type);
  if (!is_splat) return module_.Add(Call{name, parts});
  ExprId splat = module_.Add(Call{name, {parts[0]}});
  splats_[splat] = parts[0];
  return splat;
}

ExprId Values::CallOf(std::variant<std::string, SymbolId> function, std::vector<ExprId> arguments,
                      Block& out) {
  bool constant =
      std::all_of(arguments.begin(), arguments.end(), [&](ExprId id) { return IsConstant(id); });
  if (constant && std::holds_alternative<std::string>(function)) {
    arguments[0] = AtRunTime(arguments[0], out);
  }
  return module_.Add(Call{std::move(function), std::move(arguments)});
}

ExprId Values::EvaluateSelect(const Instruction& instruction) {
  ExprId condition = Of(instruction.operands[0]), yes = Of(instruction.operands[1]),
         no = Of(instruction.operands[2]);
  auto scalar = splats_.find(condition);
  if (scalar != splats_.end()) condition = scalar->second;
  // A bool as a number.
  auto number = [&](ExprId id) { return splats_.count(id) ? splats_.at(id) : id; };
  const SPIRType& type = source_.Type(instruction.type);
  bool fits = type.vecsize == 1 || scalar == splats_.end();
  if (fits && IsNumber(number(yes), "1") && IsNumber(number(no), "0")) {
    return module_.Add(Call{TypeText(source_, type), {condition}});
  }
  return module_.Add(Call{"select", {no, yes, condition}});
}

// ---- Operators --------------------------------------------------------------------------------

ExprId Values::As(ExprId id, const SPIRType& from, SPIRType::BaseType components) {
  if (!IsInteger(from) || from.basetype == components) return id;
  return module_.Add(Call{TypeText(source_, WithComponents(from, components)), {id}});
}

// By how much is unsigned, which a literal without a type may be, too.
ExprId Values::ShiftAmount(ExprId id, const SPIRType& type) {
  if (std::holds_alternative<wgsl::Literal>(module_.exprs[id])) return id;
  bool is_cast = type.basetype != SPIRType::UInt && splats_.count(id);
  if (!is_cast) return As(id, type, SPIRType::UInt);
  std::string name = TypeText(source_, WithComponents(type, SPIRType::UInt));
  return module_.Add(Call{name, {ShiftAmount(splats_.at(id), source_.Type(type.parent_type))}});
}

static SPIRType::BaseType ComponentsTaken(const Operator& op, const SPIRType& typed,
                                          const SPIRType& result) {
  switch (op.taken) {
    case Taken::kAsTyped: return typed.basetype;
    case Taken::kAsResult: return result.basetype;
    case Taken::kAsSigned: return SPIRType::Int;
    case Taken::kAsUnsigned: return SPIRType::UInt;
  }
  return typed.basetype;
}

ExprId Values::EvaluateOperator(const Instruction& instruction, Block& out) {
  const Operator& op = *FindOperator(instruction.op);
  const SPIRType& type = source_.Type(instruction.type);
  std::vector<SpirvId> taking = ValuesOf(instruction);
  const SPIRType& first = TypeOf(taking[0]);
  SPIRType::BaseType taken = ComponentsTaken(op, first, type);
  std::vector<ExprId> operands;
  bool constant = true;
  for (SpirvId id : taking) {
    ExprId operand = Of(id);
    constant &= IsConstant(operand);
    bool is_shift = op.text == "<<" || op.text == ">>";
    bool is_amount = is_shift && operands.size() == 1;
    operands.push_back(is_amount ? ShiftAmount(operand, TypeOf(id))
                                 : As(operand, TypeOf(id), taken));
  }
  if (constant) operands[0] = AtRunTime(operands[0], out);
  std::string name = TypeText(source_, type);
  switch (op.notation) {
    case Notation::kPrefix: {
      if (op.text == "!") return Not(operands[0]);
      ExprId value = module_.Add(Prefix{op.text[0], operands[0]});
      return As(value, WithComponents(type, taken), type.basetype);
    }
    case Notation::kCall: return CallOf(std::string(op.text), operands, out);
    case Notation::kConversion: {
      SPIRType own = type;
      if (op.op == spv::OpConvertFToS) own.basetype = SPIRType::Int;
      if (op.op == spv::OpConvertFToU) own.basetype = SPIRType::UInt;
      return As(module_.Add(Call{TypeText(source_, own), operands}), own, type.basetype);
    }
    case Notation::kBitcast: {
      bool integers = IsInteger(first) && IsInteger(type);
      return module_.Add(Call{integers ? name : "bitcast<" + name + ">", operands});
    }
    case Notation::kInfix: break;
  }
  ExprId value = EvaluateInfix(instruction, operands, out);
  bool is_comparison = type.basetype == SPIRType::Boolean;
  return is_comparison ? value : As(value, WithComponents(type, taken), type.basetype);
}

ExprId Values::EvaluateInfix(const Instruction& instruction, const std::vector<ExprId>& operands,
                             Block& out) {
  const Operator& op = *FindOperator(instruction.op);
  const SPIRType& type = source_.Type(instruction.type);
  std::string text(op.text);
  ExprId a = operands[0], b = operands[1];
  // Beside a vector, a scalar stands for a vector of it.
  bool mixes = type.vecsize > 1 && type.basetype != SPIRType::Boolean &&
               (text == "+" || text == "-" || text == "*" || text == "/" || text == "%");
  if (mixes && splats_.count(b)) {
    b = splats_.at(b);
  } else if (mixes && splats_.count(a)) {
    a = splats_.at(a);
  }
  // Dividing by a literal 0 is an error, whatever is divided.
  if (IsNumber(b, "0") && IsInteger(type) && (text == "/" || text == "%")) b = AtRunTime(b, out);
  // x + -1 is x - 1; but there is no literal for the number that only its negative fits.
  auto* negative = std::get_if<Prefix>(&module_.exprs[b]);
  bool is_literal = negative && std::holds_alternative<wgsl::Literal>(module_.exprs[negative->a]);
  if (is_literal && (text == "+" || text == "-") && !IsNumber(negative->a, "2147483648")) {
    b = negative->a;
    text = text == "+" ? "-" : "+";
  }
  ExprId value = module_.Add(Infix{text, a, b});
  if (IsInteger(TypeOf(instruction.operands[0]))) integer_comparisons_.insert(value);
  return value;
}

ExprId Values::Not(ExprId condition) {
  static constexpr std::pair<std::string_view, std::string_view> kOpposites[] = {
      {"<", ">="}, {"<=", ">"}, {"==", "!="}, {"!=", "=="}};
  auto* infix = std::get_if<Infix>(&module_.exprs[condition]);
  for (auto [op, opposite] : kOpposites) {
    // Of NaN, neither a < b nor a >= b is true, and what a != b is depends on the driver.
    bool exact = integer_comparisons_.count(condition) > 0;
    if (!infix || infix->op != op || !exact) continue;
    return module_.Add(Infix{std::string(opposite), infix->a, infix->b});
  }
  return module_.Add(Prefix{'!', condition});
}

size_t Values::Length(ExprId id) {
  auto [found, is_new] = lengths_.try_emplace(id, 0);
  if (!is_new) return found->second;
  size_t length = std::visit(
      Overloaded{
          [](const wgsl::Literal& node) { return node.text.size(); },
          [&](const Name& node) {
            return std::max<size_t>(2, module_.symbols[node.symbol].name.size());
          },
          [&](const Prefix& node) { return 1 + Length(node.a); },
          [&](const Infix& node) { return Length(node.a) + node.op.size() + 2 + Length(node.b); },
          [&](const Call& node) {
            size_t sum = 6;
            for (ExprId argument : node.arguments) sum += Length(argument) + 2;
            return sum;
          },
          [&](const Index& node) { return Length(node.base) + 2 + Length(node.index); },
          [&](const Member& node) { return Length(node.base) + 2; },
      },
      module_.exprs[id]);
  return lengths_[id] = length;
}

}  // namespace webnnc::wgsl
