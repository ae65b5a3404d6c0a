#include "program.h"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace {

// What is left of a line: a name, which may have spaces.
std::string Rest(std::istream& line) {
  std::string rest;
  line >> std::ws;
  std::getline(line, rest);
  return rest;
}

std::vector<uint32_t> WordsOf(const std::string& digits) {
  std::vector<uint32_t> words;
  for (size_t at = 0; at + 8 <= digits.size(); at += 8)
    words.push_back(static_cast<uint32_t>(std::stoul(digits.substr(at, 8), nullptr, 16)));
  return words;
}

void ReadLine(const std::string& kind, std::istream& line, Program& program) {
  if (kind == "arena") {
    line >> program.arena_bytes;
  } else if (kind == "buffer") {
    Buffer buffer;
    std::string place;
    line >> place >> buffer.offset >> buffer.bytes;
    buffer.is_weight = place == "weights";
    buffer.name = Rest(line);
    program.buffers.push_back(buffer);
  } else if (kind == "input" || kind == "output") {
    Port port;
    line >> port.buffer >> port.dtype >> port.elements;
    port.name = Rest(line);
    (kind == "input" ? program.inputs : program.outputs).push_back(port);
  } else if (kind == "shader") {
    Shader shader;
    uint32_t workgroup_size = 0;
    std::string digits;
    line >> workgroup_size >> shader.bindings >> digits;
    shader.words = WordsOf(digits);
    shader.name = Rest(line);
    program.shaders.push_back(shader);
  } else if (kind == "dispatch") {
    Dispatch dispatch;
    line >> dispatch.shader;
    for (uint32_t& count : dispatch.workgroups) line >> count;
    for (size_t buffer; line >> buffer;) dispatch.buffers.push_back(buffer);
    program.dispatches.push_back(dispatch);
  } else {
    throw std::runtime_error("a line begins with \"" + kind + "\"");
  }
}

}  // namespace

Program ReadProgram(const std::string& path, const std::string& target) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  bool is_wanted = false, is_found = false;
  Program program;
  for (std::string text; std::getline(file, text);) {
    std::istringstream line(text);
    std::string kind, found;
    line >> kind;
    if (kind == "program") {
      line >> found;
      is_wanted = target.empty() || found == target;
      if (is_wanted) program = {};
      is_found = is_found || is_wanted;
    } else if (kind == "end") {
      is_wanted = false;
    } else if (is_wanted) {
      ReadLine(kind, line, program);
    }
  }
  if (is_found) return program;
  throw std::runtime_error(path + " has no such program");
}
