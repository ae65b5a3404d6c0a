#include "wgsl/math.h"

#include <spirv_cross/GLSL.std.450.h>

namespace webnnc::wgsl {

static constexpr MathFunction kFunctions[] = {
    {GLSLstd450RoundEven, "round"}, {GLSLstd450Trunc, "trunc"},
    {GLSLstd450FAbs, "abs"},        {GLSLstd450SAbs, "abs"},
    {GLSLstd450FSign, "sign"},      {GLSLstd450SSign, "sign"},
    {GLSLstd450Floor, "floor"},     {GLSLstd450Ceil, "ceil"},
    {GLSLstd450Sinh, "sinh"},       {GLSLstd450Cosh, "cosh"},
    {GLSLstd450Tanh, "tanh"},       {GLSLstd450Exp, "exp"},
    {GLSLstd450Log, "log"},         {GLSLstd450Exp2, "exp2"},
    {GLSLstd450Log2, "log2"},       {GLSLstd450Sqrt, "sqrt"},
    {GLSLstd450FMin, "min"},        {GLSLstd450UMin, "min"},
    {GLSLstd450SMin, "min"},        {GLSLstd450FMax, "max"},
    {GLSLstd450UMax, "max"},        {GLSLstd450SMax, "max"},
    {GLSLstd450FClamp, "clamp"},    {GLSLstd450UnpackHalf2x16, "unpack2x16float"}};

const MathFunction* FindMath(uint32_t number) {
  for (const MathFunction& function : kFunctions) {
    if (function.number == number) return &function;
  }
  return nullptr;
}

}  // namespace webnnc::wgsl
