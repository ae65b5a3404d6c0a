#include "bundle/page.h"

#include "base/result.h"

namespace webnnc::bundle {

struct EmbeddedFile {
  const char *name, *begin, *end;
};

}  // namespace webnnc::bundle

// Put into the compiler when it is built (CMakeLists.txt, page_files.S.in); ends with a null name.
extern "C" const webnnc::bundle::EmbeddedFile webnnc_page_files[];

namespace webnnc::bundle {

std::string_view PageFile(std::string_view name) {
  for (const EmbeddedFile* file = webnnc_page_files; file->name; ++file) {
    if (name == file->name) return {file->begin, static_cast<size_t>(file->end - file->begin)};
  }
  CHECK(!"a file of runtime-js");
  return {};
}

}  // namespace webnnc::bundle
