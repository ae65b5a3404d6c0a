// Golden tests of the WGSL that a kernel becomes: a kernel as kernel_file.h describes it, and the
// text or the error it gives, both in one file.
//
//   ; What this test is about.
//   kernel @name(...) { ... }
//   schedule { ... }
//   ; EXPECT
//   <WGSL, or the error>
//
//   wgsl_golden FILE...            compares; prints what differs
//   wgsl_golden --update FILE...   rewrites everything below "; EXPECT"
//
// A file named fail_* must give an error, and no other file may.
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "base/file.h"
#include "spirv/emit.h"
#include "tests/wgsl/kernel_file.h"
#include "wgsl/print.h"

namespace webnnc::tests {
namespace {

Result<std::string> PrintKernel(const std::string& text) {
  TRY_ASSIGN(auto file, ParseKernelFile(text));
  TRY_ASSIGN(auto module, spirv::Emit(file.flat, {.features = file.features}));
  return wgsl::Print(module.words);
}

bool Test(const std::string& path, bool update) {
  auto content = ReadFile(path);
  std::string text = content ? content.value() : "", expect = "; EXPECT\n";
  size_t expect_at = text.find(expect);
  if (expect_at == std::string::npos) {
    std::cout << path << ": needs '; EXPECT'\n";
    return false;
  }
  auto printed = PrintKernel(text.substr(0, expect_at));
  std::string outcome = printed ? printed.value() : printed.error().message + "\n";
  bool must_fail = std::filesystem::path(path).filename().string().starts_with("fail_");
  if (must_fail == static_cast<bool>(printed)) {
    std::cout << path << (must_fail ? ": must fail, and did not\n" : ": FAILED\n") << outcome;
    return false;
  }
  size_t body = expect_at + expect.size();
  if (outcome == text.substr(body)) return true;
  if (update) {
    std::ofstream(path) << text.substr(0, body) << outcome;
    return true;
  }
  std::cout << path << ": FAILED\n---- expected\n"
            << text.substr(body) << "---- actual\n"
            << outcome;
  return false;
}

}  // namespace
}  // namespace webnnc::tests

int main(int argc, char** argv) {
  bool update = argc > 1 && !std::strcmp(argv[1], "--update");
  int failed = 0;
  for (int i = 1 + update; i < argc; ++i) failed += !webnnc::tests::Test(argv[i], update);
  std::cout << argc - 1 - update - failed << " passed, " << failed << " failed\n";
  return failed != 0;
}
