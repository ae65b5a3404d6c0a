#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "wgsl/syntax.h"

namespace webnnc::wgsl {

// Names the symbols of a module while it is written, each where it is declared.
//
// A name differs from all that are in scope there, so nothing is shadowed; loops beside each other
// may both count i.
class Names {
 public:
  explicit Names(const Module& module) : module_(module) {}

  // The name of a symbol that begins to be in scope.
  const std::string& Declare(SymbolId symbol);
  // Its name, or null if it is not in scope.
  const std::string* Find(SymbolId symbol) const;

  void EnterScope() { scopes_.emplace_back(); }
  void LeaveScope();

 private:
  bool IsFree(const std::string& name) const;

  const Module& module_;
  std::unordered_map<SymbolId, std::string> names_;
  std::unordered_map<std::string, SymbolId> taken_;
  std::vector<std::vector<SymbolId>> scopes_ = {{}};
  // How many of each name have been given out with a number.
  std::map<std::string, int> numbered_;
};

}  // namespace webnnc::wgsl
