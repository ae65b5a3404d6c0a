// How much a program computes and moves.
#pragma once

#include "plan/program.h"
#include "target/machine.h"

namespace webnnc::plan {

// The multiply-adds of a plain kernel, as papers count the work of networks: one for each product
// that is added to a sum. Other arithmetic does not count.
Dim MultiplyAdds(const loop::Kernel& plain);

// All arithmetic of a plain kernel on elements that it reads: each operation counts as one, so that
// a multiply-add is two. It counts once for all iterations that give the same: of a sum over k of
// exp(x[i,k]) * w[k,j], exp counts for each i and k. What finds elements does not count.
Dim Operations(const loop::Kernel& plain);

// How many elements of each parameter a plain kernel reads or writes, in the order of its
// parameters. Each counts once as far as that can be seen: never more than there are, and never
// more than there are iterations that tell them apart.
std::vector<Dim> ElementsTouched(const loop::Kernel& plain);

// The bytes that a launch has to move, whose kernel touches so many elements of each argument.
Dim BytesMoved(const Program& program, const Launch& launch, const std::vector<Dim>& touched);

// What the machine takes at the least to compute as much and to move as much (a roofline).
double LeastSeconds(double operations, double bytes, const Machine& machine);

}  // namespace webnnc::plan
