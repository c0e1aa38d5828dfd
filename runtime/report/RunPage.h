//===- RunPage.h - Runs as one HTML file -----------------------*- C++ -*-===//
#pragma once

#include "runtime/report/RunFiles.h"

#include <string>
#include <vector>

namespace llamarun {

/// A page that needs nothing else: styles and drawings are in it, no script and
/// no address. Several runs share each chart, one colour a run; settings in
/// which they differ are marked. Light or dark as the reader's system is.
/// \param runs at least one. \param title plain text.
std::string runPage(const std::vector<Run> &runs, const std::string &title);

} // namespace llamarun
