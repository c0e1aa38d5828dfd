#include "runtime/backup/S3Address.h"

#include "runtime/backup/Upload.h"
#include "runtime/backup/Xml.h"
#include "test/runtime/io/TestFiles.h"

namespace llamarun {
namespace {

TEST(S3Location, IsBucketAndPrefix) {
  S3Location here = parseS3Location("s3://my-bucket/runs/x/");
  EXPECT_EQ(here.bucket, "my-bucket");
  EXPECT_EQ(here.key("objects/1"), "runs/x/objects/1");
  EXPECT_EQ(here.text(), "s3://my-bucket/runs/x");
  EXPECT_EQ(parseS3Location("s3://my-bucket").key("a"), "a");
  for (std::string text :
       {"", "my-bucket", "http://my-bucket", "s3://", "s3://ab", "s3://a b c",
        "s3://bucket/a//b", "s3://bucket/../x", "s3://buc..ket", "s3://b@d/x",
        "s3://bucket/a\nb"})
    expectError(ExitCode::Usage, {""}, [&] { parseS3Location(text); });
}

TEST(S3Endpoint, AmazonsBucketsAreInTheHost) {
  S3Endpoint amazon = makeS3Endpoint("");
  EXPECT_EQ(amazon.url("eu-west-1", "bkt", "a b/c"),
            "https://bkt.s3.eu-west-1.amazonaws.com/a%20b/c");
  EXPECT_EQ(amazon.url("eu-west-1", "bkt", "", "list-type=2"),
            "https://bkt.s3.eu-west-1.amazonaws.com/?list-type=2");
  // A certificate for *.s3... does not cover two labels.
  EXPECT_EQ(amazon.url("eu-west-1", "a.b", "k"),
            "https://s3.eu-west-1.amazonaws.com/a.b/k");
  EXPECT_EQ(amazon.url("cn-north-1", "bkt", "k"),
            "https://bkt.s3.cn-north-1.amazonaws.com.cn/k");
}

TEST(S3Endpoint, OthersHaveThemInThePath) {
  S3Endpoint own = makeS3Endpoint("http://127.0.0.1:9000/");
  EXPECT_EQ(own.url("us-east-1", "bkt", "k", "uploads="),
            "http://127.0.0.1:9000/bkt/k?uploads=");
  for (std::string url : {"ftp://host", "host:9000", "http://",
                          "http://key:hush@host", "http://host?x=1"})
    try {
      makeS3Endpoint(url);
      ADD_FAILURE() << url;
    } catch (const Error &error) {
      EXPECT_EQ(std::string(error.what()).find("hush"), std::string::npos);
    }
}

TEST(Upload, PartsAreEightMebibytesUnlessTenThousandWouldNotDo) {
  constexpr std::uint64_t kMiB = 1 << 20;
  EXPECT_EQ(partSizeOf(9 * kMiB), 8 * kMiB);
  EXPECT_EQ(partSizeOf(80'000 * kMiB), 8 * kMiB);
  EXPECT_EQ(partSizeOf(80'000 * kMiB + 1), 9 * kMiB);
  EXPECT_LE((5'000'000 * kMiB - 1) / partSizeOf(5'000'000 * kMiB) + 1, 10'000u);
}

TEST(Xml, ReadsAnswersAndNoOneElsesFiles) {
  XmlNode node = parseXml("<?xml version=\"1.0\"?><a xmlns=\"u\"><s3:b>1 &lt; "
                          "&#50;</s3:b><b>x</b></a>",
                          "t");
  EXPECT_EQ(node.text("b"), "1 < 2");
  EXPECT_EQ(node.child("c").text("d"), "");
  EXPECT_EQ(xmlEscape("<a&\"b>"), "&lt;a&amp;&quot;b&gt;");
  for (std::string text : {"", "no", "<a>", "<a><b></a>", "{}"})
    expectError(ExitCode::BadInput, {"t: no XML"},
                [&] { parseXml(text, "t"); });
  EXPECT_EQ(parseXml("<!DOCTYPE a [<!ENTITY e SYSTEM \"/etc/passwd\">]>"
                     "<a>&e;</a>",
                     "t")
                .value,
            "&e;");
  std::string deep;
  for (int i = 0; i < 1000; ++i)
    deep += "<a>";
  deep += "x";
  for (int i = 0; i < 1000; ++i)
    deep += "</a>";
  expectError(ExitCode::BadInput, {"deep"}, [&] { parseXml(deep, "t"); });
}

} // namespace
} // namespace llamarun
