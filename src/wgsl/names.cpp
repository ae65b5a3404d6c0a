#include "wgsl/names.h"

#include <algorithm>
#include <string_view>

namespace webnnc::wgsl {

// WGSL's keywords and reserved words, then the types and functions that the printer writes. Sorted.
static constexpr std::string_view kReserved[] = {"NULL",
                                                 "Self",
                                                 "abs",
                                                 "abstract",
                                                 "active",
                                                 "alias",
                                                 "alignas",
                                                 "alignof",
                                                 "any",
                                                 "array",
                                                 "as",
                                                 "asm",
                                                 "asm_fragment",
                                                 "async",
                                                 "attribute",
                                                 "auto",
                                                 "await",
                                                 "become",
                                                 "bitcast",
                                                 "bool",
                                                 "break",
                                                 "case",
                                                 "cast",
                                                 "catch",
                                                 "ceil",
                                                 "clamp",
                                                 "class",
                                                 "co_await",
                                                 "co_return",
                                                 "co_yield",
                                                 "coherent",
                                                 "column_major",
                                                 "common",
                                                 "compile",
                                                 "compile_fragment",
                                                 "concept",
                                                 "const",
                                                 "const_assert",
                                                 "const_cast",
                                                 "consteval",
                                                 "constexpr",
                                                 "constinit",
                                                 "continue",
                                                 "continuing",
                                                 "cos",
                                                 "cosh",
                                                 "crate",
                                                 "debugger",
                                                 "decltype",
                                                 "default",
                                                 "delete",
                                                 "demote",
                                                 "demote_to_helper",
                                                 "diagnostic",
                                                 "discard",
                                                 "do",
                                                 "dynamic_cast",
                                                 "else",
                                                 "enable",
                                                 "enum",
                                                 "exp",
                                                 "exp2",
                                                 "explicit",
                                                 "export",
                                                 "extends",
                                                 "extern",
                                                 "external",
                                                 "f16",
                                                 "f32",
                                                 "fallthrough",
                                                 "false",
                                                 "filter",
                                                 "final",
                                                 "finally",
                                                 "floor",
                                                 "fn",
                                                 "for",
                                                 "friend",
                                                 "from",
                                                 "fxgroup",
                                                 "get",
                                                 "goto",
                                                 "groupshared",
                                                 "highp",
                                                 "i32",
                                                 "if",
                                                 "impl",
                                                 "implements",
                                                 "import",
                                                 "inline",
                                                 "instanceof",
                                                 "interface",
                                                 "layout",
                                                 "let",
                                                 "log",
                                                 "log2",
                                                 "loop",
                                                 "lowp",
                                                 "macro",
                                                 "macro_rules",
                                                 "match",
                                                 "max",
                                                 "mediump",
                                                 "meta",
                                                 "min",
                                                 "mod",
                                                 "module",
                                                 "move",
                                                 "mut",
                                                 "mutable",
                                                 "namespace",
                                                 "new",
                                                 "nil",
                                                 "noexcept",
                                                 "noinline",
                                                 "nointerpolation",
                                                 "non_coherent",
                                                 "noncoherent",
                                                 "noperspective",
                                                 "null",
                                                 "nullptr",
                                                 "of",
                                                 "operator",
                                                 "override",
                                                 "package",
                                                 "packoffset",
                                                 "partial",
                                                 "pass",
                                                 "patch",
                                                 "pixelfragment",
                                                 "precise",
                                                 "precision",
                                                 "premerge",
                                                 "priv",
                                                 "private",
                                                 "protected",
                                                 "pub",
                                                 "public",
                                                 "read",
                                                 "read_write",
                                                 "readonly",
                                                 "ref",
                                                 "regardless",
                                                 "register",
                                                 "reinterpret_cast",
                                                 "require",
                                                 "requires",
                                                 "resource",
                                                 "restrict",
                                                 "return",
                                                 "round",
                                                 "select",
                                                 "self",
                                                 "set",
                                                 "shared",
                                                 "sign",
                                                 "sin",
                                                 "sinh",
                                                 "sizeof",
                                                 "smooth",
                                                 "snorm",
                                                 "sqrt",
                                                 "static",
                                                 "static_assert",
                                                 "static_cast",
                                                 "std",
                                                 "storage",
                                                 "struct",
                                                 "subroutine",
                                                 "super",
                                                 "switch",
                                                 "tan",
                                                 "tanh",
                                                 "target",
                                                 "template",
                                                 "this",
                                                 "thread_local",
                                                 "throw",
                                                 "trait",
                                                 "true",
                                                 "trunc",
                                                 "try",
                                                 "type",
                                                 "typedef",
                                                 "typeid",
                                                 "typename",
                                                 "typeof",
                                                 "u32",
                                                 "uniform",
                                                 "union",
                                                 "unless",
                                                 "unorm",
                                                 "unsafe",
                                                 "unsized",
                                                 "use",
                                                 "using",
                                                 "var",
                                                 "varying",
                                                 "vec2",
                                                 "vec2f",
                                                 "vec2h",
                                                 "vec2i",
                                                 "vec2u",
                                                 "vec3",
                                                 "vec3f",
                                                 "vec3h",
                                                 "vec3i",
                                                 "vec3u",
                                                 "vec4",
                                                 "vec4f",
                                                 "vec4h",
                                                 "vec4i",
                                                 "vec4u",
                                                 "virtual",
                                                 "volatile",
                                                 "wgsl",
                                                 "where",
                                                 "while",
                                                 "with",
                                                 "workgroup",
                                                 "workgroupBarrier",
                                                 "writeonly",
                                                 "yield"};
static_assert(std::is_sorted(std::begin(kReserved), std::end(kReserved)));

// Letters, digits and single underscores, not starting with a digit.
static std::string Identifier(const std::string& name) {
  std::string out;
  for (char c : name) {
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    bool is_digit = c >= '0' && c <= '9';
    if (is_letter || (is_digit && !out.empty())) {
      out += c;
    } else if (!out.empty() && out.back() != '_') {
      out += '_';
    }
  }
  return out;
}

bool Names::IsFree(const std::string& name) const {
  return !taken_.count(name) &&
         !std::binary_search(std::begin(kReserved), std::end(kReserved), name);
}

const std::string& Names::Declare(SymbolId symbol) {
  std::string base = Identifier(module_.symbols[symbol].name), name = base, separator = "_";
  if (base.empty()) {
    base = module_.symbols[symbol].letter;
    separator = "";
  }
  while (name.empty() || !IsFree(name))
    name = base + separator + std::to_string(++numbered_[base + separator]);
  taken_[name] = symbol;
  scopes_.back().push_back(symbol);
  return names_[symbol] = std::move(name);
}

const std::string* Names::Find(SymbolId symbol) const {
  auto found = names_.find(symbol);
  return found == names_.end() ? nullptr : &found->second;
}

void Names::LeaveScope() {
  for (SymbolId symbol : scopes_.back()) {
    taken_.erase(names_.at(symbol));
    names_.erase(symbol);
  }
  scopes_.pop_back();
  // A function's temporaries are numbered from the beginning.
  if (scopes_.size() == 1) numbered_.clear();
}

}  // namespace webnnc::wgsl
