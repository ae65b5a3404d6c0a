#include "loop/passes/replace_symbols.h"

#include "loop/builder.h"
#include "loop/rewrite.h"
#include "tensor/substitute.h"

namespace webnnc::loop {

namespace {

void ReplaceExtents(Block& block, const SymbolSizes& sizes) {
  for (Stmt& stmt : block) {
    if (auto* loop = std::get_if<For>(&stmt)) {
      loop->extent = Substitute(loop->extent, sizes);
      ReplaceExtents(loop->body, sizes);
    } else if (auto* test = std::get_if<If>(&stmt)) {
      ReplaceExtents(test->body, sizes);
    }
  }
}

}  // namespace

void ReplaceSymbols(Kernel& kernel, const SymbolSizes& sizes) {
  for (Buffer& buffer : kernel.buffers) {
    for (Dim& size : buffer.type.shape) size = Substitute(size, sizes);
  }
  ReplaceExtents(kernel.body, sizes);
  Builder build(kernel);
  ExprRewriter rewrite(kernel, [&](ExprId id, ExprId) {
    const Size* size = std::get_if<Size>(&kernel.exprs[id].node);
    return size ? build.Size(Substitute(size->dim, sizes)) : id;
  });
  RewriteExprs(kernel.body, rewrite);
}

}  // namespace webnnc::loop
