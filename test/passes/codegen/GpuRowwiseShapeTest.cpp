// What GpuRowwiseShape.h promises: the tiles of a launch cover every column of
// every row once, accesses are as wide as alignments allow, and a row that is
// reduced belongs to one tile.
#include "passes/codegen/GpuRowwiseShape.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

#include "gtest/gtest.h"

using namespace mlir;
using namespace llamac;

namespace {

class GpuRowwiseShapeTest : public testing::Test {
protected:
  GpuRowwiseShapeTest() {
    context
        .loadDialect<arith::ArithDialect, func::FuncDialect, llm::LlmDialect>();
  }

  /// y = x, or the row's sum of x, or x minus that sum.
  GpuRowwiseShape shapeOf(int64_t cols, const std::string &element,
                          const std::string &kind,
                          ArrayRef<int64_t> alignments = {}, int64_t offset = 0,
                          int64_t pitch = 0) {
    std::string n = std::to_string(cols),
                width = std::to_string(pitch ? pitch : cols + offset);
    std::string x = "tensor<3x" + width + "x" + element + ">";
    bool sum = kind == "sum", reduces = kind != "copy";
    std::string type =
        sum ? "tensor<3xf32>" : "tensor<3x" + n + "x" + element + ">";
    std::string body;
    bool narrow = element == "bf16";
    if (reduces) {
      body = narrow ? "%w = arith.extf %v : bf16 to f32\n"
                    : "%zero = arith.constant 0.0 : f32\n"
                      "%w = arith.addf %v, %zero : f32\n";
      body += "%s = llm.row_reduce add %w : f32\n";
      if (!sum) {
        body += "%d = arith.subf %w, %s : f32\n";
        if (narrow)
          body += "%e = arith.truncf %d : f32 to bf16\n";
      }
    }
    std::string result = !reduces ? "%v : " + element
                         : sum    ? "%s : f32"
                         : narrow ? "%e : bf16"
                                  : "%d : f32";
    std::string text =
        "func.func @f(%x: " + x + ") {\n%y = llm.rowwise rows(3) cols(" + n +
        ") ins(%x : " + x + ") maps [affine_map<(r, c) -> (r, c + " +
        std::to_string(offset) +
        ")>] indexed_by [-1] outs [0] at [affine_map<(r, c) -> " +
        (sum ? "(r)" : "(r, c)") + ">] -> (" + type +
        ") {\n^bb0(%v: " + element + "):\n" + body + "llm.yield " + result +
        "\n}\nreturn\n}";
    module = parseSourceString<ModuleOp>(text, &context);
    EXPECT_TRUE(module) << text;
    llm::RowwiseOp op;
    module->walk([&](llm::RowwiseOp found) { op = found; });
    RowwiseBody rowBody(op, {.bf16 = true, .online = true});
    EXPECT_TRUE(succeeded(rowBody.analyze("GPU")));
    return GpuRowwiseShape::choose(rowBody, alignments);
  }

  /// Goes through all threads of a launch for `rows` rows as the kernel does.
  static void expectCover(const GpuRowwiseShape &shape, int64_t rows) {
    std::vector<int> seen(rows * shape.cols);
    ASSERT_EQ(shape.cols % shape.lanes, 0);
    for (int64_t block = 0; block < shape.grid(rows); ++block)
      for (int64_t i = 0; i < shape.blockThreads(); ++i) {
        int64_t tile = block * shape.tiles + i / shape.threads;
        int64_t thread = i % shape.threads;
        int64_t row = tile / shape.chunks, chunk = tile % shape.chunks;
        if (row >= rows) {
          ASSERT_TRUE(shape.takesRows());
          continue;
        }
        int64_t sweeps =
            shape.resident
                ? 1
                : llvm::divideCeil(shape.cols, shape.stride() * shape.vectors);
        for (int64_t s = 0; s < sweeps; ++s)
          for (int64_t j = 0; j < shape.vectors; ++j) {
            int64_t vector = (chunk + s) * shape.vectors + j;
            int64_t column = (vector * shape.threads + thread) * shape.lanes;
            for (int64_t lane = 0; lane < shape.lanes; ++lane)
              if (column + lane < shape.cols)
                ++seen[row * shape.cols + column + lane];
          }
      }
    for (size_t i = 0; i < seen.size(); ++i)
      ASSERT_EQ(seen[i], 1) << "element " << i << " of rows of " << shape.cols;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(GpuRowwiseShapeTest, CoversEveryColumnOnce) {
  for (int64_t cols :
       {1,   2,   3,    20,   31,   64,   96,   100,   128,   257,
        320, 640, 1000, 1024, 2048, 4095, 4096, 11008, 14336, 128256})
    for (const char *element : {"f32", "bf16"})
      for (const char *kind : {"copy", "sum", "center"}) {
        SCOPED_TRACE(std::string(kind) + " of " + element + ", " +
                     std::to_string(cols) + " columns");
        GpuRowwiseShape shape = shapeOf(cols, element, kind);
        expectCover(shape, 1);
        expectCover(shape, 5);
        EXPECT_LE(shape.blockThreads(), 1024);
        EXPECT_TRUE(shape.threads < 32 ? llvm::isPowerOf2_64(shape.threads)
                                       : shape.threads % 32 == 0);
        EXPECT_TRUE(kind == std::string("copy") || shape.chunks == 1);
      }
}

TEST_F(GpuRowwiseShapeTest, NoThreadIsIdleInModelRows) {
  for (int64_t cols : {2048, 3072, 4096, 8192, 14336})
    for (const char *kind : {"copy", "center"}) {
      GpuRowwiseShape shape = shapeOf(cols, "bf16", kind);
      EXPECT_EQ(shape.stride() * shape.vectors * shape.chunks, cols) << kind;
      EXPECT_TRUE(shape.resident);
    }
}

TEST_F(GpuRowwiseShapeTest, AccessesAreAsWideAsAlignmentsAllow) {
  auto check = [&](const GpuRowwiseShape &shape, int64_t lanes, int64_t read,
                   int64_t write) {
    EXPECT_EQ(shape.lanes, lanes);
    EXPECT_EQ(shape.readBytes[0], read);
    EXPECT_EQ(shape.writeBytes[0], write);
  };
  check(shapeOf(4096, "bf16", "copy"), 8, 16, 16);
  check(shapeOf(4096, "f32", "copy"), 4, 16, 16);
  // Columns that 8 does not divide: the pitch spoils the alignment as well.
  check(shapeOf(1028, "bf16", "copy"), 4, 8, 8);
  check(shapeOf(4095, "bf16", "copy"), 1, 2, 2);
  // A buffer 8 bytes after a multiple of 16, read or written.
  check(shapeOf(4096, "bf16", "copy", {8, 16}), 8, 8, 16);
  check(shapeOf(4096, "bf16", "copy", {16, 4}), 8, 16, 4);
  // Columns 2 and up of a wider matrix; columns 4096 and up of one.
  check(shapeOf(4096, "bf16", "copy", {}, 2, 6144), 8, 4, 16);
  check(shapeOf(1024, "bf16", "copy", {}, 4096, 6144), 8, 16, 16);
  // A pitch that 16 bytes do not divide.
  check(shapeOf(1024, "f32", "copy", {}, 0, 1030), 4, 8, 16);
}

TEST_F(GpuRowwiseShapeTest, LongRowsAreReadAgain) {
  EXPECT_TRUE(shapeOf(14336, "bf16", "center").resident);
  GpuRowwiseShape twice = shapeOf(128256, "bf16", "center");
  EXPECT_FALSE(twice.resident);
  EXPECT_FALSE(twice.kept[0]);
  EXPECT_EQ(twice.threads, 1024);
  EXPECT_EQ(shapeOf(128256, "bf16", "sum").threads, 512) << "one pass";
}

} // namespace
