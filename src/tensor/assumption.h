// What sizes must be so that a model can run: what cannot be told while it is compiled.
//
//   %y = add(%x, %table)   of f32[batch,seq,4] and f32[1,min(40,seq),4]:   min(40,seq) == seq
//   %y = add(%a, %b)       of f32[n,4] and f32[m,4]:   n == m, or one of them is 1
//
// Compiled models check it whenever their sizes change.
#pragma once

#include <string>
#include <vector>

#include "tensor/dim.h"

namespace webnnc {

struct Assumption {
  // What broadcasts is equal, or one of the two is 1.
  enum class Relation : uint8_t { kEqual, kLessEqual, kBroadcasts };
  Dim left;
  Relation relation = Relation::kEqual;
  Dim right;
  // The node of the ONNX model that needs it. Two assumptions are the same whatever node that is.
  std::string origin = {};

  friend bool operator==(const Assumption& a, const Assumption& b) {
    bool same = a.left == b.left && a.right == b.right;
    bool swapped = a.relation == Relation::kBroadcasts && a.left == b.right && a.right == b.left;
    return a.relation == b.relation && (same || swapped);
  }
};

bool Holds(const Assumption& assumption, const SymbolValues& symbols);

// Sizes of which none is negative if the assumption holds, and only then.
std::vector<Dim> NotNegativeIf(const Assumption& assumption);

// "min(40,seq) == seq", "n == m, or one of them is 1"
std::string Print(const Assumption& assumption);
// The same with its node, for people.
std::string Describe(const Assumption& assumption);
Result<Assumption> ParseAssumption(Lexer& lexer);

}  // namespace webnnc
