#include "loop/passes/replace_symbols.h"

#include "loop/builder.h"
#include "loop/rewrite.h"

namespace webnnc::loop {

namespace {

using Sizes = std::map<std::string, Dim>;

Dim Replace(const Dim& dim, const Sizes& sizes);

Dim Replace(const DimAtom& atom, const Sizes& sizes) {
  if (atom.kind == DimAtom::Kind::kSymbol) {
    auto found = sizes.find(atom.symbol);
    return found == sizes.end() ? Dim::Symbol(atom.symbol) : found->second;
  }
  Dim a = Replace(atom.arguments->first, sizes), b = Replace(atom.arguments->second, sizes);
  switch (atom.kind) {
    case DimAtom::Kind::kFloorDiv: return FloorDiv(a, b);
    case DimAtom::Kind::kMod: return Mod(a, b);
    case DimAtom::Kind::kMin: return Min(a, b);
    case DimAtom::Kind::kMax: return Max(a, b);
    default: return BroadcastSize(a, b);
  }
}

Dim Replace(const Dim& dim, const Sizes& sizes) {
  Dim sum = dim.constant();
  for (const DimTerm& term : dim.terms()) {
    Dim product = term.coefficient;
    for (const DimAtom& atom : term.factors) product = product * Replace(atom, sizes);
    sum = sum + product;
  }
  return sum;
}

void ReplaceExtents(Block& block, const Sizes& sizes) {
  for (Stmt& stmt : block) {
    if (auto* loop = std::get_if<For>(&stmt)) {
      loop->extent = Replace(loop->extent, sizes);
      ReplaceExtents(loop->body, sizes);
    } else if (auto* test = std::get_if<If>(&stmt)) {
      ReplaceExtents(test->body, sizes);
    }
  }
}

}  // namespace

void ReplaceSymbols(Kernel& kernel, const Sizes& sizes) {
  for (Buffer& buffer : kernel.buffers) {
    for (Dim& size : buffer.type.shape) size = Replace(size, sizes);
  }
  ReplaceExtents(kernel.body, sizes);
  Builder build(kernel);
  ExprRewriter rewrite(kernel, [&](ExprId id, ExprId) {
    const Size* size = std::get_if<Size>(&kernel.exprs[id].node);
    return size ? build.Size(Replace(size->dim, sizes)) : id;
  });
  RewriteExprs(kernel.body, rewrite);
}

}  // namespace webnnc::loop
