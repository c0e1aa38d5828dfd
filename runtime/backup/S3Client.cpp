#include "runtime/backup/S3Client.h"

#include "runtime/backup/Sigv4.h"
#include "runtime/backup/Xml.h"
#include "runtime/io/Manifest.h"
#include "runtime/io/QuoteName.h"

#include <charconv>

namespace llamarun {

static std::uint64_t numberOf(const std::string &text,
                              const std::string &what) {
  std::uint64_t number = 0;
  auto end = text.data() + text.size();
  if (auto [at, error] = std::from_chars(text.data(), end, number);
      error != std::errc() || at != end || text.empty())
    fail(ExitCode::BadInput, what, ": ", quoteName(text), " is no number");
  return number;
}

void S3Client::put(const std::string &key, std::span<const std::byte> bytes,
                   const std::string &sha256) {
  Call call{"s3:PutObject", "PUT", key, "", bytes, sha256, {}, 0, false};
  call.headers = {{"x-amz-checksum-sha256", base64OfHex(sha256)},
                  {"Content-Type", "application/octet-stream"}};
  send(call);
}

std::string S3Client::get(const std::string &key, std::uint64_t offset,
                          std::uint64_t size) {
  Call call{"s3:GetObject", "GET", key, "", {}, "", {}, size, false};
  if (size)
    call.headers = {{"Range", "bytes=" + std::to_string(offset) + "-" +
                                  std::to_string(offset + size - 1)}};
  return std::move(send(call).body);
}

std::optional<std::uint64_t> S3Client::sizeOf(const std::string &key) {
  try {
    auto response =
        send({"s3:GetObject", "HEAD", key, "", {}, "", {}, 0, false});
    return numberOf(response.header("content-length"), key);
  } catch (const S3Error &error) {
    if (error.fault.status == 404)
      return std::nullopt;
    throw;
  }
}

void S3Client::remove(const std::string &key) {
  send({"s3:DeleteObject", "DELETE", key, "", {}, "", {}, 0, false});
}

std::vector<S3Object> S3Client::list(const std::string &prefix) {
  std::vector<S3Object> objects;
  std::string token;
  do {
    Call call{"s3:ListBucket",
              "GET",
              "",
              "list-type=2&prefix=" + percentEncode(prefix),
              {},
              "",
              {},
              0,
              true};
    if (!token.empty())
      call.query =
          "continuation-token=" + percentEncode(token) + "&" + call.query;
    XmlNode page = parseXml(send(call).body, "s3://" + options.bucket);
    for (auto &entry : page.children)
      if (entry.name == "Contents")
        objects.push_back(
            {entry.text("Key"), numberOf(entry.text("Size"), "list")});
    token = page.text("IsTruncated") == "true"
                ? page.text("NextContinuationToken")
                : "";
  } while (!token.empty());
  return objects;
}

std::string S3Client::createUpload(const std::string &key) {
  Call call{"s3:PutObject", "POST", key, "uploads=", {}, "", {}, 0, true};
  call.headers = {{"x-amz-checksum-algorithm", "SHA256"},
                  {"Content-Type", "application/octet-stream"}};
  std::string id = parseXml(send(call).body, key).text("UploadId");
  if (id.empty())
    fail(ExitCode::Storage, "s3://", options.bucket, "/", key,
         ": the answer to CreateMultipartUpload has no UploadId");
  return id;
}

S3Part S3Client::uploadPart(const S3Upload &upload, unsigned number,
                            std::span<const std::byte> bytes,
                            const std::string &sha256) {
  Call call{"s3:PutObject",
            "PUT",
            upload.key,
            "partNumber=" + std::to_string(number) +
                "&uploadId=" + percentEncode(upload.id),
            bytes,
            sha256,
            {},
            0,
            false};
  S3Part part{number, "", base64OfHex(sha256)};
  call.headers = {{"x-amz-checksum-sha256", part.sha256}};
  auto response = send(call);
  part.etag = response.header("etag");
  auto theirs = response.header("x-amz-checksum-sha256");
  if (part.etag.empty() || (!theirs.empty() && theirs != part.sha256))
    fail(ExitCode::Storage, "s3://", options.bucket, "/", upload.key, ": part ",
         number, " arrived with another checksum, or none");
  return part;
}

void S3Client::completeUpload(const S3Upload &upload,
                              const std::vector<S3Part> &parts,
                              std::uint64_t size) {
  std::string text = "<CompleteMultipartUpload "
                     "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (auto &part : parts)
    text += "<Part><PartNumber>" + std::to_string(part.number) +
            "</PartNumber><ETag>" + xmlEscape(part.etag) +
            "</ETag><ChecksumSHA256>" + part.sha256 +
            "</ChecksumSHA256></Part>";
  text += "</CompleteMultipartUpload>";
  Call call{"s3:PutObject",
            "POST",
            upload.key,
            "uploadId=" + percentEncode(upload.id),
            std::as_bytes(std::span(text)),
            sha256Of(text),
            {},
            0,
            true};
  call.headers = {{"Content-Type", "application/xml"}};
  try {
    send(call);
  } catch (const S3Error &error) {
    // An attempt whose answer was lost may have completed it.
    if (error.fault.code != "NoSuchUpload" || sizeOf(upload.key) != size)
      throw;
  }
}

void S3Client::abortUpload(const S3Upload &upload) {
  try {
    send({"s3:AbortMultipartUpload",
          "DELETE",
          upload.key,
          "uploadId=" + percentEncode(upload.id),
          {},
          "",
          {},
          0,
          false});
  } catch (const S3Error &error) {
    if (error.fault.status != 404)
      throw;
  }
}

std::vector<S3Upload> S3Client::uploads(const std::string &prefix) {
  std::vector<S3Upload> found;
  std::string marker;
  for (;;) {
    Call call{"s3:ListBucketMultipartUploads",
              "GET",
              "",
              "prefix=" + percentEncode(prefix) + marker + "&uploads=",
              {},
              "",
              {},
              0,
              true};
    XmlNode page = parseXml(send(call).body, "s3://" + options.bucket);
    for (auto &entry : page.children)
      // A service that ignores the prefix must not make us abort another's.
      if (entry.name == "Upload" && entry.text("Key").starts_with(prefix))
        found.push_back({entry.text("Key"), entry.text("UploadId")});
    if (page.text("IsTruncated") != "true" ||
        page.text("NextKeyMarker").empty())
      return found;
    marker =
        "&key-marker=" + percentEncode(page.text("NextKeyMarker")) +
        "&upload-id-marker=" + percentEncode(page.text("NextUploadIdMarker"));
  }
}

} // namespace llamarun
