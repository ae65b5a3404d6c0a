#include "schedule/database.h"

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
    TRY_ASSIGN(auto schedule, ParseSchedule(lexer));
    database.Add(target, key, std::move(schedule));
  }
  return database;
}

void Database::Add(const std::string& target, const std::string& key, Schedule schedule,
                   const std::string& title) {
  auto [found, is_new] = index_.emplace(std::pair(target, key), entries_.size());
  if (is_new) entries_.push_back({target, key, title, {}});
  entries_[found->second].schedule = std::move(schedule);
}

const Schedule* Database::Find(const std::string& target, const loop::Kernel& plain,
                               const LikelySizes& sizes) const {
  if (entries_.empty()) return nullptr;
  auto found = index_.find({target, KeyOf(plain, sizes)});
  return found == index_.end() ? nullptr : &entries_[found->second].schedule;
}

std::string Database::Print() const {
  std::string out;
  for (const Entry& entry : entries_) {
    if (!out.empty()) out += "\n";
    if (!entry.title.empty()) out += "; " + entry.title + "\n";
    out += "for " + entry.target + " " + Quote(entry.key) + " " + schedule::Print(entry.schedule);
  }
  return out;
}

}  // namespace webnnc::schedule
