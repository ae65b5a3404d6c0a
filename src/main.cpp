#include <CLI/CLI.hpp>
#include <iostream>

#include "webnnc/compiler.h"

int main(int argc, char** argv) {
  webnnc::CompileOptions options;
  CLI::App app{"Compiles an ONNX model to a folder that a web page imports."};
  app.add_option("MODEL", options.model, "the .onnx file")->required();
  app.add_option("-o,--output", options.output, "the folder to make");
  app.add_option("--emit", options.emit, "print what a step makes");
  CLI11_PARSE(app, argc, argv);
  options.print = [](const std::string& text) { std::cout << text; };
  if (auto error = webnnc::Compile(options)) {
    std::cerr << *error;
    return 1;
  }
  return 0;
}
