// Measured schedules, which override the compiler's own choice. Since a schedule can make a kernel
// slow but never wrong, the file may come from anywhere.
//
//   ; what was measured, when and where
//   for wasm "conv_add f32[14,14,96] f32[12,96,8] -> f32[196,96]" schedule {
//     split j 16
//     vector j.1
//   }
//
// An entry is for one target (wasm, wasm-relaxed, or the name of a GPU's profile) and for the
// kernels that its key describes: the kernel's name, and the types that it reads and writes. That
// several kernels may share a key does no harm.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "loop/kernel.h"
#include "schedule/schedule.h"

namespace webnnc::schedule {

std::string KeyOf(const loop::Kernel& plain);

class Database {
 public:
  // Of two entries for the same target and key the later one counts.
  static Result<Database> Parse(std::string_view text);

  void Add(const std::string& target, const std::string& key, Schedule schedule);
  // The schedule for this kernel, or null.
  const Schedule* Find(const std::string& target, const loop::Kernel& plain) const;

  // Entries in the order of targets and keys.
  std::string Print() const;

 private:
  std::map<std::pair<std::string, std::string>, Schedule> entries_;
};

}  // namespace webnnc::schedule
