#include "runtime/backup/S3Client.h"

#include "runtime/io/Manifest.h"
#include "test/runtime/backup/FakeHttp.h"
#include "test/runtime/io/TestFiles.h"

namespace llamarun {
namespace {

struct S3ClientTest : ::testing::Test {
  FakeHttp http;
  FakeClock clock;
  FakeCredentials credentials;
  std::vector<std::string> notes;
  S3Client client{{"bkt",
                   makeS3Endpoint("http://host:9000"),
                   "us-east-1",
                   {},
                   [this](const std::string &note) { notes.push_back(note); }},
                  http,
                  credentials,
                  clock,
                  [] { return 0.5; }};

  void put(std::string_view text = "abc") {
    client.put("k", std::as_bytes(std::span(text)), sha256Of(text));
  }
  ~S3ClientTest() override {
    for (auto &note : notes) {
      EXPECT_EQ(note.find("the-secret-key"), note.npos) << note;
      EXPECT_EQ(note.find("the-session-token"), note.npos) << note;
    }
  }
};

TEST_F(S3ClientTest, SendsTheBodysDigestTwice) {
  http.then(200);
  put();
  // sha256sum, and base64 of the same.
  EXPECT_EQ(http.header(0, "x-amz-content-sha256"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(http.header(0, "x-amz-checksum-sha256"),
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
  EXPECT_EQ(http.asked[0].url, "http://host:9000/bkt/k");
}

TEST_F(S3ClientTest, SurvivesWhatPasses) {
  http.thenError(500, "InternalError");
  http.thenBreak();
  http.thenError(503, "SlowDown", {{"retry-after", "7"}});
  http.thenError(400, "BadDigest");
  http.then(200);
  put();
  EXPECT_EQ(http.asked.size(), 5u);
  // Half of 1, 2, 4 and 8 seconds, and what the server asked for.
  EXPECT_EQ(clock.waits, (std::vector<double>{0.5, 1, 7, 4}));
  EXPECT_EQ(notes.size(), 4u);
}

TEST_F(S3ClientTest, GivesUpAfterAsManyAttemptsAsAllowed) {
  for (int i = 0; i < 5; ++i)
    http.thenError(503, "SlowDown");
  expectError(ExitCode::Storage, {"s3:PutObject", "SlowDown", "5 attempts"},
              [&] { put(); });
  EXPECT_EQ(http.asked.size(), 5u);
  for (int i = 0; i < 5; ++i)
    http.thenBreak();
  expectError(ExitCode::Storage, {"connection reset", "5 attempts"},
              [&] { put(); });
}

TEST_F(S3ClientTest, DoesNotTryAgainWhatWillNotPass) {
  http.thenBreak(false);
  expectError(ExitCode::Storage, {"connection reset"}, [&] { put(); });
  for (auto [code, words] :
       {std::pair("AccessDenied", "may not s3:PutObject on s3://bkt/k"),
        std::pair("InvalidAccessKeyId",
                  "does not know the access key of a test"),
        std::pair("SignatureDoesNotMatch", "the secret key of a test"),
        std::pair("NoSuchBucket", "bucket 'bkt' does not exist"),
        std::pair("Odd\x1b", "Odd\\x1b")}) {
    http.thenError(403, code);
    expectError(ExitCode::Storage, {words}, [&] { put(); });
  }
  EXPECT_EQ(http.asked.size(), 6u);
  EXPECT_TRUE(clock.waits.empty());
}

TEST_F(S3ClientTest, ErrorsShowNothingOfABodyButCodeAndMessage) {
  // S3 repeats the token that it refuses.
  http.thenError(400, "ExpiredToken", {},
                 "<Token-0>the-session-token</Token-0>");
  try {
    put();
    FAIL();
  } catch (const Error &error) {
    std::string text = error.what();
    EXPECT_NE(text.find("expired"), text.npos) << text;
    EXPECT_EQ(text.find("the-session-token"), text.npos) << text;
  }
}

TEST_F(S3ClientTest, TakesFreshCredentialsWhenTheTokenHasExpired) {
  credentials.all.push_back(
      {"AKID2", Secret("other"), Secret("newer"), {}, "a test"});
  http.thenError(400, "ExpiredToken");
  http.then(200);
  put();
  EXPECT_EQ(http.header(0, "x-amz-security-token"), "the-session-token");
  EXPECT_EQ(http.header(1, "x-amz-security-token"), "newer");
}

TEST_F(S3ClientTest, FollowsTheServersClock) {
  // 2027-01-15T08:30:00Z, half an hour ahead of the fake clock.
  http.thenError(403, "RequestTimeTooSkewed",
                 {{"date", "Fri, 15 Jan 2027 08:30:00 GMT"}});
  http.then(200);
  put();
  EXPECT_EQ(http.header(0, "x-amz-date"), "20270115T080000Z");
  EXPECT_EQ(http.header(1, "x-amz-date"), "20270115T083000Z");
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("1800 s behind"), std::string::npos);
  // Only once: a server that keeps refusing ends it.
  http.thenError(403, "RequestTimeTooSkewed",
                 {{"date", "Fri, 15 Jan 2027 08:30:00 GMT"}});
  expectError(ExitCode::Storage, {"clock"}, [&] { put(); });
}

TEST_F(S3ClientTest, FollowsTheBucketToItsRegion) {
  http.thenError(301, "PermanentRedirect",
                 {{"x-amz-bucket-region", "eu-west-3"}});
  http.then(200);
  put();
  EXPECT_NE(http.header(1, "Authorization").find("/eu-west-3/s3/"),
            std::string::npos);
  http.thenError(400, "AuthorizationHeaderMalformed", {},
                 "<Region>ap-south-1</Region>");
  http.then(200);
  put();
  EXPECT_NE(http.header(3, "Authorization").find("/ap-south-1/s3/"),
            std::string::npos);
  http.thenError(301, "PermanentRedirect");
  expectError(ExitCode::Storage, {"--region"}, [&] { put(); });
}

TEST_F(S3ClientTest, TwoHundredWithAnErrorIsAnError) {
  http.thenError(200, "InternalError");
  http.then(200, "<CompleteMultipartUploadResult><ETag>e</ETag>"
                 "</CompleteMultipartUploadResult>");
  client.completeUpload({"k", "id"}, {{1, "\"e1\"", "c1="}}, 3);
  EXPECT_EQ(http.asked.size(), 2u);
  EXPECT_NE(http.bodies[1].find("<PartNumber>1</PartNumber><ETag>&quot;e1&quot;"
                                "</ETag><ChecksumSHA256>c1="),
            std::string::npos);
  // Cut off, so nobody knows: asked again.
  http.then(200, "<CompleteMultipartUploadRe");
  http.then(200, "<CompleteMultipartUploadResult/>");
  client.completeUpload({"k", "id"}, {}, 3);
  EXPECT_EQ(http.asked.size(), 4u);
}

TEST_F(S3ClientTest, AnUploadThatWasCompletedUnheardIsThere) {
  http.thenBreak();
  http.thenError(404, "NoSuchUpload");
  http.then(200, "", {{"content-length", "3"}});
  client.completeUpload({"k", "id"}, {}, 3);
  EXPECT_EQ(http.asked[2].method, "HEAD");
  http.thenError(404, "NoSuchUpload");
  http.then(200, "", {{"content-length", "2"}});
  expectError(ExitCode::Storage, {"NoSuchUpload"}, [&] {
    client.completeUpload({"k", "id"}, {}, 3);
  });
}

TEST_F(S3ClientTest, AShortAnswerIsAskedForAgain) {
  http.then(206, "ab");
  http.then(206, "abc");
  EXPECT_EQ(client.get("k", 5, 3), "abc");
  EXPECT_EQ(http.header(0, "Range"), "bytes=5-7");
  // Content that looks like an error is content.
  http.then(206, "<Error><Code>InternalError</Code></Error>");
  EXPECT_EQ(client.get("k", 0, 41).size(), 41u);
}

TEST_F(S3ClientTest, APartThatArrivesWithAnotherChecksumIsRefused) {
  std::string_view text = "abc";
  http.then(200, "", {{"etag", "e"}, {"x-amz-checksum-sha256", "other="}});
  expectError(ExitCode::Storage, {"part 2", "checksum"}, [&] {
    client.uploadPart({"k", "id"}, 2, std::as_bytes(std::span(text)),
                      sha256Of(text));
  });
}

TEST_F(S3ClientTest, ListsAllPages) {
  http.then(200, "<ListBucketResult><IsTruncated>true</IsTruncated>"
                 "<NextContinuationToken>a+/=</NextContinuationToken>"
                 "<Contents><Key>p/1</Key><Size>10</Size></Contents>"
                 "</ListBucketResult>");
  http.then(200, "<ListBucketResult><IsTruncated>false</IsTruncated>"
                 "<Contents><Key>p/&amp;2</Key><Size>0</Size></Contents>"
                 "</ListBucketResult>");
  auto objects = client.list("p/");
  ASSERT_EQ(objects.size(), 2u);
  EXPECT_EQ(objects[0].size, 10u);
  EXPECT_EQ(objects[1].key, "p/&2");
  EXPECT_NE(http.asked[1].url.find("continuation-token=a%2B%2F%3D"),
            std::string::npos);
  http.then(200, "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>"
                 "<Upload><Key>p/1</Key><UploadId>u</UploadId></Upload>"
                 "<Upload><Key>other</Key><UploadId>v</UploadId></Upload>"
                 "</ListMultipartUploadsResult>");
  auto uploads = client.uploads("p/");
  ASSERT_EQ(uploads.size(), 1u); // not those of others
  EXPECT_EQ(uploads[0].id, "u");
}

} // namespace
} // namespace llamarun
