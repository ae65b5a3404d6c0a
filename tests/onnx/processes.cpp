#include "tests/onnx/processes.h"

#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iostream>

namespace webnnc {

namespace {

// A child that works on every `jobs`th item from `next` on, and writes its results to a pipe: the
// length, then the text.
struct Worker {
  size_t next = 0;
  pid_t pid = -1;
  int pipe = -1;
};

bool ReadAll(int file, void* to, size_t bytes) {
  auto* at = static_cast<char*>(to);
  while (bytes > 0) {
    ssize_t got = read(file, at, bytes);
    if (got <= 0) return false;
    at += got;
    bytes -= static_cast<size_t>(got);
  }
  return true;
}

void WriteAll(int file, const void* from, size_t bytes) {
  auto* at = static_cast<const char*>(from);
  while (bytes > 0) {
    ssize_t put = write(file, at, bytes);
    if (put <= 0) _exit(1);
    at += put;
    bytes -= static_cast<size_t>(put);
  }
}

void Start(Worker& worker, size_t count, size_t stride,
           const std::function<std::string(size_t)>& work) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  std::cout.flush();
  worker.pid = fork();
  if (worker.pid < 0) std::abort();
  if (worker.pid == 0) {
    close(ends[0]);
    for (size_t i = worker.next; i < count; i += stride) {
      std::string result = work(i);
      size_t size = result.size();
      WriteAll(ends[1], &size, sizeof(size));
      WriteAll(ends[1], result.data(), size);
    }
    _exit(0);
  }
  close(ends[1]);
  worker.pipe = ends[0];
}

// Waits for a child that has closed its pipe, and says how it died.
std::string Reap(Worker& worker) {
  int status = 0;
  close(worker.pipe);
  waitpid(worker.pid, &status, 0);
  worker.pid = -1;
  return WIFSIGNALED(status) ? strsignal(WTERMSIG(status))
                             : "exit " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

std::vector<std::string> InProcesses(size_t count, int jobs,
                                     const std::function<std::string(size_t)>& work) {
  std::vector<std::string> results(count);
  auto stride = static_cast<size_t>(jobs);
  std::vector<Worker> workers(stride);
  size_t running = 0;
  for (size_t w = 0; w < stride; ++w) {
    workers[w].next = w;
    if (w >= count) continue;
    Start(workers[w], count, stride, work);
    ++running;
  }
  while (running > 0) {
    std::vector<pollfd> waits;
    for (const Worker& worker : workers)
      waits.push_back({worker.pid < 0 ? -1 : worker.pipe, POLLIN, 0});
    poll(waits.data(), waits.size(), -1);
    for (size_t w = 0; w < stride; ++w) {
      Worker& worker = workers[w];
      if (worker.pid < 0 || waits[w].revents == 0) continue;
      size_t size = 0;
      std::string result;
      bool whole = ReadAll(worker.pipe, &size, sizeof(size));
      if (whole) {
        result.resize(size);
        whole = ReadAll(worker.pipe, result.data(), size);
      }
      if (!whole) {
        std::string how = Reap(worker);
        --running;
        if (worker.next >= count) continue;
        result = "failed: the process died: " + how;
      }
      results[worker.next] = std::move(result);
      worker.next += stride;
      if (!whole && worker.next < count) {
        Start(worker, count, stride, work);
        ++running;
      }
    }
  }
  return results;
}

}  // namespace webnnc
