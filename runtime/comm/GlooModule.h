//===- GlooModule.h - What llamarun asks of Gloo ---------------*- C++ -*-===//
//
// libgloo is found at run time, as the CUDA libraries are: GlooModule.cpp is
// linked with it into a shared object of its own, which llamarun carries inside
// itself and opens when a plan runs on several CPUs. Between the two is this C
// table; no exception and no object of C++ crosses it.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstdint>

namespace llamarun {

/// A message to or from `peer`, an index in the group.
struct GlooTransfer {
  std::uint32_t peer;
  void *bytes;
  std::uint64_t size;
};

enum class GlooResult : int { Done, Failed, Aborted };

/// Functions that may fail write why to `error`, at most 256 bytes with the 0.
struct GlooTable {
  static constexpr int kError = 256, kAddress = 192;

  /// Listens at a numeric address of this host, one port for each other
  /// member. Null if it fails. `patience`: seconds that connect waits at most.
  void *(*open)(const char *address, std::uint32_t rank, std::uint32_t size,
                std::uint32_t patience, char *error);
  /// Where `peer` shall connect to; kAddress bytes.
  void (*address)(void *group, std::uint32_t peer, void *bytes);
  /// All members call it for all others in ascending order.
  GlooResult (*connect)(void *group, std::uint32_t peer, const void *bytes,
                        char *error);
  /// Puts in all transfers and waits until they are done: memory may be read
  /// and written again. Messages between two members arrive in their order.
  GlooResult (*exchange)(void *group, const GlooTransfer *sends,
                         std::uint32_t sendCount, const GlooTransfer *receives,
                         std::uint32_t receiveCount, char *error);
  /// From any thread: ends an exchange that waits, and every later one. Gloo
  /// has this for receiving and sending alike (UnboundBuffer::abortWait*), so
  /// connections need not be closed under a waiting thread.
  void (*abort)(void *group);
  void (*close)(void *group);
};

/// The one symbol of the shared object: "llamarunGloo".
using GlooEntry = const GlooTable *();

/// Opens the module. \throws Error(BadInput) when libgloo is not installed, or
/// was not when this program was built.
const GlooTable &glooTable();

} // namespace llamarun
