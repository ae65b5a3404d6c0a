#include "wgsl/print.h"

#include <gtest/gtest.h>

#include <random>
#include <spirv-tools/libspirv.hpp>

#include "loop/text.h"
#include "spirv/emit.h"

namespace webnnc::wgsl {
namespace {

std::vector<uint32_t> Assemble(const std::string& text) {
  spvtools::SpirvTools tools(SPV_ENV_VULKAN_1_1);
  std::string message;
  tools.SetMessageConsumer(
      [&](spv_message_level_t, const char*, const spv_position_t& position, const char* what) {
        message += std::to_string(position.line) + ": " + what + "\n";
      });
  std::vector<uint32_t> words;
  EXPECT_TRUE(tools.Assemble(text, &words)) << message;
  return words;
}

// A shader that writes to %out, an array<u32>, what `body` computes as %result. It may use %n, a
// u32 that is the thread's number, %x, the same as an i32, and %v, a local variable.
std::string Shader(const std::string& declarations, const std::string& body) {
  return R"(
    OpCapability Shader
    %glsl = OpExtInstImport "GLSL.std.450"
    OpMemoryModel Logical GLSL450
    OpEntryPoint GLCompute %main "main" %index
    OpExecutionMode %main LocalSize 8 1 1
    OpName %out "out"
    OpName %v "v"
    OpDecorate %index BuiltIn LocalInvocationIndex
    OpDecorate %array ArrayStride 4
    OpDecorate %block Block
    OpMemberDecorate %block 0 Offset 0
    OpDecorate %out DescriptorSet 0
    OpDecorate %out Binding 0
    %void = OpTypeVoid
    %bool = OpTypeBool
    %uint = OpTypeInt 32 0
    %int = OpTypeInt 32 1
    %float = OpTypeFloat 32
    %int_0 = OpConstant %int 0
    %int_1 = OpConstant %int 1
    %int_m1 = OpConstant %int -1
    %uint_2 = OpConstant %uint 2
    %uint_264 = OpConstant %uint 264
    %array = OpTypeRuntimeArray %uint
    %block = OpTypeStruct %array
    %block_pointer = OpTypePointer StorageBuffer %block
    %uint_pointer = OpTypePointer StorageBuffer %uint
    %input_pointer = OpTypePointer Input %uint
    %local_pointer = OpTypePointer Function %uint
    %function = OpTypeFunction %void
    %out = OpVariable %block_pointer StorageBuffer
    %index = OpVariable %input_pointer Input
    )" + declarations +
         R"(
    %main = OpFunction %void None %function
    %entry = OpLabel
    %v = OpVariable %local_pointer Function
    %n = OpLoad %uint %index
    %x = OpBitcast %int %n
    )" + body +
         R"(
    %place = OpAccessChain %uint_pointer %out %int_0 %n
    OpStore %place %result
    OpReturn
    OpFunctionEnd)";
}

std::string PrintShader(const std::string& declarations, const std::string& body) {
  auto printed = Print(Assemble(Shader(declarations, body)));
  EXPECT_TRUE(printed) << (printed ? "" : printed.error().message);
  return printed ? printed.value() : "";
}

std::string ErrorOf(const std::string& declarations, const std::string& body) {
  auto printed = Print(Assemble(Shader(declarations, body)));
  EXPECT_FALSE(printed) << (printed ? printed.value() : "");
  return printed ? "" : printed.error().message;
}

void ExpectContains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

// ---- What instructions mean -------------------------------------------------------------------

TEST(Print, TakesOperandsAsTheInstructionDoes) {
  // SPIR-V's integers have no sign but the one that an instruction sees.
  std::string text = PrintShader("", R"(
    %quotient = OpSDiv %uint %n %x
    %shifted = OpShiftRightArithmetic %uint %n %int_1
    %sum = OpIAdd %uint %quotient %x
    %result = OpBitwiseXor %uint %sum %shifted)");
  ExpectContains(text,
                 "(u32(i32(local_invocation_index) / i1) + u32(i1)) ^ "
                 "u32(i32(local_invocation_index) >> 1)");
}

TEST(Print, MovesNoLoadAcrossAStore) {
  std::string text = PrintShader("", R"(
    OpStore %v %n
    %before = OpLoad %uint %v
    OpStore %v %uint_2
    %after = OpLoad %uint %v
    %result = OpISub %uint %before %after)");
  ExpectContains(text, "let v_1 = v;\n  v = 2u;\n  out[local_invocation_index] = v_1 - v;");
}

TEST(Print, MovesNoLoadOfSharedMemoryAcrossABarrier) {
  std::string text = PrintShader(R"(
    %shared = OpTypePointer Workgroup %uint
    %w = OpVariable %shared Workgroup)",
                                 R"(
    OpStore %w %n
    %before = OpLoad %uint %w
    OpControlBarrier %uint_2 %uint_2 %uint_264
    %after = OpLoad %uint %w
    %result = OpIAdd %uint %before %after)");
  ExpectContains(text,
                 "let v2 = v1;\n  workgroupBarrier();\n  out[local_invocation_index] = v2 + v1;");
}

TEST(Print, MovesNothingIntoALoop) {
  std::string text = PrintShader("", R"(
    %outside = OpIMul %uint %n %n
    OpStore %v %uint_2
    OpBranch %header
    %header = OpLabel
    OpLoopMerge %merge %next None
    OpBranch %test
    %test = OpLabel
    %old = OpLoad %uint %v
    %less = OpULessThan %bool %old %uint_264
    OpBranchConditional %less %body %merge
    %body = OpLabel
    %new = OpIAdd %uint %old %outside
    OpStore %v %new
    OpBranch %next
    %next = OpLabel
    OpBranch %header
    %merge = OpLabel
    %result = OpLoad %uint %v)");
  ExpectContains(text, R"(  var v = 2u;
  while (v < 264u) {
    v += m1;
  }
  out[local_invocation_index] = v;)");
}

TEST(Print, LeavesLoopsFromTheMiddle) {
  std::string text = PrintShader("", R"(
    OpStore %v %n
    OpBranch %header
    %header = OpLabel
    OpLoopMerge %merge %next None
    OpBranch %body
    %body = OpLabel
    %old = OpLoad %uint %v
    %new = OpIAdd %uint %old %uint_2
    OpStore %v %new
    %stop = OpULessThan %bool %uint_264 %new
    OpBranchConditional %stop %merge %rest
    %rest = OpLabel
    %skip = OpIEqual %bool %new %uint_2
    OpBranchConditional %skip %next %more
    %more = OpLabel
    OpStore %v %uint_2
    OpBranch %next
    %next = OpLabel
    %last = OpLoad %uint %v
    %plus = OpIMul %uint %last %n
    OpStore %v %plus
    OpBranch %header
    %merge = OpLabel
    %result = OpLoad %uint %v)");
  ExpectContains(text, "if (264u < a1) {\n      break;\n    }");
  ExpectContains(text, "if (a1 == 2u) {\n      continue;\n    }");
  ExpectContains(text, "continuing {\n      v *= local_invocation_index;\n    }");
}

TEST(Print, ComputesNothingFromConstantsThatWgslWouldRefuse) {
  std::string text = PrintShader("%zero = OpConstant %float 0\n%one = OpConstant %float 1", R"(
    %infinite = OpFDiv %float %one %zero
    %log = OpExtInst %float %glsl Log %zero
    %sum = OpFAdd %float %infinite %log
    %result = OpBitcast %uint %sum)");
  ExpectContains(text, "let v1 = 1.0;\n  let v2 = 0.0;\n");
  ExpectContains(text, "bitcast<u32>(v1 / 0.0 + log(v2))");
}

// ---- What it refuses --------------------------------------------------------------------------

TEST(Print, RefusesUnknownInstructionsByName) {
  ExpectContains(ErrorOf("", "%result = OpBitReverse %uint %n"), "= OpBitReverse %uint");
  ExpectContains(ErrorOf("",
                         "%one = OpExtInst %uint %glsl FindILsb %n\n"
                         "%result = OpIAdd %uint %one %n"),
                 "FindILsb");
  ExpectContains(ErrorOf("", R"(
    OpSelectionMerge %merge None
    OpSwitch %n %merge 1 %case
    %case = OpLabel
    OpBranch %merge
    %merge = OpLabel
    %result = OpIAdd %uint %n %n)"),
                 "OpSwitch");
  ExpectContains(ErrorOf("", R"(
    %less = OpULessThan %bool %n %uint_2
    OpSelectionMerge %merge None
    OpBranchConditional %less %yes %merge
    %yes = OpLabel
    OpBranch %merge
    %merge = OpLabel
    %result = OpPhi %uint %n %entry %uint_2 %yes)"),
                 "OpPhi");
}

TEST(Print, RefusesUnknownStorageByName) {
  ExpectContains(ErrorOf(R"(
    %private = OpTypePointer Private %uint
    %global = OpVariable %private Private)",
                         "%result = OpLoad %uint %global"),
                 "Private");
}

TEST(Print, RefusesUnknownBuiltInsByName) {
  std::string text = Shader("", "%result = OpIAdd %uint %n %n");
  text.replace(text.find("LocalInvocationIndex"), 20, "SubgroupSize");
  text.replace(text.find("OpCapability Shader"), 19,
               "OpCapability Shader\nOpCapability GroupNonUniform");
  auto printed = Print(Assemble(text));
  ASSERT_FALSE(printed);
  ExpectContains(printed.error().message, "BuiltIn SubgroupSize");
}

TEST(Print, RefusesMemoryThatWgslLaysOutOtherwise) {
  std::string text = Shader("", "%result = OpIAdd %uint %n %n");
  text.replace(text.find("ArrayStride 4"), 13, "ArrayStride 8");
  auto printed = Print(Assemble(text));
  ASSERT_FALSE(printed);
  ExpectContains(printed.error().message, "array stride of 8 in buffer 'out'");
}

TEST(Print, RefusesWhatIsNotSpirv) {
  EXPECT_FALSE(Print({}));
  EXPECT_FALSE(Print({0x07230203}));
  EXPECT_FALSE(Print({0x07230203, 0x00010300, 0, 1, 0}));
  EXPECT_FALSE(Print({1, 2, 3, 4, 5, 6, 7, 8}));
}

// ---- Modules that someone has broken ----------------------------------------------------------

TEST(Print, SurvivesBrokenModules) {
  auto kernel = loop::Parse(R"(
    kernel @k(in %x: f32[64], in %i: i32[64], out %y: f32[64]) {
      workgroup %w: f32[64]
      register %acc: f32[16,4]
      for g in 1 workgroup.x {
        for t in 16 thread {
          %w[(t * 4) : 4] = select(t < 8, %x[(t * 4) : 4], splat(-inf, 4))
          for once in 1 { %acc[t, 0] = erf(%x[t]) % 3.0 }
        }
        for k in 3 {
          barrier
          for t in 9 thread {
            %acc[t, 0] += %w[(t + k) % 16] / f32(%i[t] / %i[t + 1])
            if %acc[t, 0] < 1.0 { %w[t * 4 + 1] = %acc[t, 0] }
          }
        }
        for t in 16 thread { %y[t] = %acc[t, 0] }
      }
    })");
  ASSERT_TRUE(kernel) << kernel.error().message;
  auto module = spirv::Emit(kernel.value());
  ASSERT_TRUE(module) << module.error().message;
  const std::vector<uint32_t>& words = module.value().words;
  ASSERT_TRUE(Print(words));
  std::mt19937 random(1);
  int printed = 0;
  for (int round = 0; round < 4000; ++round) {
    std::vector<uint32_t> broken = words;
    for (int changes = 1 + static_cast<int>(random() % 3); changes > 0; --changes) {
      size_t at = random() % broken.size();
      switch (random() % 4) {
        case 0: broken[at] = random(); break;
        case 1: broken[at] = random() % words[3]; break;
        case 2: broken[at] ^= 1u << (random() % 32); break;
        default: broken[at] = words[random() % words.size()]; break;
      }
    }
    if (random() % 20 == 0) broken.resize(random() % broken.size());
    // An error or a text; that it comes back is the test.
    printed += static_cast<bool>(Print(broken));
  }
  EXPECT_GT(printed, 0) << "no change was harmless enough to come as far as the printer";
}

}  // namespace
}  // namespace webnnc::wgsl
