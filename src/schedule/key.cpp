#include "schedule/key.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cinttypes>
#include <cstdio>
#include <map>
#include <set>
#include <vector>

#include "loop/passes/replace_symbols.h"
#include "loop/rewrite.h"
#include "loop/stage.h"
#include "loop/text.h"

namespace webnnc::schedule {

namespace {

// In the order in which the kernel speaks of them.
std::vector<std::string> SymbolsOf(const loop::Kernel& kernel) {
  std::vector<std::string> symbols;
  std::set<std::string> known;
  auto note = [&](const Dim& size) {
    std::set<std::string> found;
    size.CollectSymbols(found);
    for (const std::string& symbol : found) {
      if (known.insert(symbol).second) symbols.push_back(symbol);
    }
  };
  for (const loop::Buffer& buffer : kernel.buffers) {
    for (const Dim& size : buffer.type.shape) note(size);
  }
  for (const loop::Stage& stage : loop::StagesOf(kernel)) {
    if (stage.ordered) note(stage.ordered->extent);
    for (const loop::StageLoop& loop : stage.loops) note(loop.extent);
    loop::ForEachRoot(stage, [&](loop::ExprId root) {
      loop::ForEachExpr(kernel, root, [&](loop::ExprId id) {
        if (auto* size = std::get_if<loop::Size>(&kernel.exprs[id].node)) note(size->dim);
      });
    });
  }
  return symbols;
}

}  // namespace

std::string CanonicalText(const loop::Kernel& plain, const LikelySizes& sizes) {
  loop::Kernel kernel = plain;
  kernel.name = "kernel";
  int32_t next = 0;
  for (loop::Buffer& buffer : kernel.buffers) buffer.name = "b" + std::to_string(next++);
  std::map<std::string, Dim> renamed;
  std::string likely;
  for (const std::string& symbol : SymbolsOf(plain)) {
    Dim size = Dim::Symbol(symbol);
    std::string name = "s" + std::to_string(renamed.size());
    renamed.emplace(symbol, Dim::Symbol(name));
    char text[128];
    std::snprintf(text, sizeof(text), "%.0f..%.0f..%.0f", sizes.Low(size), sizes.Typical(size),
                  sizes.High(size));
    likely += name + " = " + text + "\n";
  }
  if (!renamed.empty()) loop::ReplaceSymbols(kernel, renamed);
  return likely + loop::Print(kernel);
}

std::string KeyOf(const loop::Kernel& plain, const LikelySizes& sizes) {
  std::string text = CanonicalText(plain, sizes);
  char key[17];
  std::snprintf(key, sizeof(key), "%016" PRIx64, uint64_t{XXH64(text.data(), text.size(), 0)});
  return key;
}

bool IsKey(const std::string& text) {
  return text.size() == 16 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string TitleOf(const loop::Kernel& plain) {
  std::string in, out;
  for (const loop::Buffer& buffer : plain.buffers) {
    if (buffer.space == loop::Space::kIn) in += " " + webnnc::Print(buffer.type);
    if (buffer.space == loop::Space::kOut) out += " " + webnnc::Print(buffer.type);
  }
  return plain.name + in + " ->" + out;
}

}  // namespace webnnc::schedule
