#include "schedule/database.h"

#include <algorithm>

#include "schedule/key.h"

namespace webnnc::schedule {

// A target's name, which may have dashes.
static Result<std::string> ParseTarget(Lexer& lexer) {
  TRY_ASSIGN(auto name, lexer.Name());
  while (lexer.Eat("-")) {
    TRY_ASSIGN(auto part, lexer.Name());
    name += "-" + part;
  }
  return name;
}

Result<Database> Database::Parse(std::string_view text) {
  Database database;
  Lexer lexer(text);
  while (!lexer.AtEnd()) {
    TRY(lexer.Expect("for"));
    TRY_ASSIGN(auto target, ParseTarget(lexer));
    TRY_ASSIGN(auto key, lexer.Name());
    if (!IsKey(key)) {
      return lexer.Fail(Quote(key) +
                        " is no key of a kernel, which has 16 hexadecimal digits: --emit schedules "
                        "prints the keys of a model's kernels");
    }
    Entry entry{target, key};
    if (lexer.Eat("on")) {
      TRY_ASSIGN(entry.device, lexer.Name());
      TRY_ASSIGN(entry.nanoseconds, lexer.Integer());
      if (entry.nanoseconds < 1) return lexer.Fail("a kernel takes 1 ns or more");
      TRY(lexer.Expect("ns"));
    }
    TRY_ASSIGN(entry.schedule, ParseSchedule(lexer));
    if (entry.nanoseconds > 0) {
      database.measured_[{target, key}].push_back(database.entries_.size());
      database.entries_.push_back(std::move(entry));
    } else {
      database.Add(target, key, std::move(entry.schedule));
    }
  }
  return database;
}

void Database::Add(const std::string& target, const std::string& key, Schedule schedule,
                   const std::string& title) {
  auto [found, is_new] = others_.emplace(std::pair(target, key), entries_.size());
  if (is_new) entries_.push_back({target, key, title, {}});
  entries_[found->second].schedule = std::move(schedule);
}

std::vector<const Database::Entry*> Database::Ranked(const std::vector<size_t>& entries) const {
  // The least time of each schedule on each device, by its text.
  std::map<std::string, std::map<std::string, double>> times;
  std::map<std::string, const Entry*> entry_of;
  for (size_t i : entries) {
    const Entry& entry = entries_[i];
    std::string text = schedule::Print(entry.schedule);
    entry_of.emplace(text, &entry);
    auto time = static_cast<double>(entry.nanoseconds);
    auto [found, is_new] = times[entry.device].emplace(text, time);
    found->second = std::min(found->second, time);
  }
  struct Rank {
    const Entry* entry;
    double sum;
    // Whether no other is faster on some device.
    bool is_fastest;
  };
  std::vector<Rank> ranks;
  for (const auto& [text, entry] : entry_of) {
    Rank rank{entry, 0, false};
    for (const auto& [device, own] : times) {
      auto by_time = [](const auto& a, const auto& b) { return a.second < b.second; };
      auto [fastest, slowest] = std::minmax_element(own.begin(), own.end(), by_time);
      auto found = own.find(text);
      rank.sum += (found == own.end() ? slowest : found)->second / fastest->second;
      rank.is_fastest |= found == fastest;
    }
    ranks.push_back(rank);
  }
  std::stable_sort(ranks.begin(), ranks.end(),
                   [](const Rank& a, const Rank& b) { return a.sum < b.sum; });
  if (!ranks.empty()) {
    std::stable_partition(ranks.begin() + 1, ranks.end(),
                          [](const Rank& rank) { return rank.is_fastest; });
  }
  std::vector<const Entry*> ranked;
  for (const Rank& rank : ranks) ranked.push_back(rank.entry);
  return ranked;
}

std::vector<const Schedule*> Database::FindMeasured(const std::string& target,
                                                    const loop::Kernel& plain,
                                                    const LikelySizes& sizes) const {
  std::vector<const Schedule*> schedules;
  if (measured_.empty()) return schedules;
  auto found = measured_.find({target, KeyOf(plain, sizes)});
  if (found == measured_.end()) return schedules;
  for (const Entry* entry : Ranked(found->second)) schedules.push_back(&entry->schedule);
  return schedules;
}

const Schedule* Database::Find(const std::string& target, const loop::Kernel& plain,
                               const LikelySizes& sizes) const {
  if (entries_.empty()) return nullptr;
  std::vector<const Schedule*> measured = FindMeasured(target, plain, sizes);
  if (!measured.empty()) return measured.front();
  auto other = others_.find({target, KeyOf(plain, sizes)});
  return other == others_.end() ? nullptr : &entries_[other->second].schedule;
}

std::string Database::Print() const {
  std::string out;
  for (const Entry& entry : entries_) {
    if (!out.empty()) out += "\n";
    if (!entry.title.empty()) out += "; " + entry.title + "\n";
    out += "for " + entry.target + " " + Quote(entry.key) + " ";
    if (entry.nanoseconds > 0)
      out += "on " + Quote(entry.device) + " " + std::to_string(entry.nanoseconds) + " ns ";
    out += schedule::Print(entry.schedule);
  }
  return out;
}

}  // namespace webnnc::schedule
