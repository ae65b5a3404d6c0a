// Writes random kernels for run_cases: expressions of all types, weights and activations, vectors,
// guarded and indirect accesses, sums, conditions, and exchange through workgroup memory.
//
//   random_kernels FOLDER COUNT
//
// The same kernels every time. What they compute is exact, or well conditioned: integers of 64 bits
// are kept small, floats bounded, and no condition depends on a float that was computed.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace webnnc::tests {
namespace {

constexpr int kElements = 64, kThreads = 32, kInputElements = 80;
constexpr DType kIntegers[] = {DType::kI8,  DType::kU8,  DType::kI16, DType::kU16,
                               DType::kI32, DType::kU32, DType::kI64};

class KernelWriter {
 public:
  explicit KernelWriter(uint32_t seed) : random_(seed) {
    lanes_ = Chance(3) ? (Chance(2) ? 4 : 2) : 1;
    half_ = !Chance(4);
    ChooseInputs();
  }

  std::string Write(const std::string& name) {
    std::string weights, parameters, body;
    for (const Input& input : inputs_) {
      if (input.is_weight) weights += " %" + input.name;
      parameters += "in %" + input.name + ": " + Type(input.dtype) + "[80], ";
    }
    for (DType dtype : {DType::kI32, DType::kF32, Pick(kIntegers)}) body += WriteOutput(dtype);
    for (size_t i = 0; i < outputs_.size(); ++i) {
      parameters += (i ? ", out " : "out ") + outputs_[i];
    }
    std::string header = std::string("; legalize ") + (half_ ? "" : "without half") + weights +
                         "\n; tolerance 2e-3\n";
    for (const Input& input : inputs_) header += InputLine(input);
    return header + "kernel @" + name + "(" + parameters + ") {\n" + locals_ +
           "  for g in 2 workgroup.x {\n" + body + "  }\n}\n";
  }

 private:
  struct Input {
    std::string name;
    DType dtype;
    bool is_weight;
  };

  // ---- Choosing

  int Below(int n) { return static_cast<int>(random_() % static_cast<uint32_t>(n)); }
  bool Chance(int one_in) { return Below(one_in) == 0; }
  template <typename T, size_t kCount>
  T Pick(const T (&choices)[kCount]) {
    return choices[static_cast<size_t>(Below(static_cast<int>(kCount)))];
  }
  static std::string Type(DType dtype) { return std::string(Name(dtype)); }

  // WebGPU binds at least eight buffers, of which outputs are three.
  void ChooseInputs() {
    std::vector<DType> types = {DType::kI32, DType::kF32, Pick(kIntegers), Pick(kIntegers),
                                Chance(2) ? DType::kBool : Pick(kIntegers)};
    if (!half_) types[4] = DType::kF16;
    for (size_t i = 0; i < types.size(); ++i) {
      // Without f16, f16 is what weights are in.
      bool is_weight = types[i] == DType::kF16 || Chance(2);
      inputs_.push_back({std::string(1, static_cast<char>('a' + i)), types[i], is_weight});
    }
  }

  std::string InputLine(const Input& input) {
    std::string line = "; input %" + input.name;
    if (IsFloat(input.dtype)) return line + " range -2 2\n";
    if (input.dtype == DType::kI64) return line + " values -1000 -5 0 3 1000 77 -128 255\n";
    if (input.dtype == DType::kBool) return line + " values 0 1 1 0 0 1 0\n";
    return line +
           " values 0 1 -1 127 -128 255 3 -7 32767 -32768 65535 12 2147483647 -2147483648 "
           "100000 -99999 5\n";
  }

  // ---- Places

  // The thread's element, of `lanes_`.
  std::string Here() const {
    return lanes_ == 1 ? "g * 32 + t" : "g * 32 + t * " + std::to_string(lanes_);
  }

  std::string Access(const std::string& buffer, const std::string& index, int lanes) {
    if (lanes == 1) return "%" + buffer + "[" + index + "]";
    return "%" + buffer + "[(" + index + ") : " + std::to_string(lanes) + "]";
  }

  std::string Load(const Input& input, int lanes) {
    std::string shift = std::to_string(Below(13)), last = std::to_string(kInputElements - lanes);
    std::string here = lanes == 1 ? "g * 32 + t" : Here();
    switch (Below(lanes == 1 ? 6 : 3)) {
      case 0: return Access(input.name, here, lanes);
      case 1: return Access(input.name, here + " + " + shift + (loop_ ? " + k" : ""), lanes);
      case 2: return Access(input.name, last + " - (" + here + ")", lanes);
      case 3: return Access(input.name, "(" + here + ") * 3 % 80", lanes);
      case 4: return Access(input.name, "floormod(%a[" + here + "], 80)", lanes);
      default: return Access(input.name, "floordiv(" + here + " + " + shift + ", 2)", lanes);
    }
  }

  // A load whose index is outside the buffer where the condition does not hold.
  std::string GuardedLoad(const Input& input) {
    std::string index = "(g * 32 + t) * 2 - " + std::to_string(Below(40));
    std::string inside = "and(0 <= " + index + ", " + index + " < 80)";
    return "select(" + inside + ", " + Access(input.name, index, 1) + ", " +
           Constant(input.dtype, 1) + ")";
  }

  // ---- Expressions

  std::string Splat(const std::string& scalar, int lanes) {
    return lanes == 1 ? scalar : "splat(" + scalar + ", " + std::to_string(lanes) + ")";
  }

  std::string Constant(DType dtype, int lanes) {
    if (dtype == DType::kBool) return Splat(Chance(2) ? "true" : "false", lanes);
    if (IsFloat(dtype)) {
      return Splat(std::to_string(Below(400) / 100.0 - 2) + ":" + Type(dtype), lanes);
    }
    int value = Below(4) ? Below(12) : 100;
    if (IsSigned(dtype) && Chance(2)) value = -value;
    return Splat(std::to_string(value) + ":" + Type(dtype), lanes);
  }

  const Input* InputOf(DType dtype) {
    std::vector<const Input*> fits;
    for (const Input& input : inputs_) {
      if (input.dtype == dtype) fits.push_back(&input);
    }
    if (fits.empty()) return nullptr;
    return fits[static_cast<size_t>(Below(static_cast<int>(fits.size())))];
  }

  std::string Leaf(DType dtype, int lanes) {
    const Input* input = Chance(5) ? nullptr : InputOf(dtype);
    if (!input && dtype == DType::kI32 && Chance(2)) return Splat("t", lanes);
    if (!input) return Constant(dtype, lanes);
    return lanes == 1 && Chance(5) ? GuardedLoad(*input) : Load(*input, lanes);
  }

  std::string Expression(DType dtype, int depth, int lanes) {
    if (depth == 0 || Chance(8)) return Leaf(dtype, lanes);
    if (Chance(8)) {
      return "select(" + Expression(DType::kBool, depth - 1, lanes) + ", " +
             Expression(dtype, depth - 1, lanes) + ", " + Expression(dtype, depth - 1, lanes) + ")";
    }
    if (dtype == DType::kBool) return Condition(depth, lanes);
    if (IsFloat(dtype)) return Real(depth, lanes);
    if (dtype == DType::kI64) return Small(depth, lanes);
    return Integer(dtype, depth, lanes);
  }

  std::string Condition(int depth, int lanes) {
    auto of = [&](DType dtype) { return Expression(dtype, depth - 1, lanes); };
    DType integer = Pick(kIntegers);
    switch (Below(6)) {
      case 0: return "(" + of(integer) + " < " + of(integer) + ")";
      case 1: return "(" + of(integer) + " <= " + of(integer) + ")";
      case 2: return "(" + of(integer) + (Chance(2) ? " == " : " != ") + of(integer) + ")";
      case 3:
        return std::string(Chance(2) ? "and(" : "xor(") + of(DType::kBool) + ", " +
               of(DType::kBool) + ")";
      case 4: return "not(" + of(DType::kBool) + ")";
      default: return "(" + Leaf(DType::kF32, lanes) + " < " + Leaf(DType::kF32, lanes) + ")";
    }
  }

  std::string Integer(DType dtype, int depth, int lanes) {
    static constexpr const char* kInfix[] = {" + ", " - ", " * ", " / ", " % "};
    static constexpr const char* kCalls[] = {"floordiv", "floormod", "min", "max",
                                             "and",      "or",       "xor"};
    static constexpr const char* kUnary[] = {"neg", "abs", "sign", "bitnot"};
    auto of = [&] { return Expression(dtype, depth - 1, lanes); };
    auto masked = [&](int mask) {
      return "and(" + of() + ", " + Splat(std::to_string(mask) + ":" + Type(dtype), lanes) + ")";
    };
    switch (Below(8)) {
      case 0: return std::string(Pick(kUnary)) + "(" + of() + ")";
      case 1: return (Chance(2) ? "shl(" : "shr(") + of() + ", " + masked(7) + ")";
      case 2: return Type(dtype) + "(" + Expression(Pick(kIntegers), depth - 1, lanes) + ")";
      case 3: return Type(dtype) + "(" + Expression(DType::kBool, depth - 1, lanes) + ")";
      case 4:
        if (Chance(3)) return "pow(" + of() + ", " + masked(3) + ")";
        return Type(dtype) + "(" + Leaf(DType::kF32, lanes) + " * " + Splat("100.0", lanes) + ")";
      case 5: return std::string(Pick(kCalls)) + "(" + of() + ", " + of() + ")";
      default: return "(" + of() + Pick(kInfix) + of() + ")";
    }
  }

  // Of 64 bits: all numbers are from -1000 to 1000.
  std::string Small(int depth, int lanes) {
    static constexpr const char* kInfix[] = {" + ", " - ", " * ", " / ", " % "};
    static constexpr DType kFit[] = {DType::kI8, DType::kU8, DType::kI16, DType::kI32};
    auto of = [&] { return Expression(DType::kI64, depth - 1, lanes); };
    std::string value;
    switch (Below(5)) {
      case 0: value = "i64(" + Expression(Pick(kFit), depth - 1, lanes) + ")"; break;
      case 1: value = "shr(" + of() + ", and(" + of() + ", " + Splat("63:i64", lanes) + "))"; break;
      case 2: value = "floormod(" + of() + ", " + of() + ")"; break;
      default: value = "(" + of() + Pick(kInfix) + of() + ")"; break;
    }
    return "max(min(" + value + ", " + Splat("1000:i64", lanes) + "), " +
           Splat("-1000:i64", lanes) + ")";
  }

  // All numbers are from -4 to 4 or so.
  std::string Real(int depth, int lanes) {
    static constexpr const char* kInfix[] = {" + ", " - ", " * "};
    static constexpr const char* kCalls[] = {"tanh", "erf", "sin", "cos", "atan", "neg", "abs"};
    auto of = [&] { return Expression(DType::kF32, depth - 1, lanes); };
    auto number = [&](const char* text) { return Splat(text, lanes); };
    switch (Below(7)) {
      case 0: return std::string(Pick(kCalls)) + "(" + of() + ")";
      case 1: return "exp(min(" + of() + ", " + number("1.0") + "))";
      case 2: return "sqrt(abs(" + of() + ") + " + number("0.5") + ")";
      case 3: return "(" + of() + " / (abs(" + of() + ") + " + number("1.0") + "))";
      case 4:
        return "(f32(" + Expression(DType::kI8, depth - 1, lanes) + ") * " + number("0.01") + ")";
      case 5:
        if (!half_) return "f32(" + Leaf(DType::kF16, lanes) + ")";
        return (Chance(2) ? "min(" : "max(") + of() + ", " + of() + ")";
      default:
        return "max(min(" + of() + Pick(kInfix) + of() + ", " + number("4.0") + "), " +
               number("-4.0") + ")";
    }
  }

  // ---- Statements

  static std::string Line(const std::string& text) {
    // A loop around a store ends its expression, which a "%" behind it would go on.
    return "      for once in 1 {\n        " + text + "\n      }\n";
  }

  // Threads that have `lanes_` elements each, all or some of them.
  std::string Threads(const std::string& body, bool all) {
    int threads = kThreads / lanes_;
    if (!all) threads = 1 + Below(threads);
    return "    for t in " + std::to_string(threads) + " thread {\n" + body + "    }\n";
  }

  std::string WriteOutput(DType dtype) {
    std::string number = std::to_string(outputs_.size()), out = "y" + number;
    constexpr int kParts = 3;
    outputs_.push_back("%" + out + ": " + Type(dtype) + "[" + std::to_string(kParts * kElements) +
                       "]");
    std::string text;
    for (int part = 0; part < kParts; ++part) {
      std::string place = std::to_string(part * kElements) + " + " + Here();
      std::string target = Access(out, place, lanes_) + " = ";
      int way = Below(4);
      if (way == 0 && lanes_ == 1) {
        text += Sum(dtype, number + "_" + std::to_string(part), target);
      } else if (way == 1) {
        text += Exchange(dtype, number + "_" + std::to_string(part), target);
      } else if (way == 2 && lanes_ == 1) {
        text += Threads("      if " + Expression(DType::kBool, 2, 1) + " {\n" +
                            Line(target + Expression(dtype, 3, 1)) + "      }\n",
                        false);
      } else {
        text += Threads(Line(target + Expression(dtype, 4, lanes_)), Chance(2));
      }
    }
    return text;
  }

  // In a register, term by term.
  std::string Sum(DType dtype, const std::string& number, const std::string& target) {
    std::string sum = "sum" + number, own = "%" + sum + "[t]";
    locals_ += "  register %" + sum + ": " + Type(dtype) + "[32]\n";
    std::string body = Line(own + " = " + Leaf(dtype, 1));
    loop_ = true;
    std::string term = Expression(dtype, 2, 1);
    loop_ = false;
    static constexpr const char* kUpdates[] = {" += ", " max= ", " min= ", " += "};
    const char* update = dtype == DType::kI64 ? " max= " : Pick(kUpdates);
    body += "      for k in 3 {\n  " + Line(own + update + term) + "      }\n";
    return Threads(body + Line(target + own), true);
  }

  // Through workgroup memory, to another thread.
  std::string Exchange(DType dtype, const std::string& number, const std::string& target) {
    std::string shared = "shared" + number, own = "t * " + std::to_string(lanes_);
    locals_ += "  workgroup %" + shared + ": " + Type(dtype) + "[32]\n";
    std::string last = std::to_string(kThreads - lanes_) + " - ";
    std::string write = Line(Access(shared, own, lanes_) + " = " + Expression(dtype, 3, lanes_));
    std::string read = Line(target + Access(shared, last + own, lanes_));
    return Threads(write, true) + "    barrier\n" + Threads(read, Chance(2)) + "    barrier\n";
  }

  std::mt19937 random_;
  int lanes_ = 1;
  bool half_ = true, loop_ = false;
  std::vector<Input> inputs_;
  std::vector<std::string> outputs_;
  std::string locals_;
};

}  // namespace
}  // namespace webnnc::tests

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: random_kernels FOLDER COUNT\n";
    return 2;
  }
  std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  int count = std::stoi(argv[2]);
  for (int i = 0; i < count; ++i) {
    std::string name = "random_" + std::to_string(i);
    webnnc::tests::KernelWriter writer(static_cast<uint32_t>(i));
    std::ofstream(folder / (name + ".kernel")) << writer.Write(name);
  }
  return 0;
}
