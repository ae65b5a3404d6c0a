#include <algorithm>
#include <bit>
#include <cmath>

#include "wgsl/values.h"

namespace webnnc::wgsl {

ExprId Values::Constant(const SPIRConstant& constant) {
  const SPIRType& type = source_.Type(constant.constant_type);
  std::vector<ExprId> parts;
  if (IsArray(type) || IsStruct(type)) {
    for (SpirvId part : constant.subconstants) parts.push_back(Constant(*source_.Constant(part)));
    if (source_.Matrix(type)) return module_.Add(Call{TypeText(source_, type), parts});
    return Construct(type, parts);
  }
  if (type.vecsize == 1) return Number(type, constant, 0);
  for (uint32_t component = 0; component < type.vecsize; ++component) {
    parts.push_back(Number(type, constant, component));
  }
  return Construct(type, parts);
}

ExprId Values::Number(const SPIRType& type, const SPIRConstant& constant, uint32_t component) {
  uint32_t bits = constant.scalar(0, component);
  switch (type.basetype) {
    case SPIRType::Boolean: return Literal(bits ? "true" : "false");
    case SPIRType::UInt: return Literal(IntegerText(bits, true));
    case SPIRType::Int: {
      bool is_negative = static_cast<int32_t>(bits) < 0;
      ExprId magnitude = Literal(IntegerText(is_negative ? 0 - bits : bits, false));
      return is_negative ? module_.Add(Prefix{'-', magnitude}) : magnitude;
    }
    case SPIRType::Half: return Float(constant.scalar_f16(0, component), true);
    default: return Float(std::bit_cast<float>(bits), false);
  }
}

ExprId Values::Float(float value, bool is_half) {
  if (std::isfinite(value)) {
    ExprId magnitude = Literal(FloatText(std::fabs(value), is_half));
    return std::signbit(value) ? module_.Add(Prefix{'-', magnitude}) : magnitude;
  }
  ExprId special = std::isnan(value) ? Special(nan_, "nan", globals_.NanBits())
                                     : Special(infinity_, "infinity", globals_.InfinityBits());
  if (is_half) special = module_.Add(Call{"f16", {special}});
  return !std::isnan(value) && std::signbit(value) ? module_.Add(Prefix{'-', special}) : special;
}

ExprId Values::Special(SymbolId& symbol, const char* name, SymbolId bits) {
  if (!symbol.valid()) {
    symbol = module_.NewSymbol(name);
    ExprId value = module_.Add(Call{"bitcast<f32>", {module_.Add(Name{bits})}});
    prologue_.push_back(Let{symbol, value});
  }
  return module_.Add(Name{symbol});
}

bool Values::IsConstant(ExprId id) const {
  const Expr& expr = module_.exprs[id];
  if (std::holds_alternative<wgsl::Literal>(expr)) return true;
  if (auto* prefix = std::get_if<Prefix>(&expr)) return IsConstant(prefix->a);
  auto* call = std::get_if<Call>(&expr);
  return call && std::all_of(call->arguments.begin(), call->arguments.end(),
                             [&](ExprId argument) { return IsConstant(argument); });
}

bool Values::IsNumber(ExprId id, const std::string& text) const {
  auto* literal = std::get_if<wgsl::Literal>(&module_.exprs[id]);
  if (!literal) return false;
  return literal->text == text || literal->text == text + "u" || literal->text == text + ".0" ||
         literal->text == text + ".0h";
}

ExprId Values::AtRunTime(ExprId id, Block& out) {
  SymbolId symbol = module_.NewSymbol("");
  out.push_back(Let{symbol, id});
  return module_.Add(Name{symbol});
}

}  // namespace webnnc::wgsl
