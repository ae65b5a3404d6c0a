#include "bundle/memory_picture.h"

#include <algorithm>
#include <cstdio>

#include "bundle/html.h"

namespace webnnc::bundle {

namespace {

// The drawing's own units.
constexpr double kWidth = 1000, kHeight = 320, kLeft = 64, kBottom = 24, kTop = 8;

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f", value);
  return text;
}

class Picture {
 public:
  Picture(const plan::Program& program, const plan::MemoryPlan& plan, const SampleSizes& sizes)
      : program_(program), plan_(plan), sizes_(sizes), lifetimes_(plan::Lifetimes(program)) {}

  std::string Draw() {
    std::string out = "<svg class=\"memory\" viewBox=\"0 0 " + Number(kWidth) + " " +
                      Number(kTop + kHeight + kBottom) +
                      "\" role=\"img\" aria-label=\"Memory plan\">\n";
    out += Axes();
    for (int32_t b = 0; b < program_.buffers.size(); ++b) {
      if (plan_.offsets[static_cast<size_t>(b)] >= 0) out += Rectangle(plan::BufferId{b});
    }
    return out + "</svg>\n";
  }

 private:
  double X(double step) const {
    return kLeft + step * (kWidth - kLeft) /
                       std::max<double>(1, static_cast<double>(program_.steps.size()));
  }
  double Y(double byte) const {
    return kTop + kHeight - byte * kHeight / std::max<double>(1, static_cast<double>(plan_.bytes));
  }

  // A line at each quarter of the arena, a number at some steps.
  std::string Axes() const {
    std::string out;
    for (int quarter = 0; quarter <= 4; ++quarter) {
      int64_t bytes = plan_.bytes * quarter / 4;
      std::string y = Number(Y(static_cast<double>(bytes)));
      out += "<line x1=\"" + Number(kLeft) + "\" x2=\"" + Number(kWidth) + "\" y1=\"" + y +
             "\" y2=\"" + y + "\"/>";
      out += "<text x=\"" + Number(kLeft - 6) + "\" y=\"" + y + "\" class=\"left\">" +
             SizeText(bytes) + "</text>\n";
    }
    constexpr size_t kMostNumbers = 12;
    size_t every = std::max<size_t>(1, (program_.steps.size() + kMostNumbers - 1) / kMostNumbers);
    for (size_t step = 0; step < program_.steps.size(); step += every) {
      out += "<text x=\"" + Number(X(static_cast<double>(step) + 0.5)) + "\" y=\"" +
             Number(kTop + kHeight + 16) + "\" class=\"below\">" + std::to_string(step) +
             "</text>\n";
    }
    return out;
  }

  std::string Rectangle(plan::BufferId id) const {
    static constexpr const char* kClasses[] = {"input", "output", "weight", "activation"};
    const plan::Buffer& buffer = program_.buffers[id];
    const plan::Lifetime& life = lifetimes_[static_cast<size_t>(id.index)];
    auto bytes = static_cast<double>(ByteSize(program_, buffer).Evaluate(sizes_.values()));
    auto offset = static_cast<double>(plan_.offsets[static_cast<size_t>(id.index)]);
    double x = X(life.first_step), top = Y(offset + bytes);
    return "<rect class=\"" + std::string(kClasses[static_cast<int>(buffer.kind)]) + "\" x=\"" +
           Number(x) + "\" y=\"" + Number(top) + "\" width=\"" + Number(X(life.last_step + 1) - x) +
           "\" height=\"" + Number(Y(offset) - top) + "\" rx=\"1.5\"><title>" +
           Escape(buffer.name) + "\n" + SizeText(static_cast<int64_t>(bytes)) + " at " +
           SizeText(static_cast<int64_t>(offset)) + ", steps " + std::to_string(life.first_step) +
           " to " + std::to_string(life.last_step) + "</title></rect>\n";
  }

  const plan::Program& program_;
  const plan::MemoryPlan& plan_;
  const SampleSizes& sizes_;
  std::vector<plan::Lifetime> lifetimes_;
};

}  // namespace

std::string MemoryPicture(const plan::Program& program, const plan::MemoryPlan& plan,
                          const SampleSizes& sizes) {
  return Picture(program, plan, sizes).Draw();
}

}  // namespace webnnc::bundle
