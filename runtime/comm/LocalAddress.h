//===- LocalAddress.h - Which of this host's addresses ---------*- C++ -*-===//
#pragma once

#include <string>

namespace llamarun {

/// The numeric address of the interface through which this host reaches `host`
/// (a name or an address): what a peer that is there can connect to. Nothing is
/// sent. \throws Error(PeerLost) if the name is unknown or there is no route.
std::string localAddressTowards(const std::string &host);

/// Whether a numeric address is of this host alone: 127.0.0.0/8, ::1.
bool isLoopback(const std::string &address);

} // namespace llamarun
