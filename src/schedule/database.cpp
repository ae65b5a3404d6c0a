#include "schedule/database.h"

namespace webnnc::schedule {

std::string KeyOf(const loop::Kernel& plain) {
  std::string in, out;
  for (const loop::Buffer& buffer : plain.buffers) {
    if (buffer.space == loop::Space::kIn) in += " " + webnnc::Print(buffer.type);
    if (buffer.space == loop::Space::kOut) out += " " + webnnc::Print(buffer.type);
  }
  return plain.name + in + " ->" + out;
}

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
    TRY_ASSIGN(auto schedule, ParseSchedule(lexer));
    database.Add(target, key, std::move(schedule));
  }
  return database;
}

void Database::Add(const std::string& target, const std::string& key, Schedule schedule) {
  entries_[{target, key}] = std::move(schedule);
}

const Schedule* Database::Find(const std::string& target, const loop::Kernel& plain) const {
  auto found = entries_.find({target, KeyOf(plain)});
  return found == entries_.end() ? nullptr : &found->second;
}

std::string Database::Print() const {
  std::string out;
  for (const auto& [which, schedule] : entries_) {
    out += (out.empty() ? "" : "\n") + std::string("for ") + which.first + " " +
           Quote(which.second) + " " + schedule::Print(schedule);
  }
  return out;
}

}  // namespace webnnc::schedule
