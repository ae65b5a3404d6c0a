// report.html: what was built, for people. A page that report.js draws from the data in it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace webnnc::bundle {

// `description` is what Description gives. `previous` is the report.html of the build before, if
// there is one: the page shows what changed since. A build that is the same as that one keeps what
// that one was compared with, so that building again changes nothing. `profile` is what
// model.profile gave, as JSON; it may be empty.
//
// Errors: a profile that is none.
Result<std::string> Report(const std::string& description,
                           const std::optional<std::string>& previous, const std::string& profile);

}  // namespace webnnc::bundle
