#include "compiler/emit/LocationText.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

using namespace mlir;

namespace {

class LocationText : public testing::Test {
protected:
  MLIRContext context;

  Location file(StringRef name, unsigned line, unsigned column) {
    return FileLineColLoc::get(&context, name, line, column);
  }
  Location named(StringRef name, Location child) {
    return NameLoc::get(StringAttr::get(&context, name), child);
  }
  Location unknown() { return UnknownLoc::get(&context); }
};

TEST_F(LocationText, FileLosesItsFolder) {
  EXPECT_EQ(llamac::locationText(file("/a/b/model.mlir", 3, 4)),
            "model.mlir:3:4");
}

TEST_F(LocationText, NameFollowsThePosition) {
  EXPECT_EQ(llamac::locationText(named("q_proj", file("m.mlir", 1, 2))),
            "m.mlir:1:2 q_proj");
  EXPECT_EQ(llamac::locationText(named("q_proj", unknown())), "q_proj");
}

TEST_F(LocationText, CallSiteGoesInwardsFirst) {
  auto loc = CallSiteLoc::get(named("inner", file("a.mlir", 1, 1)),
                              named("outer", file("b.mlir", 2, 2)));
  EXPECT_EQ(llamac::locationText(loc), "a.mlir:1:1 inner + outer");
}

TEST_F(LocationText, FusedNamesOnceAndAtMostFour) {
  SmallVector<Location> parts;
  for (const char *name : {"a", "b", "a", "c", "d", "e"})
    parts.push_back(named(name, file("m.mlir", 1, 1)));
  EXPECT_EQ(llamac::locationText(FusedLoc::get(&context, parts)),
            "m.mlir:1:1 a + b + c + d + ...");
}

TEST_F(LocationText, NothingKnown) {
  EXPECT_EQ(llamac::locationText(unknown()), "unknown");
}

TEST_F(LocationText, HostileNamesStayPrintableAndShort) {
  std::string name = "x\n\x1b[31m" + std::string(10000, 'y');
  std::string text = llamac::locationText(named(name, unknown()));
  EXPECT_LE(text.size(), 500u);
  EXPECT_EQ(text.substr(0, 7), "x??[31m");
}

TEST_F(LocationText, SharedNodesDoNotMultiply) {
  // Each level holds the one before it twice: 2^40 paths.
  Location loc = file("m.mlir", 1, 1);
  for (int i = 0; i < 40; ++i) {
    std::string name = "n" + std::to_string(i);
    loc = CallSiteLoc::get(named(name, loc), named(name + "'", loc));
  }
  EXPECT_EQ(llamac::locationText(loc).substr(0, 11), "m.mlir:1:1 ");
}

} // namespace
