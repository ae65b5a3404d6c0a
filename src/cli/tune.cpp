#include "cli/tune.h"

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "bundle/page.h"
#include "cli/arguments.h"

namespace webnnc::cli {

namespace {

// A new folder with the script and what it serves, which the script removes when it has read it.
Result<std::string> Unpack() {
  std::error_code error;
  std::string folder = (std::filesystem::temp_directory_path(error) / "webnnc-tune-XXXXXX");
  if (error || !mkdtemp(folder.data()))
    return Error{"cannot make a folder for temporary files: " + std::string(strerror(errno))};
  for (const char* name : {"tune.js", "tune.page.js", "tune.worker.js", "tune.html", "tune.css"})
    TRY(WriteFile(folder + "/" + name, std::string(bundle::PageFile(name))));
  // Older versions take a script for a module by this alone.
  TRY(WriteFile(folder + "/package.json", R"({ "type": "module" })"));
  return folder;
}

int Fail(const std::string& message, const std::string& note = "") {
  std::cerr << "webnnc: error: " << message << "\n";
  if (!note.empty()) std::cerr << "  note: " << note << "\n";
  return kFailed;
}

}  // namespace

bool IsTune(int count, char** values) { return count > 1 && std::string_view(values[1]) == "tune"; }

int StartTuning(int count, char** values) {
  std::error_code error;
  std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return Fail("cannot tell where this program is: " + error.message());
  auto folder = Unpack();
  if (!folder) return Fail(folder.error().message);
  setenv("WEBNNC_COMPILER", self.c_str(), 1);
  setenv("WEBNNC_UNPACKED", folder.value().c_str(), 1);
  std::string script = folder.value() + "/tune.js";
  std::vector<char*> words{const_cast<char*>("node"), script.data()};
  words.insert(words.end(), values + 2, values + count);
  words.push_back(nullptr);
  execvp("node", words.data());
  int reason = errno;
  std::filesystem::remove_all(folder.value(), error);
  if (reason == ENOENT)
    return Fail("tune needs Node, which is not installed here, or not in the PATH",
                "get it from https://nodejs.org, version 20 or later");
  return Fail(std::string("node cannot be started: ") + strerror(reason));
}

}  // namespace webnnc::cli
