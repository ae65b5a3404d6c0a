#include "onnx/operators.h"

#include <algorithm>

namespace webnnc::onnx {

static bool Before(const Operator& a, const Operator& b) {
  return a.domain != b.domain ? a.domain < b.domain : a.name < b.name;
}

static std::vector<Operator> AllFamilies() {
  std::vector<Operator> all;
  for (std::span<const Operator> family : {ActivationOperators(),
                                           AttentionOperators(),
                                           BlockQuantizedOperators(),
                                           ControlOperators(),
                                           ElementwiseOperators(),
                                           ExpertOperators(),
                                           FlexAttentionOperators(),
                                           FusedAttentionOperators(),
                                           FusedNormalizationOperators(),
                                           GroupQueryOperators(),
                                           IndexingOperators(),
                                           IntegerProductOperators(),
                                           LinearAttentionOperators(),
                                           LossOperators(),
                                           MatrixOperators(),
                                           NgramOperators(),
                                           NormalizationOperators(),
                                           OrderedOperators(),
                                           ProductOperators(),
                                           QuantizationOperators(),
                                           QuantizedOperators(),
                                           RandomOperators(),
                                           RecurrentOperators(),
                                           ReductionOperators(),
                                           RegionOperators(),
                                           ResizeOperators(),
                                           SamplingOperators(),
                                           ScanOperators(),
                                           SelectionOperators(),
                                           SequenceOperators(),
                                           ShapeOperators(),
                                           SignalOperators(),
                                           SignalWindowOperators(),
                                           SliceOperators(),
                                           SourceOperators(),
                                           SuppressionOperators(),
                                           WindowOperators()})
    all.insert(all.end(), family.begin(), family.end());
  std::sort(all.begin(), all.end(), Before);
  // Each has one row.
  CHECK(std::adjacent_find(all.begin(), all.end(), std::not_fn(Before)) == all.end());
  return all;
}

const std::vector<Operator>& Operators() {
  static const std::vector<Operator> kAll = AllFamilies();
  return kAll;
}

const Operator* FindOperator(std::string_view domain, std::string_view name) {
  if (domain == "ai.onnx") domain = "";
  const Operator wanted{domain, name, 0, nullptr};
  const std::vector<Operator>& all = Operators();
  auto found = std::lower_bound(all.begin(), all.end(), wanted, Before);
  bool same = found != all.end() && found->domain == domain && found->name == name;
  return same ? &*found : nullptr;
}

}  // namespace webnnc::onnx
