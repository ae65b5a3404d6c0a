#pragma once

#include "plan/program.h"
#include "tensor/likely_sizes.h"

namespace webnnc::plan {

// Products whose results are too few tiles to keep a GPU busy are summed in parts, side by side,
// and the parts are added by a step of their own (loop/passes/factor_reduction.h; "split-K"):
//
//   run @matmul_add(%x, %w, %b, %y)    ->    run @matmul_add_0(%x, %w, %parts)
//                                            run @matmul_add_1(%parts, %b, %y)
//
// So are sums of few results, such as a norm's over few long rows, whose stages become steps of
// their own before (SplitStages). Whether it pays, and how many parts are best, is what the
// machine's cost model says.
void FactorReductions(Program& program, const LikelySizes& sizes);

}  // namespace webnnc::plan
