#include "runtime/data/PostProcessor.h"

#include <gtest/gtest.h>

using namespace llamarun;

// Lengths as huggingface/tokenizers' utils/truncation.rs gives them; the golden
// pairs in TokenizerTest.cpp come from the library itself.
TEST(PostProcessor, TruncatesLongestFirst) {
  struct Case {
    size_t a, b, budget, keptA, keptB;
  };
  for (Case c : {Case{3, 4, 7, 3, 4},   // fits
                 Case{3, 10, 8, 3, 5},  // the longer one alone
                 Case{10, 3, 8, 5, 3},  //
                 Case{10, 10, 7, 3, 4}, // both: the first gets the smaller half
                 Case{11, 10, 7, 4, 3}, // ... unless it is the longer one
                 Case{4, 10, 7, 3, 4},  // the shorter one is over half
                 Case{9, 9, 0, 0, 0}, Case{9, 20, 8, 4, 4}, Case{0, 9, 4, 0, 4},
                 Case{5, 5, 1, 0, 1}}) {
    std::vector<int32_t> a(c.a), b(c.b);
    for (size_t i = 0; i < c.a; ++i)
      a[i] = static_cast<int32_t>(i);
    truncateLongestFirst(a, b, c.budget);
    EXPECT_EQ(a.size(), c.keptA) << c.a << " " << c.b << " " << c.budget;
    EXPECT_EQ(b.size(), c.keptB) << c.a << " " << c.b << " " << c.budget;
    for (size_t i = 0; i < a.size(); ++i)
      EXPECT_EQ(a[i], static_cast<int32_t>(i)); // cut at the right
  }
}
