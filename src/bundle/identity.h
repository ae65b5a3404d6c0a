// What binds the files of a bundle together, so that a page notices one that belongs to another
// build or was damaged on the way.
#pragma once

#include <cstdint>
#include <string>

#include "bundle/contents.h"
#include "bundle/weights_file.h"

namespace webnnc::bundle {

// The text of "model.js" or "model.worker.js" for these models: those of models whose programs have
// commands are larger, and those of several models, or for threads, once more. It names the files
// of shaders and the modules for threads that there are, and no others: bundlers look for all that
// are named.
std::string ScriptFor(const Contents& contents, std::string_view name);

// The id of a build: a hash of all that a page reads, XXH64 in 16 hexadecimal digits. `modules` are
// without the manifest, which holds the id.
std::string BuildId(const Contents& contents, const std::vector<Module>& modules);

// The record that model.js has of its build, as JSON (docs/bundle.md).
std::string BuildRecord(const Contents& contents, const std::vector<Module>& modules);

// A script of runtime-js with that record in its place.
std::string WithBuildRecord(std::string_view script, const std::string& record);

}  // namespace webnnc::bundle
