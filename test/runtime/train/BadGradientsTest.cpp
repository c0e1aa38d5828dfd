#include "runtime/train/BadGradients.h"

#include "test/runtime/train/TinyPlan.h"

#include <gtest/gtest.h>

#include <cmath>

namespace llamarun {
namespace {

/// A gradient, or a parameter, whose last element is not finite.
void spoil(Session &session, fb::Role role, const char *name) {
  auto values = tiny::read<float>(session, role, name);
  values.back() = std::nanf("");
  session.writeTensor(role, name, std::as_bytes(std::span(values)));
}

TEST(BadGradients, AreNamedInTheOrderOfThePlan) {
  auto session = tiny::openSession();
  EXPECT_EQ(namesOfBadGradients(*session, {}), "");
  EXPECT_TRUE(parametersAreFinite(*session, {}));
  spoil(*session, fb::Role::Gradient, "score.weight");
  spoil(*session, fb::Role::Gradient, tiny::kLoraB);
  EXPECT_EQ(namesOfBadGradients(*session, {}),
            std::string("; the gradient of '") + tiny::kLoraB +
                "' is not finite, nor are 1 others");
  EXPECT_TRUE(parametersAreFinite(*session, {}));
  spoil(*session, fb::Role::Parameter, tiny::kLoraA);
  EXPECT_FALSE(parametersAreFinite(*session, {}));
}

TEST(BadGradients, OfOneRankAreToldByAll) {
  tiny::Options options{.rows = 4, .dp = 2, .tp = 2};
  tiny::runGrid(options, [](Session &session, const Ranks &ranks) {
    if (ranks.rank() == 3) { // it alone holds this half of lora_A
      spoil(session, fb::Role::Gradient, tiny::kLoraA);
      spoil(session, fb::Role::Parameter, tiny::kLoraA);
    }
    EXPECT_EQ(namesOfBadGradients(session, ranks),
              std::string("; the gradient of '") + tiny::kLoraA +
                  "' is not finite");
    EXPECT_FALSE(parametersAreFinite(session, ranks));
  });
}

} // namespace
} // namespace llamarun
