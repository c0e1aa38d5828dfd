#include "runtime/backup/CredentialChain.h"

#include "test/runtime/backup/FakeHttp.h"
#include "test/runtime/io/TestFiles.h"

#include <sstream>

namespace llamarun {
namespace {

struct CredentialChainTest : ::testing::Test {
  TemporaryDirectory home;
  std::map<std::string, std::string> variables{{"HOME", home.path.string()}};
  FakeHttp http;
  std::string profile;

  void SetUp() override { std::filesystem::create_directories(home / ".aws"); }
  AwsEnvironment environment() {
    return [this](const char *name) {
      auto at = variables.find(name);
      return at == variables.end() ? std::string() : at->second;
    };
  }
  Credentials find() {
    return CredentialChain(profile, "eu-west-1", environment(), http).find();
  }
  void shared(const std::string &text) {
    writeAll(home / ".aws/credentials", text);
  }
  void config(const std::string &text) { writeAll(home / ".aws/config", text); }
  void refused(ExitCode code, const std::vector<std::string> &parts) {
    expectError(code, parts, [&] { find(); });
  }
};

constexpr char kInstance[] =
    R"({"Code": "Success", "AccessKeyId": "AKINST", "SecretAccessKey": "si",
        "Token": "ti", "Expiration": "2026-11-23T06:00:00Z"})";

TEST_F(CredentialChainTest, LooksInTheOrderOfTheAwsTools) {
  variables["AWS_ACCESS_KEY_ID"] = "AKENV";
  variables["AWS_SECRET_ACCESS_KEY"] = "se";
  variables["AWS_WEB_IDENTITY_TOKEN_FILE"] = (home / "jwt").string();
  variables["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/r";
  writeAll(home / "jwt", "jwt+1\n");
  shared("[default]\naws_access_key_id = AKSHARED\n"
         "aws_secret_access_key = ss\n");
  config("[default]\naws_access_key_id = AKCONFIG\n"
         "aws_secret_access_key = sc\n");
  variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/role";
  http.serve = [this](const HttpRequest &request) -> HttpResponse {
    if (request.url.starts_with("https://sts.eu-west-1.amazonaws.com/"))
      return {200,
              {},
              "<R><AssumeRoleWithWebIdentityResult><Credentials>"
              "<AccessKeyId>AKWEB</AccessKeyId><SecretAccessKey>sw"
              "</SecretAccessKey><SessionToken>tw</SessionToken>"
              "<Expiration>2026-11-23T06:00:00Z</Expiration>"
              "</Credentials></AssumeRoleWithWebIdentityResult></R>"};
    if (request.url == "http://169.254.170.2/role")
      return {200, {}, R"({"AccessKeyId": "AKCONT", "SecretAccessKey": "sk",
                           "Token": "tk"})"};
    if (request.url == "http://169.254.169.254/latest/api/token")
      return {200, {}, "session"};
    if (request.url.ends_with("/security-credentials/"))
      return {200, {}, "my role"};
    if (request.url.ends_with("/security-credentials/my%20role"))
      return {200, {}, kInstance};
    return {404, {}, ""};
  };
  EXPECT_EQ(find().accessKey, "AKENV");
  EXPECT_EQ(find().secretKey.reveal(), "se");
  // A profile that is named comes before the environment's keys.
  profile = "default";
  EXPECT_EQ(find().accessKey, "AKSHARED");
  profile = "";
  variables.erase("AWS_ACCESS_KEY_ID");
  variables.erase("AWS_SECRET_ACCESS_KEY");
  EXPECT_EQ(find().accessKey, "AKWEB");
  EXPECT_NE(http.bodies.back().find("&WebIdentityToken=jwt%2B1"),
            std::string::npos);
  variables.erase("AWS_WEB_IDENTITY_TOKEN_FILE");
  EXPECT_EQ(find().accessKey, "AKSHARED");
  shared("[other]\n");
  EXPECT_EQ(find().accessKey, "AKCONFIG");
  config("[default]\nregion = eu-west-1\n");
  EXPECT_EQ(find().accessKey, "AKCONT");
  variables.erase("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  Credentials instance = find();
  EXPECT_EQ(instance.accessKey, "AKINST");
  EXPECT_EQ(instance.sessionToken.reveal(), "ti");
  // date -u -d 2026-11-23T06:00:00Z +%s
  EXPECT_EQ(instance.expiry->time_since_epoch().count(), 1795413600);
  // Version 2: a session first, then with its token; never through a proxy.
  EXPECT_EQ(http.asked[http.asked.size() - 3].method, "PUT");
  EXPECT_EQ(http.header(http.asked.size() - 1, "X-aws-ec2-metadata-token"),
            "session");
  EXPECT_TRUE(http.asked.back().link);
  variables["AWS_EC2_METADATA_DISABLED"] = "True";
  refused(ExitCode::Storage, {"no credentials", "AWS_ACCESS_KEY_ID"});
}

TEST_F(CredentialChainTest, ProfilesAreThoseOfBothFiles) {
  config("# comment\n[profile lab]\nregion=eu-north-1 # here\ns3 =\n"
         "  max_concurrent_requests = 20\n"
         "credential_process = echo '{\"Version\": 1, \"AccessKeyId\": "
         "\"AKPROC\", \"SecretAccessKey\": \"sp\", \"SessionToken\": \"tp\"}'\n"
         "[profile sso]\nsso_session = s\n");
  variables["AWS_PROFILE"] = "lab";
  EXPECT_EQ(readAwsProfile("", environment()).get("region"), "eu-north-1");
  EXPECT_EQ(find().accessKey, "AKPROC");
  EXPECT_EQ(find().sessionToken.reveal(), "tp");
  shared("[lab]\naws_access_key_id=AKLAB\naws_secret_access_key=a=b/c+d\n");
  EXPECT_EQ(find().secretKey.reveal(), "a=b/c+d");
  profile = "sso";
  refused(ExitCode::Usage, {"sso_session", "aws configure export-credentials"});
  profile = "none";
  refused(ExitCode::Usage, {"no profile 'none'", "config"});
}

TEST_F(CredentialChainTest, ErrorsNameTheLineAndNotWhatIsInIt) {
  for (std::string text : {"[default]\nhush-hush\n",
                           "[default\nhush-hush = x\n", "hush-hush = x\n"}) {
    shared(text);
    try {
      find();
      FAIL();
    } catch (const Error &error) {
      std::string what = error.what();
      EXPECT_NE(what.find("credentials:"), what.npos) << what;
      EXPECT_EQ(what.find("hush"), what.npos) << what;
    }
  }
  shared("[default]\naws_access_key_id = A\n");
  refused(ExitCode::BadInput, {"aws_secret_access_key"});
  variables["AWS_ACCESS_KEY_ID"] = "AKENV";
  refused(ExitCode::Usage, {"AWS_SECRET_ACCESS_KEY"});
}

TEST_F(CredentialChainTest, ATokenGoesToNoOtherHostInClear) {
  variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://10.0.0.1/role";
  refused(ExitCode::Usage, {"FULL_URI"});
  variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] =
      "http://localhost.evil.org/role";
  refused(ExitCode::Usage, {"FULL_URI"});
  variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://localhost:1/role";
  variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "bearer";
  http.then(200, kInstance);
  EXPECT_EQ(find().accessKey, "AKINST");
  EXPECT_EQ(http.header(0, "Authorization"), "bearer");
}

TEST_F(CredentialChainTest, NobodyAtTheMetadataAddressIsNoCredentials) {
  http.thenBreak();
  refused(ExitCode::Storage, {"no credentials"});
}

TEST(Secret, IsNeverShown) {
  Credentials who{"AKID", Secret("hush"), Secret(), {}, ""};
  std::ostringstream text;
  text << who.secretKey << who.sessionToken;
  EXPECT_EQ(text.str(), "[redacted][none]");
  Secret moved = std::move(who.secretKey);
  EXPECT_EQ(moved.reveal(), "hush");
  EXPECT_TRUE(who.secretKey.empty());
}

TEST(CredentialCache, LooksAgainFiveMinutesBeforeTheEnd) {
  FakeCredentials source;
  Time start{std::chrono::seconds(1000)};
  source.all = {{"A", Secret("a"), Secret(), start + std::chrono::hours(1), ""},
                {"B", Secret("b"), Secret(), {}, ""}};
  CredentialCache cache(source);
  EXPECT_EQ(cache.at(start).accessKey, "A");
  EXPECT_EQ(cache.at(start + std::chrono::minutes(54)).accessKey, "A");
  EXPECT_EQ(cache.at(start + std::chrono::minutes(55)).accessKey, "B");
  EXPECT_FALSE(cache.renew()); // the same again
}

} // namespace
} // namespace llamarun
