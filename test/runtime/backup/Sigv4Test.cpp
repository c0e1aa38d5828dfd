#include "runtime/backup/Sigv4.h"

#include "runtime/io/Manifest.h"

#include <gtest/gtest.h>

namespace llamarun {
namespace {

using std::chrono::days, std::chrono::hours;

Time at(int year, unsigned month, unsigned day, int hour) {
  return Time(std::chrono::sys_days(std::chrono::year(year) /
                                    std::chrono::month(month) /
                                    std::chrono::day(day))) +
         hours(hour);
}

std::string signatureOf(const HttpRequest &request) {
  for (auto &[name, value] : request.headers)
    if (name == "Authorization")
      return value.substr(value.find("Signature=") + 10);
  return "none";
}

/// The examples of "Signature Calculations for the Authorization Header:
/// Transferring Payload in a Single Chunk", Amazon S3 API Reference.
struct Published : ::testing::Test {
  Credentials who{"AKIAIOSFODNN7EXAMPLE",
                  Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
                  Secret(),
                  {},
                  "the example"};
  HttpRequest request;
  std::string sign(const std::string &body = "") {
    signRequest(request, who, "us-east-1", at(2013, 5, 24, 0), sha256Of(body));
    return signatureOf(request);
  }
};

TEST_F(Published, GetObject) {
  request.url = "https://examplebucket.s3.amazonaws.com/test.txt";
  request.header("Range", "bytes=0-9");
  EXPECT_EQ(sign(),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST_F(Published, PutObject) {
  request.method = "PUT";
  request.url = "https://examplebucket.s3.amazonaws.com/test%24file.text";
  request.header("Date", "Fri, 24 May 2013 00:00:00 GMT");
  request.header("x-amz-storage-class", "REDUCED_REDUNDANCY");
  EXPECT_EQ(sign("Welcome to Amazon S3."),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST_F(Published, GetBucketLifecycle) {
  request.url = "https://examplebucket.s3.amazonaws.com/?lifecycle";
  EXPECT_EQ(sign(),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST_F(Published, ListObjects) {
  // Sorted, whatever the order in the URL.
  request.url = "https://examplebucket.s3.amazonaws.com/?prefix=J&max-keys=2";
  EXPECT_EQ(sign(),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(Sigv4, AgreesWithBotocoreOnTokenPortAndOddKeys) {
  // botocore 1.44.5, S3SigV4Auth.add_auth.
  HttpRequest request;
  request.method = "PUT";
  request.url = "http://127.0.0.1:9000/my-bucket/runs/"
                "a%20b%2B%C3%A9~%281%29/x?uploadId=a%2Fb&partNumber=2";
  request.header("x-amz-checksum-sha256", "abc=");
  request.header("Content-Type", "application/octet-stream");
  Credentials who{"AKIDEXAMPLE",
                  Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
                  Secret("the/session+token=="),
                  {},
                  ""};
  signRequest(request, who, "eu-central-1", at(2026, 11, 23, 5),
              sha256Of("part"));
  EXPECT_EQ(signatureOf(request),
            "8e4370554470dbf920295bb605d53d967f4c0e2fac171b7720cc683e1e80a0a3");
}

TEST(Sigv4, EncodesAsS3Wants) {
  EXPECT_EQ(percentEncode("a b+c/d~e\xc3\xa9", "/"), "a%20b%2Bc/d~e%C3%A9");
  EXPECT_EQ(percentEncode("a/b=&"), "a%2Fb%3D%26");
  EXPECT_EQ(amzDate(at(2013, 5, 24, 0)), "20130524T000000Z");
  // openssl dgst -sha256 -binary </dev/null | base64
  EXPECT_EQ(base64OfHex(sha256Of("")),
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

} // namespace
} // namespace llamarun
