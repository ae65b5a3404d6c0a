// The folder that a compilation makes.
//
// Files are written into a hidden folder inside it and moved to their places when all are there,
// what a reader opens first coming last. So a reader finds whole files only, and a failure leaves
// the folder as it was. Renaming the whole folder would be one step instead of a dozen, but cannot
// be done where the folder is a mount point, a link, or somebody's current one, or where its parent
// may not be written.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace webnnc {

class OutputFolder {
 public:
  struct Options {
    // All names that a result may have, in the order in which files appear.
    std::vector<std::string> own_files;
    // Whether the file of this name says, by how it begins, that a folder holds an earlier result.
    std::string marker_file, marker;
    // Replace files of these names that are no earlier result.
    bool force = false;
  };

  // Makes the folder, and its parents, where it is missing. Other files that it holds stay. Errors:
  // it cannot be written; it is no folder; it holds files of a result's names that are none.
  static Result<OutputFolder> Create(const std::string& path, const Options& options);
  OutputFolder(OutputFolder&& other) noexcept;
  OutputFolder& operator=(OutputFolder&&) = delete;
  // Without Commit, leaves no trace.
  ~OutputFolder();

  Status Write(const std::string& name, std::string_view bytes);
  // Moves all files to their places, and removes those of an earlier result that this one has not.
  Status Commit();
  // Where a file is until Commit, for writers that stream.
  std::string PathOf(const std::string& name) const;

 private:
  OutputFolder(std::string path, std::string temporary, std::vector<std::string> made,
               Options options)
      : path_(std::move(path)),
        temporary_(std::move(temporary)),
        made_(std::move(made)),
        options_(std::move(options)) {}

  std::string path_, temporary_;
  // Folders that were not there before, outermost first.
  std::vector<std::string> made_;
  Options options_;
};

// A folder that must not outlive the process, `made` being the folders that were made for it.
void NoteUnfinished(const std::string& folder, std::vector<std::string> made = {});
void ForgetUnfinished(const std::string& folder);

// Removes what OutputFolders and others of this process have begun, as their destructors would. For
// a process that is asked to end.
void RemoveUnfinished();

}  // namespace webnnc
