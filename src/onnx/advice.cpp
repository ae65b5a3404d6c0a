#include "onnx/advice.h"

#include <initializer_list>

namespace webnnc::onnx {

namespace {

struct Family {
  std::initializer_list<std::string_view> operators;
  const char* advice;
};

// By what they have in common: what a user would do is the same.
const Family kFamilies[] = {
    {{"StringConcat", "StringSplit", "StringNormalizer", "RegexFullMatch", "LabelEncoder",
      "ImageDecoder"},
     "text and files are prepared in the page: cut the model behind it"},
};

}  // namespace

std::string AdviceFor(std::string_view domain, std::string_view op_type) {
  for (const Family& family : kFamilies) {
    for (std::string_view name : family.operators) {
      if (name == op_type) return family.advice;
    }
  }
  if (domain == "com.microsoft") {
    return "it is one of ONNX Runtime's own: take the export from before ONNX Runtime optimised it";
  }
  if (domain == "ai.onnx.ml") return "it belongs to classical machine learning, not to networks";
  if (!domain.empty() && domain != "ai.onnx")
    return "it is not one of ONNX: export without custom operators";
  return "";
}

}  // namespace webnnc::onnx
