//===- CurlLibrary.h - libcurl, found at run time --------------*- C++ -*-===//
//
// Opened when the first request is sent, as the CUDA libraries are: llamarun
// starts on machines without it.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <curl/curl.h>

namespace llamarun {

struct CurlLibrary {
  decltype(&::curl_global_init) globalInit;
  decltype(&::curl_easy_init) init;
  decltype(&::curl_easy_reset) reset;
  decltype(&::curl_easy_cleanup) cleanup;
  decltype(&::curl_easy_setopt) setopt;
  decltype(&::curl_easy_perform) perform;
  decltype(&::curl_easy_getinfo) getinfo;
  decltype(&::curl_easy_strerror) strerror;
  decltype(&::curl_slist_append) append;
  decltype(&::curl_slist_free_all) freeAll;
};

/// Opens libcurl once and initialises it. \throws Error(Storage) if it is not
/// installed.
const CurlLibrary &curlLibrary();

} // namespace llamarun
