//===- TuneCache.h - Chosen GEMM algorithms in a file ----------*- C++ -*-===//
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace llamarun {

/// What was found fastest for one shape of GEMM.
struct TunedAlgorithm {
  /// A library's description of it, opaque here (cublasLtMatmulAlgo_t).
  std::array<std::uint64_t, 8> bits{};
  double microseconds = 0;
};

/// A JSON file beside the plan: {"format", "device", "library", "checksum",
/// "algorithms": {shape: "<128 hexadecimal digits> <microseconds>"}}; the
/// checksum covers the algorithms, which a library is handed as they are. The
/// file belongs to one model
/// of device and one version of the library. It is never needed: whatever is
/// wrong with it is a note for the user, and the algorithms are found again.
class TuneCache {
public:
  /// \param file empty: nothing is read or written.
  TuneCache(std::string file, std::string device, std::string library);

  /// Replaces what is known by what the file holds. Returns what the user
  /// should know, or "".
  std::string load();
  /// Writes the file atomically if something was added. Returns as load().
  std::string save();

  std::optional<TunedAlgorithm> find(const std::string &shape) const;
  void put(const std::string &shape, const TunedAlgorithm &algorithm);
  void erase(const std::string &shape) { algorithms.erase(shape); }
  std::size_t size() const { return algorithms.size(); }

private:
  std::string file, device, library;
  std::map<std::string, TunedAlgorithm> algorithms;
  bool changed = false;
};

} // namespace llamarun
