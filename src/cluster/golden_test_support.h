#pragma once

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace pyralog::cluster {

/// The contents of `directory/name`. Run with PYRALOG_UPDATE_GOLDEN=1, a test first writes `now` there: only ever for
/// a new format version, since files of released versions must stay readable.
inline std::string golden_file(const std::string& directory, const std::string& name, std::string_view now) {
  const std::string path = directory + "/" + name;
  if (std::getenv("PYRALOG_UPDATE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << now;
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace pyralog::cluster
