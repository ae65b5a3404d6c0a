// Flags that speak of an input or output: "NAME:what" where there are several.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace webnnc {

std::vector<std::string> NamesOf(const std::vector<graph::Port>& ports);

// "NAME:what", where NAME is one of `names`, as {NAME, what}; otherwise all of it is `what`.
std::pair<std::string, std::string> SplitName(const std::string& text,
                                              const std::vector<std::string>& names);

// "a", "b", "c"
std::string Listed(const std::vector<std::string>& names);

// Which of the ports that come into question a flag means. `what` calls them for an error, and
// `form` is how the flag would say which.
Result<std::string> PortOf(const std::string& flag, const std::string& named,
                           const std::vector<std::string>& candidates, const std::string& what,
                           const std::string& form);

// The error, with the flag before it.
Error InFlag(const std::string& flag, Error error);

}  // namespace webnnc
