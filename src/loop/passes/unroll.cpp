#include "loop/passes/unroll.h"

#include "loop/builder.h"
#include "loop/rewrite.h"

namespace webnnc::loop {

static Block UnrollBlock(Kernel& kernel, Block block) {
  Block out;
  for (Stmt& stmt : block) {
    if (auto* test = std::get_if<If>(&stmt))
      test->body = UnrollBlock(kernel, std::move(test->body));
    auto* loop = std::get_if<For>(&stmt);
    if (!loop) {
      out.push_back(std::move(stmt));
      continue;
    }
    loop->body = UnrollBlock(kernel, std::move(loop->body));
    if (loop->kind != LoopKind::kUnrolled) {
      out.push_back(std::move(stmt));
      continue;
    }
    Builder build(kernel);
    for (int64_t i = 0; i < loop->extent.value(); ++i) {
      for (Stmt& copy : CloneBlock(kernel, loop->body, {{loop->var, build.Int(i)}})) {
        out.push_back(std::move(copy));
      }
    }
  }
  return out;
}

void Unroll(Kernel& kernel) { kernel.body = UnrollBlock(kernel, std::move(kernel.body)); }

}  // namespace webnnc::loop
