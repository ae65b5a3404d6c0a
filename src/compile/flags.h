// Flags that need more than to be copied.
#pragma once

#include <string>

#include "bundle/bundle.h"
#include "onnx/import.h"
#include "schedule/database.h"
#include "webnnc/compiler.h"

namespace webnnc {

// What can be said to be wrong before the model is read: an output that cannot be written, a device
// that there is not.
Status CheckFlags(const CompileOptions& options);

Result<onnx::ImportOptions> ImportOptionsOf(const CompileOptions& options);

// The measured schedules that the flags name, if any.
Result<schedule::Database> ReadSchedules(const CompileOptions& options);

// What the report is to be made of: the profile that the flags name, and the report that is there.
Result<bundle::ReportOptions> ReportOptionsOf(const CompileOptions& options);

}  // namespace webnnc
