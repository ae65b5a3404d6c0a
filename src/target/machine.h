// How wide a machine is, what fits into it, and what things take there: all numbers that rules and
// cost models count with. Choices made by them make a model fast or slow; results are the same on
// every machine that meets the limits. What sizes are likely to be is in tensor/likely_sizes.h,
// what results may be off by in schedule/accuracy.h.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace webnnc {

struct Machine {
  // What --device and measured schedules call it.
  std::string_view name;
  std::string_view description;

  // Elements of 4 bytes in a vector: 128 bits on wasm, vec4 in shaders.
  static constexpr int64_t kLanes = 4;
  // Vectors of a packed weight that are neighbours (plan::PackWeights). All targets read the same.
  static constexpr int64_t kPanelVectors = 2, kPanelWidth = kPanelVectors * kLanes;
  // Of fewer columns no panels are made.
  static constexpr int64_t kFewestPacked = 4;
  // Partial sums that one thread adds one by one: each barrier takes longer than a few of them. Of
  // more, all threads add halves.
  static constexpr int64_t kFewParts = 16;
  // Threads of a subgroup at the least. How many it has is the device's matter.
  static constexpr int64_t kSmallestSubgroup = 4;
  // Rows and columns of a fragment of a matrix, and threads of the subgroups that hold them.
  static constexpr int64_t kFragment = 16, kFragmentThreads = 32;
  // Of a vector type, and copies that unrolled loops make of a kernel's statements: each takes time
  // to compile.
  static constexpr int64_t kMostLanes = 64;
  static constexpr double kMostCopies = 2048;

  // ---- What fits. Limits that a page must ask for, if they are more than WebGPU's defaults.

  // Buffers that a kernel binds: maxStorageBuffersPerShaderStage.
  int64_t max_buffers = 1 << 20;
  int64_t max_threads = 1;      // maxComputeInvocationsPerWorkgroup
  int64_t workgroup_bytes = 0;  // maxComputeWorkgroupStorageSize
  // Of a thread: what registers hold, and what is in memory if there is no other way.
  int64_t register_bytes = 0, spilled_bytes = 0;
  // Workgroups run side by side on this many cores.
  int64_t cores = 1;
  // Threads that one core needs to hide the time that memory takes.
  int64_t threads_per_core = 1;
  // Cycles a second of a core.
  double clock = 1.5e9;
  // Seconds from the end of a kernel to the start of one that needs what it computed, and bytes a
  // second that all cores together read and write of tensors.
  double launch = 4e-6, bandwidth = 3e11;

  // ---- Products and windows in one thread's registers, on the CPU

  struct Tiles {
    // Rows of a product's tile of kPanelVectors vectors. Engines on x64 have 15 vector registers
    // for accumulators, the vectors of one side and an element of the other in all lanes; without
    // fused multiply-add a product takes one more. Engines that have it are also those that keep
    // the order of instructions, so that more of a tile fits into registers.
    int64_t rows = 4, rows_fused = 6;
    // The same of integers that are multiplied in pairs (a quantised MobileNetV2 takes 17.7 ms with
    // 5, 18.6 with 4 and 20.1 with 6), and of tiles of two panels, whose pairs are made before.
    int64_t rows_paired = 5, rows_wide = 2;
    // Panels at once where there are no rows to share one.
    int64_t panels = 4;
    // In rows: the loop around a tile, and the vectors' loads; of a window, what its neighbours
    // share.
    double overhead = 1.2, window_overhead = 1.5;
    int64_t window_neighbours = 4;
    // Phases of a stride that become loops of their own.
    int64_t phases = 4;
    // Sums of fewer elements take no longer than to look whether they are inside of the borders.
    // Then borders run apart, if a loop is this many times as long as both.
    int64_t border_sum = 8;
    // Vectors of elementwise work, and of a reduction's results, that are computed side by side.
    int64_t map_vectors = 2, result_vectors = 4;
    // Of sums that take an addition or a product each: as many as registers hold, and cycles of one
    // that waits for the one before; of a term's loop, and of each vector in it.
    int64_t most_result_vectors = 10;
    double addition = 4, sum_step = 1, sum_vector = 0.5;
    // Vectors that one sum is kept in.
    int64_t sum_vectors = 4;
    // Vectors are side by side in loops that have at least so many times as many; in maps.
    int64_t rounds = 2, map_rounds = 4;
    // Where less than this is read at a stretch, indices are worth a version without broadcasts.
    double short_stretch = 16;
    // Copies that a window's sums are unrolled to.
    int64_t unrolled_sums = 12;
  } tiles;

  // Bytes of each, as far as a schedule may count on them, and cycles that a byte takes from there
  // to where it is used.
  struct Caches {
    double l1 = 24e3, l2 = 384e3, l3 = 8e6;
    double from_l2 = 0.02, from_l3 = 0.06, from_memory = 0.2;
    // Cycles until what is read one after another, and comes from beyond the second cache, is read
    // ahead.
    double stream = 200;
    // How much of it is seen where what comes next is read ahead.
    double read_ahead = 0.25;
  } caches;

  // ---- Work that a GPU's threads divide

  struct Threads {
    // Part of all threads that are enough to be busy.
    double enough = 0.5;
    // Of a workgroup where each thread works for itself, and of one that shares a row at least.
    int64_t alone = 64, sharing = 32;
    // Threads that share a sum should still have a few terms each; short sums are not shared.
    double fewest_terms = 4, short_sum = 32;
    // Neighbours that memory is read for in pieces of 32 bytes.
    int64_t in_a_line = 8, in_half_a_vector = 2;
    // Copies that a window's sums are unrolled to.
    int64_t unrolled_sums = 9;
    // Rows of a product that a thread computes all of, so that it reads columns once.
    int64_t most_rows = 8;
    // Rows up to this length get a thread each; of longer ones a thread takes this many elements.
    double short_row = 32, elements = 4;
    // Of many rows up to this length a workgroup takes several.
    double longest_side_by_side = 256;
    // Few rows longer than this are no reason to keep stages together whose loops differ.
    double parted_row = 64;
    // A thread that works alone does no more than this; and in cycles, how long it waits for a
    // step's memory.
    double longest_alone = 1024, step_alone = 450;
  } threads;

  // Cycles of a product in tiles, roughly: what a core must issue, move between its memories and
  // wait for. Fitted to 92 products of transformers with up to 44 tilings each on a GPU of 132
  // cores (an H200): what is chosen takes 11 % longer on average than the best of them.
  struct Products {
    double warp = 32;
    // Of a workgroup. A tile is less than so many times as large as the problem.
    int64_t fewest_threads = 32;
    double oversize = 2;
    // Vectors of results that a thread keeps; steps along k that are unrolled.
    int64_t most_vectors = 32, most_unrolled = 16;
    // A sum is cut into parts of no fewer terms, if that takes less than this part of the time.
    int64_t shortest_part = 64;
    double worth_factoring = 0.9;
    // With fewer vectors side by side, rows of a tile are padded: lanes that are served together
    // read several of them.
    int64_t unpadded_vectors = 8;
    // Instructions that a core issues in a cycle, and of an element that a thread reads from the
    // right tile, for each vector that its warp reads at the same time: the one hides the other.
    // Both are less where a thread's rows are vectors along m, and all steps of a tile are
    // unrolled.
    double issued_at_once = 2.37, issued_along_m = 4;
    double column_spread = 0.324, column_spread_along_m = 0.129;
    // Of vectors on their way to a tile, of which threads hold those of the next tile in registers;
    // how many times that where rows become vectors; of a partial result that is combined.
    double fill = 17.1, fill_ahead = 14.3, fill_along_m = 1.53, combine_element = 2.36;
    // Of a thread that waits for itself: for memory, in the middle of a product, at the start.
    double memory_latency = 1540, latency_ahead = 658, product = 2.22, start = 3210;
    // 32-bit registers that as many threads share as run at full speed.
    double registers = 26700;
    // With fewer warps than this a core does not issue all that it could.
    double busy_warps = 12.7, idle_warps = 0.159;
  } products;

  // One pass over rows (schedule::GpuStream), in cycles. Fitted to 807 kernels of ten attentions
  // on an H200: what is chosen takes 7 % longer on average than the best of them, at most 28 %; for
  // attentions that were left out of the fit 17 %, at most 43 %.
  struct Streams {
    // Memory that a core has for all workgroups on it, and what each takes besides its own.
    double core_bytes = 52300, group_bytes = 2070;
    // Instructions that a core issues in a cycle, and cycles of one that waits for itself; those of
    // a stage and of an element of it; of partial results that are combined.
    double issued_at_once = 4, instruction = 2.22, stage = 110, instructions = 10.3, combine = 428;
    // Of a product in a block, whose kernel is there already, less than this is seen. Of an element
    // that a thread reads from a tile, and how much more each other row or vector that its warp
    // reads at the same time costs; of vectors on their way to a tile and what a step costs
    // besides; of a thread that waits for memory.
    double busy = 0.185, alone = 0.584;
    double row_load = 0.0275, row_spread = 0.0108, column_load = 1.07, column_spread = 0.0353;
    double fill = 16.3, fill_ahead = 7.17, bytes_a_cycle = 81.9, barriers = 29.6;
    double memory_latency = 1260, latency_ahead = 809;
    // 32-bit registers that a core's threads share, and what a thread takes besides elements.
    double registers = 27300, other_registers = 27.2;
    // Of a workgroup; and with few warps, for each part that there are less.
    double start = 4680, busy_warps = 10, idle_warps = 0.514;
    // Issuing and waiting hide each other in part: the norm that joins them. 1 would be their sum,
    // and much more the longer of the two.
    double norm = 1.36;
    // What the kernels of these attentions took one after another, of what is expected: 1.07 to
    // 1.7, in the middle 1.37. Where the two are close, one is not much worse than the other.
    double apart = 1.25;
  } streams;

  // Cycles of a product whose fragments subgroups multiply, roughly: in the order in which 51
  // tilings of five products took on an H200.
  struct Fragments {
    // Of a tile's step that a core computes: for the workgroup, and for each fragment that a
    // subgroup loads or multiplies.
    double step = 150, load = 9, product = 5;
    // Of a workgroup that waits for itself: at the start, for each step, each fragment along k in
    // it, and each product.
    double start = 4000, latency = 250, depth_latency = 200, product_latency = 60;
    // Registers that a core's threads share; of these a thread needs some for each fragment, and
    // others.
    double registers = 65536, sum = 8, operand = 4, other_registers = 60;
    // Elements that a tile's rows are padded by, so that rows of a fragment are in different banks.
    int64_t pad = 8;
  } fragments;

  // ---- What one kernel computes (plan::FormKernels)

  struct Fusion {
    // What an open size stands for: something larger than most constants.
    int64_t open_size = 64;
    // Operations that an element takes: functions like exp, powers, divisions, looked-up indices.
    int64_t function = 12, power = 20, division = 4, look_up = 4;
    // Work up to this is cheap: a map of it that is computed as often as before is not looked at
    // any closer, and one that reads nothing is sooner computed again than waited for.
    int64_t cheap = 6;
    // What counts as once, and from when on a window's neighbours should lie side by side.
    double once = 1.01, window = 1.5;
  } fusion;

  // ---- Products of one matrix as one (graph::MergeSiblings)

  struct Siblings {
    // What an open size stands for.
    int64_t open_size = 64;
    // Rows and columns of a tile, roughly, and from how many tiles a core on a product keeps all
    // cores busy: what is left to the last ones is little.
    int64_t tile = 64, tiles_per_core = 8;
  } siblings;

  // ---- Long running sums as blocks (graph::BlockCumulations)

  struct Cumulations {
    // Elements along them, and rows: with more of these a GPU is busy as it is.
    int64_t shortest = 512, most_rows = 1024;
  } cumulations;

  // ---- Scatters in parts (graph::PartScatters)

  struct Scatters {
    // Updates that are worth it, and parts of all rows together. Each part looks at all updates, so
    // there are about as many as keep a GPU busy that waits for memory.
    int64_t fewest = 64, most_parts = 4096;
  } scatters;

  // ---- Channels first or last (graph::ChooseLayouts). Only ratios matter, and they are much the
  // same everywhere.

  struct Layouts {
    // Both sides of the choice grow with an open size.
    int64_t open_size = 16;
    double seconds_per_operation = 1 / 40e9, seconds_per_byte = 1 / 4e9;
    // How much longer a convolution takes with its channels first.
    double channels_first = 1.5;
  } layouts;
};

// One thread of a wasm engine with 128-bit vectors.
const Machine& WasmMachine();

// All GPUs that are known; the first is the default: WebGPU's own limits and a machine of moderate
// size.
const std::vector<Machine>& GpuMachines();
// Null if there is none of this name.
const Machine* FindGpuMachine(std::string_view name);

}  // namespace webnnc
