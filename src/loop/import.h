#pragma once

#include <map>
#include <string>
#include <vector>

#include "loop/kernel.h"

namespace webnnc::loop {

// What a kernel consists of, put into another one: variables, expressions and buffers get copies
// there, but for buffers that are said to be some of the other's.
class Import {
 public:
  // `suffix` is added to the names of buffers that are copied.
  Import(Kernel& to, const Kernel& from, std::map<BufferId, BufferId> buffers,
         const std::string& suffix = "");

  // The kernel's statements, or some of them, in the other kernel.
  Block Statements() const { return Statements(from_.body); }
  Block Statements(const Block& block) const;

  BufferId Of(BufferId id) const { return buffers_.at(id); }
  VarId Of(VarId id) const { return vars_[static_cast<size_t>(id.index)]; }
  ExprId Of(ExprId id) const { return id.valid() ? exprs_[static_cast<size_t>(id.index)] : id; }

 private:
  Expr Renamed(Expr expr) const;

  const Kernel& from_;
  std::map<BufferId, BufferId> buffers_;
  std::vector<VarId> vars_;
  std::vector<ExprId> exprs_;
};

}  // namespace webnnc::loop
