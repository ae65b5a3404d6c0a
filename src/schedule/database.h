// Measured schedules, which override the compiler's own choice. Since a schedule can make a kernel
// slow but never wrong, the file may come from anywhere.
//
//   ; what was measured, when and where
//   ; conv_add f32[14,14,96] f32[12,96,8] -> f32[196,96]
//   for wasm "8d2f0c1b3a495e67" schedule {
//     split j 16
//     vector j.1
//   }
//
//   for generic "51ab0f2c9d7e8846" on "nvidia hopper" 12400 ns schedule {
//   }
//
// An entry is for one target (wasm, wasm-relaxed, the name of a GPU's profile, or that and "-f16"
// for kernels that compute in f16) and for the kernels that have its key (schedule/key.h). It may
// say on which kind of device it was measured, and how long the kernel took there. So there may be
// many for a kernel, and files of several devices are merged by writing one behind the other.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "loop/kernel.h"
#include "schedule/schedule.h"
#include "tensor/likely_sizes.h"

namespace webnnc::schedule {

class Database {
 public:
  // Of two entries for the same target and key without a time the later one counts.
  static Result<Database> Parse(std::string_view text);

  // `title` is for people who read the file.
  void Add(const std::string& target, const std::string& key, Schedule schedule,
           const std::string& title = "");
  // The schedule for this kernel, or null: of those that were measured the one that takes least
  // time, else the one without a time. With several devices it is the one that is best for all:
  // whose times, each by the least on the device, have the least sum. What was not measured on a
  // device counts there as the slowest that was.
  const Schedule* Find(const std::string& target, const loop::Kernel& plain,
                       const LikelySizes& sizes) const;

  // All that were measured for it, the best for all devices first; then those that are the best on
  // one of them, then the others by how good they are.
  std::vector<const Schedule*> FindMeasured(const std::string& target, const loop::Kernel& plain,
                                            const LikelySizes& sizes) const;

  // Entries in the order in which they were added.
  std::string Print() const;

 private:
  struct Entry {
    std::string target, key, title;
    Schedule schedule;
    // What was measured: where, and the time; of others there is neither.
    std::string device = {};
    int64_t nanoseconds = 0;
  };
  std::vector<const Entry*> Ranked(const std::vector<size_t>& entries) const;

  std::vector<Entry> entries_;
  // By target and key: those that were measured, and the one that was not.
  std::map<std::pair<std::string, std::string>, std::vector<size_t>> measured_;
  std::map<std::pair<std::string, std::string>, size_t> others_;
};

}  // namespace webnnc::schedule
