// Expectations are what Python's re.match(rf"(.*\.)?({key})$", module) gives.
#include "runtime/io/ModulePattern.h"

#include "test/runtime/io/TestFiles.h"

namespace llamarun {
namespace {

constexpr char kModule[] = "model.layers.11.self_attn.q_proj";

TEST(ModulePattern, MatchesAsPeftDoes) {
  for (const char *key :
       {"q_proj", "self_attn.q_proj", "model.layers.11.self_attn.q_proj",
        R"(layers\.(1|11)\..*_proj)", R"(model\.layers\.\d+\.self_attn.q_proj)",
        "k_proj|q_proj"})
    EXPECT_TRUE(ModulePattern::forKey(key).matches(kModule)) << key;
  for (const char *key : {"proj", "attn.q_proj", "q_pro", "v_proj", "self_attn",
                          R"(layers\.1\..*)", "k_proj|q_pro"})
    EXPECT_FALSE(ModulePattern::forKey(key).matches(kModule)) << key;
}

TEST(ModulePattern, BadPatternIsAnError) {
  for (const char *key : {"(", "[a", "(?P<", "a{2,1}"})
    expectError(ExitCode::BadInput, {"not a regular expression"},
                [&] { ModulePattern::forKey(key); });
  expectError(ExitCode::BadInput, {"too long"},
              [&] { ModulePattern::forKey(std::string(5000, 'a')); });
}

TEST(ModulePattern, ExponentialPatternsStop) {
  ModulePattern pattern = ModulePattern::forKey("(a|aa)+");
  expectError(ExitCode::BadInput, {"takes too long"},
              [&] { pattern.matches(std::string(200, 'a') + "!"); });
}

TEST(ModulePattern, DeepPatternsDoNotExhaustTheStack) {
  std::string deep = std::string(2000, '(') + "a" + std::string(2000, ')');
  expectError(ExitCode::BadInput, {"not a regular expression"},
              [&] { ModulePattern::forKey(deep); });
}

} // namespace
} // namespace llamarun
