#include "plan/repack_weights.h"

#include <algorithm>

#include "loop/parameters.h"
#include "schedule/pack.h"

namespace webnnc::plan {

namespace {

// The weight with its columns in other panels; the one that is there, if there is.
WeightId Repacked(IdVector<WeightTag, Weight>& weights, WeightId source,
                  const schedule::Packed& packed) {
  Weight weight;
  weight.name = weights[source].name;
  weight.type = packed.to;
  weight.packed_from = source;
  weight.packing =
      std::to_string(packed.counts) + "/" + Print(packed.from) + "/" + Print(packed.to);
  for (int32_t w = 0; w < weights.size(); ++w) {
    const Weight& known = weights[WeightId{w}];
    if (known.packed_from == source && known.packing == weight.packing) return WeightId{w};
  }
  weight.data = TensorData::Own(schedule::Repack(weights[source].data.bytes(), packed));
  return weights.Add(std::move(weight));
}

}  // namespace

void RepackWeights(Program& program, IdVector<WeightTag, Weight>& weights) {
  for (Launch* launch : LaunchesOf(program)) {
    if (launch->place != Place::kDevice) continue;
    const Kernel& kernel = program.kernels[launch->kernel];
    const std::vector<loop::BufferId> parameters = loop::ParametersOf(kernel.plain);
    for (const schedule::Packed& packed : schedule::PackedBy(kernel.plain, kernel.schedule)) {
      const auto at = std::find(parameters.begin(), parameters.end(), packed.buffer);
      BufferId& argument = launch->arguments[static_cast<size_t>(at - parameters.begin())];
      const WeightId id = Repacked(weights, program.buffers[argument].weight, packed);
      argument = WeightBuffer(program, weights, id);
    }
  }
}

}  // namespace webnnc::plan
