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
// An entry is for one target (wasm, wasm-relaxed, the name of a GPU's profile, or that and "-f16"
// for kernels that compute in f16) and for the kernels that have its key (schedule/key.h).
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
  // Of two entries for the same target and key the later one counts.
  static Result<Database> Parse(std::string_view text);

  // `title` is for people who read the file.
  void Add(const std::string& target, const std::string& key, Schedule schedule,
           const std::string& title = "");
  // The schedule for this kernel, or null.
  const Schedule* Find(const std::string& target, const loop::Kernel& plain,
                       const LikelySizes& sizes) const;

  // Entries in the order in which they were added.
  std::string Print() const;

 private:
  struct Entry {
    std::string target, key, title;
    Schedule schedule;
  };
  std::vector<Entry> entries_;
  std::map<std::pair<std::string, std::string>, size_t> index_;  // by target and key
};

}  // namespace webnnc::schedule
