#include "wasm/link.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wredundant-move"
#include <lld/Common/Driver.h>
#include <llvm/Support/raw_ostream.h>
#pragma GCC diagnostic pop

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/file.h"
#include "base/output_folder.h"

LLD_HAS_DRIVER(wasm)

// The runtime and wasi-libc, put together when the compiler was built (CMakeLists.txt).
extern "C" {
extern const char webnnc_runtime_archive[];
extern const char webnnc_runtime_archive_end[];
}

namespace webnnc::wasm {

namespace fs = std::filesystem;

namespace {

// For what is neither arrays that kernels keep nor in registers.
constexpr uint64_t kStackBytes = 65536;

// A folder for LLD, which works on files.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (fs::temp_directory_path() / "webnnc.XXXXXX").string();
    if (!mkdtemp(pattern.data())) return;
    path_ = pattern;
    NoteUnfinished(path_);
  }
  ~ScratchFolder() {
    std::error_code error;
    if (path_.empty()) return;
    fs::remove_all(path_, error);
    ForgetUnfinished(path_);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  bool exists() const { return !path_.empty(); }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// LLD in a process of its own: from one link to the next it keeps pointers to symbols that are
// gone, which it follows if the second one has no entry.
class Linker {
 public:
  // Writes what is linked, and starts. There must be no other threads: a process that is forked
  // has only one, and what the others held stays locked.
  Status Start(const LinkInput& input) {
    if (!folder_.exists()) return Error{"cannot make a folder for temporary files"};
    for (size_t i = 0; i < input.objects.size(); ++i) {
      arguments_.push_back(folder_.File("model" + std::to_string(i) + ".o"));
      TRY(WriteFile(arguments_.back(), *input.objects[i]));
    }
    arguments_.push_back(folder_.File("runtime.a"));
    TRY(WriteFile(arguments_.back(),
                  {webnnc_runtime_archive,
                   static_cast<size_t>(webnnc_runtime_archive_end - webnnc_runtime_archive)}));
    for (const char* argument : {"--gc-sections", "--strip-all", "-O2", "--threads=1", "-z"})
      arguments_.push_back(argument);
    arguments_.push_back("stack-size=" +
                         std::to_string(kStackBytes + std::max(kStackBytes, input.stack_bytes)));
    if (input.is_bare) {
      for (const char* argument : {"--no-entry", "--export=__heap_base"})
        arguments_.push_back(argument);
    } else if (!input.is_command) {
      for (const char* argument : {"--no-entry", "-u", "webnnc_prepare", "-u", "webnnc_hash"})
        arguments_.push_back(argument);
    }
    if (input.is_command && input.keeps_states) {
      for (const char* argument : {"-u", "webnnc_state_command"}) arguments_.push_back(argument);
    }
    if (input.walks) {
      for (const char* argument : {"-u", "webnnc_walk"}) arguments_.push_back(argument);
    }
    if (input.has_threads) {
      // As much as wasm32 can address: the page may give less.
      for (const char* argument : {"--shared-memory", "--import-memory", "--max-memory=4294967296",
                                   "-u", "webnnc_help", "--export=__stack_pointer"})
        arguments_.push_back(argument);
    }
    std::fflush(nullptr);
    child_ = fork();
    if (child_ < 0) return Error{std::string("cannot start the linker: ") + std::strerror(errno)};
    if (child_ == 0) _exit(Run() ? 0 : 1);
    return kSuccess;
  }

  // Waits for the end: the module.
  Result<std::string> Finish() {
    int status = Wait();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return ReadFile(folder_.File("model.wasm"));
    // What is linked is ours and fits: it is memory or room in the folder that is missing.
    auto text = ReadFile(folder_.File("messages"));
    return Error{"linking failed: " +
                 (text && !text.value().empty() ? text.value() : "the linker ended")};
  }

  // The folder goes when nobody writes to it any more.
  ~Linker() {
    if (child_ > 0) Wait();
  }

 private:
  bool Run() {
    std::string out = folder_.File("model.wasm");
    std::vector<const char*> arguments = {"wasm-ld", "-o", out.c_str()};
    for (const std::string& argument : arguments_) arguments.push_back(argument.c_str());
    std::error_code error;
    llvm::raw_fd_ostream stream(folder_.File("messages"), error);
    lld::Result result = lld::lldMain(arguments, stream, stream, {{lld::Wasm, &lld::wasm::link}});
    stream.flush();
    return result.retCode == 0;
  }

  int Wait() {
    int status = 0;
    while (waitpid(child_, &status, 0) < 0 && errno == EINTR) {
    }
    child_ = -1;
    return status;
  }

  ScratchFolder folder_;
  std::vector<std::string> arguments_;
  pid_t child_ = -1;
};

}  // namespace

Result<std::vector<std::string>> Link(const std::vector<LinkInput>& inputs) {
  std::vector<Linker> linkers(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) TRY(linkers[i].Start(inputs[i]));
  std::vector<std::string> modules;
  for (Linker& linker : linkers) {
    TRY_ASSIGN(auto module, linker.Finish());
    modules.push_back(std::move(module));
  }
  return modules;
}

}  // namespace webnnc::wasm
