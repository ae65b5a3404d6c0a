#include "bundle/page.h"

#include "base/result.h"

// Put into the compiler when it is built (CMakeLists.txt, page_files.S.in).
extern "C" {
extern const char webnnc_model_js[], webnnc_model_js_end[];
extern const char webnnc_model_d_ts[], webnnc_model_d_ts_end[];
extern const char webnnc_index_html[], webnnc_index_html_end[];
}

namespace webnnc::bundle {

static std::string_view Between(const char* begin, const char* end) {
  return {begin, static_cast<size_t>(end - begin)};
}

std::string_view PageFile(std::string_view name) {
  if (name == "model.js") return Between(webnnc_model_js, webnnc_model_js_end);
  if (name == "model.d.ts") return Between(webnnc_model_d_ts, webnnc_model_d_ts_end);
  CHECK(name == "index.html");
  return Between(webnnc_index_html, webnnc_index_html_end);
}

}  // namespace webnnc::bundle
