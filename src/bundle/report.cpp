#include "bundle/report.h"

#include <zlib.h>

#include <set>

#include "bundle/html.h"
#include "bundle/memory_picture.h"
#include "bundle/report_style.h"

namespace webnnc::bundle {

int64_t GzipSize(std::string_view bytes) {
  z_stream stream = {};
  // 31: gzip's frame around the largest window.
  CHECK(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY) == Z_OK);
  std::vector<uint8_t> out(1 << 16);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  int state = Z_OK;
  while (state == Z_OK) {
    stream.next_out = out.data();
    stream.avail_out = static_cast<uInt>(out.size());
    state = deflate(&stream, Z_FINISH);
  }
  CHECK(state == Z_STREAM_END);
  auto size = static_cast<int64_t>(stream.total_out);
  deflateEnd(&stream);
  return size;
}

namespace {

std::string Code(const std::string& text) { return "<code>" + Escape(text) + "</code>"; }

// A type stays on one line.
std::string TypeCode(const TensorType& type) {
  return "<code class=\"type\">" + Escape(Print(type)) + "</code>";
}

std::string Details(const std::string& summary, const std::string& body) {
  return "<details><summary>" + summary + "</summary>" + body + "</details>";
}

size_t NodeCount(const plan::Program& program) {
  std::set<std::string> nodes;
  for (const plan::Step& step : program.steps) {
    nodes.insert(step.origins.begin(), step.origins.end());
  }
  return nodes.size();
}

std::string Ratio(const plan::Program& program) {
  return Count(program.steps.size(), "dispatch") + " for " + Count(NodeCount(program), "node");
}

std::string TitleOf(const plan::Program& program) {
  return program.target == plan::Target::kWebGpu ? "WebGPU" : "wasm";
}

// ---- Overview

std::string Card(const std::string& value, const std::string& label) {
  return "<div class=\"card\"><b>" + Escape(value) + "</b><span>" + Escape(label) +
         "</span></div>\n";
}

std::string Cards(const Contents& contents, const std::vector<ReportedFile>& files) {
  std::string out = "<div class=\"cards\">\n";
  for (const GpuPart& part : contents.gpu) {
    out += Card(Ratio(*part.program),
                std::string("on WebGPU") + (part.half ? ", in half precision" : ""));
  }
  if (contents.cpu) out += Card(Ratio(*contents.cpu), "on wasm");
  for (const ReportedFile& file : files) {
    if (file.name == "model.wasm")
      out += Card(SizeText(file.gzip_bytes.value()), "model.wasm, gzipped");
    if (file.name == "model.weights.bin") out += Card(SizeText(file.bytes), "weights");
  }
  return out + "</div>\n";
}

std::string Ports(const Contents& contents) {
  Table table{{"", "Name", "Type", "#Bytes", ""}, {}};
  auto add = [&](const std::string& kind, const std::vector<plan::Port>& ports) {
    for (const plan::Port& port : ports) {
      table.rows.push_back({kind, Code(port.name), TypeCode(port.type),
                            ByteSize(port.type).IsConstant() ? SizeText(ByteSize(port.type).value())
                                                             : Escape(Print(ByteSize(port.type))),
                            ImageOf(port.type) ? "images" : ""});
    }
  };
  add("input", contents.any().inputs);
  add("output", contents.any().outputs);
  std::string needs;
  for (const std::string& assumption : contents.assumptions)
    needs += "<li>" + Code(assumption) + "</li>";
  if (!needs.empty()) needs = "<p>A run is refused unless</p><ul>" + needs + "</ul>\n";
  return Section("Inputs and outputs", Print(table) + needs);
}

std::string Files(const std::vector<ReportedFile>& files) {
  Table table{{"File", "#Bytes", "#Gzipped"}, {}};
  for (const ReportedFile& file : files) {
    table.rows.push_back(
        {Code(file.name), SizeText(file.bytes), file.gzip_bytes ? SizeText(*file.gzip_bytes) : ""});
  }
  return Section(
      "Files",
      "<p>A page downloads model.js, one of the two modules and the weights.</p>" + Print(table));
}

// ---- Programs

std::string Nodes(const plan::Step& step) {
  if (step.origins.empty()) return "";
  if (step.origins.size() == 1) return Code(step.origins[0]);
  std::string list = "<ul>";
  for (const std::string& origin : step.origins) list += "<li>" + Code(origin) + "</li>";
  return Details(
      Code(step.origins.back()) + " and " + std::to_string(step.origins.size() - 1) + " more",
      list + "</ul>");
}

std::string ResultType(const plan::Kernel& kernel) {
  std::string out;
  for (const loop::Buffer& buffer : kernel.plain.buffers) {
    if (buffer.space == loop::Space::kOut)
      out += (out.empty() ? "" : "<br>") + TypeCode(buffer.type);
  }
  return out;
}

std::string Traffic(const plan::Program& program, const plan::Step& step,
                    const SampleSizes& sizes) {
  int64_t bytes = 0;
  for (plan::BufferId argument : step.arguments) {
    bytes += ByteSize(program, program.buffers[argument]).Evaluate(sizes.values());
  }
  return SizeText(bytes);
}

std::string ScheduleText(const plan::Kernel& kernel) {
  if (kernel.schedule.empty()) return "";
  return Details(Count(kernel.schedule.size(), "line"),
                 "<pre>" + Escape(schedule::Print(kernel.schedule)) + "</pre>");
}

std::string Kernels(const plan::Program& program, const SampleSizes& sizes) {
  Table table{{"#Step", "Kernel", "ONNX nodes", "Result", "#Bytes touched", "Schedule"}, {}};
  for (size_t s = 0; s < program.steps.size(); ++s) {
    const plan::Step& step = program.steps[s];
    const plan::Kernel& kernel = program.kernels[step.kernel];
    table.rows.push_back({std::to_string(s), Code(kernel.plain.name), Nodes(step),
                          ResultType(kernel), Traffic(program, step, sizes), ScheduleText(kernel)});
  }
  return Print(table);
}

std::string Memory(const plan::Program& program, const SampleSizes& sizes) {
  plan::MemoryPlan plan = plan::PlanMemory(program, sizes.values());
  std::string out = "<p>" + SizeText(plan.bytes) + " hold all activations, inputs and outputs. " +
                    SizeText(plan.lower_bound) +
                    " is the most that is in use at one step, so no plan is smaller. Each "
                    "rectangle is a buffer: from left to right "
                    "the steps that use it, from bottom to top its place.</p>\n";
  out +=
      "<p class=\"legend\"><i class=\"input\"></i> input <i class=\"output\"></i> output <i "
      "class=\"activation\"></i> activation</p>\n";
  return out + MemoryPicture(program, plan, sizes);
}

std::string ProgramSection(const plan::Program& program, const std::string& title,
                           const std::string& requirements) {
  SampleSizes sizes(program);
  std::string out = "<p class=\"lead\">" + Ratio(program) + ".</p>\n" + requirements;
  if (!sizes.empty()) out += "<p>Bytes are for " + Escape(sizes.Print()) + ".</p>\n";
  out +=
      "<h3>Memory</h3>\n" + Memory(program, sizes) + "<h3>Kernels</h3>\n" + Kernels(program, sizes);
  return Section(title, out);
}

std::string RequirementList(const GpuPart& part) {
  Requirements requirements = RequirementsOf(part);
  if (requirements.features.empty() && requirements.limits.empty()) {
    return "<p>Runs on every WebGPU device: it requires no feature, and no limit above what WebGPU "
           "guarantees.</p>\n";
  }
  std::string out = "<p>The device must have:</p><ul>";
  for (const std::string& feature : requirements.features) out += "<li>" + Code(feature) + "</li>";
  for (const auto& [limit, value] : requirements.limits)
    out += "<li>" + Code(limit) + " of " + std::to_string(value) + "</li>";
  return out + "</ul>\n";
}

// ---- Weights

std::string Weights(const Contents& contents) {
  Table table{{"Weight", "Type in the file", "Packed from", "#Bytes", "#At"}, {}};
  for (const plan::Weight& weight : *contents.weights) {
    if (weight.offset < 0) continue;
    table.rows.push_back(
        {Code(weight.name), TypeCode(weight.type),
         weight.packed_from.valid() ? TypeCode((*contents.weights)[weight.packed_from].type) : "",
         SizeText(ByteSize(weight.type).value()), std::to_string(weight.offset)});
  }
  std::string title = Count(table.rows.size(), "weight") + ", " + SizeText(WeightBytes(contents)) +
                      ", in the order that kernels read them";
  return Section("Weights", Details(title, Print(table)));
}

}  // namespace

std::string Report(const Contents& contents, const std::vector<ReportedFile>& files) {
  std::string name = Escape(contents.name);
  std::string out =
      "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>" +
      name + "</title>\n<style>" + std::string(kReportStyle) + "</style>\n<main>\n<header><h1>" +
      name + "</h1><p>compiled by webnnc</p></header>\n";
  out += Cards(contents, files) + Ports(contents);
  for (const GpuPart& part : contents.gpu) {
    out += ProgramSection(*part.program,
                          TitleOf(*part.program) + (part.half ? ", half precision" : ""),
                          RequirementList(part));
  }
  if (contents.cpu) {
    out +=
        ProgramSection(*contents.cpu, TitleOf(*contents.cpu),
                       "<p>Requires wasm with 128-bit SIMD, which all current engines have.</p>\n");
  }
  return out + Weights(contents) + Files(files) + "</main>\n</html>\n";
}

}  // namespace webnnc::bundle
