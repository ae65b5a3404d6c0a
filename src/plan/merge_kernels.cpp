#include "plan/merge_kernels.h"

#include <map>
#include <set>

#include "loop/builder.h"
#include "loop/parameters.h"
#include "loop/passes/collapse.h"
#include "loop/rewrite.h"
#include "loop/text.h"

namespace webnnc::plan {

namespace {

// The index into `to` of the element that `index` is in `from`: another shape of the same bytes.
loop::Index Reindex(loop::Builder& build, const Shape& from, const Shape& to,
                    const loop::Index& index) {
  if (from == to) return index;
  loop::ExprId flat = build.Int(0);
  for (size_t d = 0; d < from.size(); ++d)
    flat = build.Add(build.Mul(flat, build.Size(from[d])), index[d]);
  loop::Index out(to.size());
  for (size_t d = to.size(); d-- > 0;) {
    out[d] = d == 0 ? flat : build.FloorMod(flat, build.Size(to[d]));
    flat = build.FloorDiv(flat, build.Size(to[d]));
  }
  return out;
}

}  // namespace

void JoinRepeatedArguments(loop::Kernel& kernel, std::vector<BufferId>& arguments) {
  std::vector<loop::BufferId> parameters = loop::ParametersOf(kernel);
  std::map<std::pair<BufferId, Dim>, loop::BufferId> first;
  std::vector<BufferId> kept;
  for (size_t i = 0; i < arguments.size(); ++i) {
    Dim elements = ElementCount(kernel.buffers[parameters[i]].type.shape);
    auto [found, is_new] = first.emplace(std::pair(arguments[i], elements), parameters[i]);
    if (is_new) {
      kept.push_back(arguments[i]);
      continue;
    }
    loop::Builder build(kernel);
    loop::BufferId from = parameters[i], to = found->second;
    loop::ExprRewriter rewrite(kernel, [&](loop::ExprId id, loop::ExprId) {
      loop::Expr expr = kernel.exprs[id];
      auto* load = std::get_if<loop::Load>(&expr.node);
      if (!load || load->buffer != from) return id;
      return build.Load(to, Reindex(build, kernel.buffers[from].type.shape,
                                    kernel.buffers[to].type.shape, load->index));
    });
    loop::RewriteExprs(kernel.body, rewrite);
    // Nothing reads it any more: DropUnused takes it.
    kernel.buffers[from].space = loop::Space::kTemporary;
  }
  if (kept.size() == arguments.size()) return;
  arguments = std::move(kept);
  loop::DropUnused(kernel);
}

namespace {

void MergeKernels(Program& program, Place place) {
  std::vector<Launch*> launches = LaunchesOf(program);
  std::erase_if(launches, [&](const Launch* launch) { return launch->place != place; });
  // Each text once: kernels may have thousands of launches and long expressions.
  std::set<std::string> texts;
  std::vector<const std::string*> keys;
  for (const Launch* launch : launches) {
    const loop::Kernel& kernel = program.KernelsAt(place)[launch->kernel].plain;
    keys.push_back(&*texts.insert(KeyOf(program, *launch, kernel)).first);
  }
  std::map<const std::string*, KernelId> known;
  std::map<std::string, int> names;
  Kernels kernels;
  for (size_t l = 0; l < launches.size(); ++l) {
    auto [found, is_new] = known.emplace(keys[l], KernelId());
    if (is_new) {
      Kernel kernel = std::move(program.KernelsAt(place)[launches[l]->kernel]);
      int number = ++names[kernel.plain.name];
      if (number > 1) kernel.plain.name += "_" + std::to_string(number);
      found->second = kernels.Add(std::move(kernel));
    }
    launches[l]->kernel = found->second;
  }
  program.KernelsAt(place) = std::move(kernels);
}

}  // namespace

std::string KeyOf(const Program& program, const Launch& launch, loop::Kernel plain) {
  const Target target = program.TargetAt(launch.place);
  plain.name = "kernel";
  std::string key = loop::Print(plain);
  for (BufferId argument : launch.arguments) {
    const Buffer& buffer = program.buffers[argument];
    if (target.IsGpu()) key += buffer.kind == BufferKind::kWeight ? "w" : "a";
    DType stored = StoredType(target, buffer.dtype, StorageOf(buffer));
    key += std::string(Name(stored)) + " ";
  }
  for (const Dim& begin : launch.begins) key += Print(begin) + " ";
  return key;
}

void NameParameters(Program& program) {
  std::set<std::pair<Place, KernelId>> seen;
  for (Launch* launch : LaunchesOf(program)) {
    // Kernels that have launches in common already have no argument twice.
    if (!seen.insert({launch->place, launch->kernel}).second) continue;
    loop::Kernel& kernel = program.KernelsAt(launch->place)[launch->kernel].plain;
    JoinRepeatedArguments(kernel, launch->arguments);
    loop::NameByPlace(kernel);
  }
}

void MergeKernels(Program& program) {
  NameParameters(program);
  for (Place place : {Place::kDevice, Place::kHost}) MergeKernels(program, place);
}

}  // namespace webnnc::plan
