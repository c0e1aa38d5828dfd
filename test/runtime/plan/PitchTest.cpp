// Buffers whose rows lie apart: what the verifier takes and refuses. Overlap is
// compared with a map of the bytes.
#include "runtime/plan/Inspect.h"
#include "runtime/plan/VerifyContext.h"
#include "runtime/support/Error.h"
#include "test/runtime/plan/PlanBuilder.h"

#include <functional>
#include <gtest/gtest.h>
#include <random>
#include <sstream>

using namespace llamarun;
using namespace llamarun::test;

namespace {

constexpr std::uint64_t kRows = 6, kColumns = 8, kExtra = 4, kPitch = 12;

/// smallPlan with the weight "panel" [6, 8] and beside it "side" [6, 4], both
/// columns of one [7, 12] matrix of f32, and a GEMM of the panel's own rows.
struct Panel {
  PlanBuilder builder = smallPlan();
  std::uint32_t panel, side, result;

  Panel() {
    panel = builder.tensor(fb::Role::Weight, "panel", {kRows, kColumns});
    auto allocation = buffer(panel).allocation;
    buffer(panel).pitch = kPitch;
    side = builder.tensor(fb::Role::Weight, "side", {kRows, kExtra});
    buffer(side).pitch = kPitch;
    buffer(side).offset = buffer(panel).offset + kColumns * 4;
    builder.plan.allocations[allocation]->bytes =
        buffer(panel).offset + (kRows + 1) * kPitch * 4;
    result = builder.buffer(fb::Category::Activations, fb::DType::F32,
                            {16, kRows + 1});
    for (auto &program : builder.plan.programs) {
      auto x = static_cast<fb::GemmT *>(program->steps[1]->operation.value)->a;
      auto &gemm = builder.step(
          *program, PlanBuilder::linear(x, panel, result, 16, kRows, kColumns));
      gemm.ldb = kPitch;
    }
  }
  fb::BufferT &buffer(std::uint32_t i) { return *builder.plan.buffers[i]; }
  fb::GemmT &gemm() {
    return *static_cast<fb::GemmT *>(
        builder.plan.programs[0]->steps.back()->operation.value);
  }
};

TEST(Pitch, ColumnsOfAPanelAreTensorsOfTheirOwn) {
  Panel p;
  auto plan = p.builder.load();
  auto rows = plan->rows(p.panel);
  EXPECT_EQ(rows.rows, kRows);
  EXPECT_EQ(rows.rowBytes, kColumns * 4);
  EXPECT_EQ(rows.pitch, kPitch * 4);
  EXPECT_EQ(rows.span(), (5 * kPitch + kColumns) * 4);
  EXPECT_EQ(plan->bytes(p.panel), kRows * kColumns * 4);
  EXPECT_EQ(plan->rows(p.result).rows, 1u);
  std::ostringstream text;
  inspect(*plan, text);
  EXPECT_NE(text.str().find("pitched           2 of "), std::string::npos)
      << text.str();
  EXPECT_NE(inspectJson(*plan).find("\"pitch\": 12"), std::string::npos);
}

// A GEMM may read the panel with what lies around it, to the allocation's end.
TEST(Pitch, GemmTakesThePanelAroundItsOperand) {
  Panel p;
  p.gemm().n = kRows + 1; // the row below the tensor
  p.gemm().ldd = kRows + 1;
  EXPECT_NO_THROW(p.builder.load());
  p.gemm().n = kRows + 2;
  EXPECT_THROW(p.builder.load(), Error);
}

struct Damage {
  const char *name, *message;
  std::function<void(Panel &)> apply;
};
void PrintTo(const Damage &damage, std::ostream *out) { *out << damage.name; }

const Damage kDamages[] = {
    {"Narrow", "a pitch of 7 elements is less than a row of 8",
     [](Panel &p) { p.buffer(p.panel).pitch = 7; }},
    {"Rank", "a pitch needs rank 2, not [48]",
     [](Panel &p) { p.buffer(p.panel).shape = {48}; }},
    {"LastRowOutside", "are outside its allocation",
     [](Panel &p) { p.buffer(p.panel).pitch = 16; }},
    {"Huge", "elements is too large",
     [](Panel &p) { p.buffer(p.panel).pitch = 1ull << 60; }},
    {"HugeProduct", "elements is too large",
     [](Panel &p) { p.buffer(p.panel).pitch = 1ull << 44; }},
    {"Overlap", "tensors 'panel' and 'side' overlap",
     [](Panel &p) { p.buffer(p.side).offset -= 4; }},
    {"OverlapOfTheNextRow", "tensors 'panel' and 'side' overlap",
     [](Panel &p) { p.buffer(p.side).offset += 4; }},
    {"PackedInAPitched", "tensors 'panel' and 'third' overlap",
     [](Panel &p) {
       p.builder.tensor(fb::Role::Weight, "third", {1});
       p.buffer(p.builder.plan.tensors.back()->buffer).offset =
           p.buffer(p.panel).offset + 2 * kPitch * 4;
     }},
    {"CopyShape",
     "one side has a pitch, but the source is f32 [6, 8] and the target f32 "
     "[16, 7]",
     [](Panel &p) {
       auto &program = *p.builder.plan.programs[0];
       auto &copy = p.builder.step(program, fb::CopyT{});
       copy.source = p.panel;
       copy.target = p.result;
     }},
    {"CopyDtype", "one side has a pitch",
     [](Panel &p) {
       auto &program = *p.builder.plan.programs[0];
       auto packed = p.builder.buffer(fb::Category::Activations, fb::DType::I32,
                                      {kRows, kColumns});
       auto &copy = p.builder.step(program, fb::CopyT{});
       copy.source = packed;
       copy.target = p.panel;
     }},
    {"CopyFlat", "one side has a pitch",
     [](Panel &p) {
       auto &program = *p.builder.plan.programs[0];
       auto packed = p.builder.buffer(fb::Category::Activations, fb::DType::F32,
                                      {kRows * kColumns});
       auto &copy = p.builder.step(program, fb::CopyT{});
       copy.source = packed;
       copy.target = p.panel;
     }},
    {"CopyOverlap", "overlap",
     [](Panel &p) {
       // Columns of the matrix, two to the left of the panel's last four.
       auto &program = *p.builder.plan.programs[0];
       auto other = p.builder.view(p.buffer(p.panel).allocation,
                                   p.buffer(p.side).offset - 8, fb::DType::F32,
                                   {kRows, kExtra});
       p.buffer(other).pitch = kPitch;
       auto &copy = p.builder.step(program, fb::CopyT{});
       copy.source = p.side;
       copy.target = other;
     }},
    {"Fill", "the target is buffer 0, which has a pitch",
     [](Panel &p) {
       p.buffer(0).pitch = 9;
       p.builder.plan.allocations[p.buffer(0).allocation]->bytes += 1024;
     }},
    {"Parameter", "parameter is buffer",
     [](Panel &p) {
       for (auto &t : p.builder.plan.tensors)
         if (t->role == fb::Role::Parameter) {
           p.buffer(t->buffer).pitch = 9;
           p.builder.plan.allocations[p.buffer(t->buffer).allocation]->bytes +=
               64;
         }
     }},
    {"Output", "logits is buffer",
     [](Panel &p) {
       for (auto &binding : p.builder.plan.programs[1]->outputs)
         if (binding->name == "logits") {
           p.buffer(binding->buffer).pitch = 3;
           p.builder.plan.allocations[p.buffer(binding->buffer).allocation]
               ->bytes += 64;
         }
     }},
    {"GemmIntoItsOperand", "D overlaps an operand",
     [](Panel &p) {
       p.gemm().d = p.side;
       p.gemm().m = 4;
       p.gemm().ldd = kPitch;
     }},
};

class PitchDamage : public testing::TestWithParam<Damage> {};

TEST_P(PitchDamage, IsRefused) {
  Panel panel;
  GetParam().apply(panel);
  try {
    panel.builder.load();
    FAIL() << "accepted";
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), ExitCode::BadInput);
    EXPECT_NE(std::string(error.what()).find(GetParam().message),
              std::string::npos)
        << error.what();
  }
}
INSTANTIATE_TEST_SUITE_P(All, PitchDamage, testing::ValuesIn(kDamages),
                         [](auto &info) { return info.param.name; });

TEST(Pitch, OverlapIsThatOfTheBytes) {
  std::mt19937 random(3);
  int apart = 0, together = 0;
  for (int round = 0; round < 200000; ++round) {
    auto draw = [&](bool pitched, std::uint64_t pitch) {
      verify::Range range;
      range.begin = random() % 40;
      if (!pitched) {
        range.end = range.begin + 1 + random() % 30;
        return range;
      }
      range.pitch = pitch;
      range.row = 1 + random() % (pitch - 1);
      range.end = range.begin + random() % 4 * pitch + range.row;
      return range;
    };
    std::uint64_t pitch = 2 + random() % 14;
    auto x = draw(random() % 4, pitch), y = draw(random() % 2, pitch);
    auto bytes = [](const verify::Range &range) {
      std::vector<bool> used(128);
      for (auto i = range.begin; i < range.end; ++i)
        used[i] = !range.pitch || (i - range.begin) % range.pitch < range.row;
      return used;
    };
    auto inX = bytes(x), inY = bytes(y);
    bool shared = false;
    for (std::size_t i = 0; i < inX.size(); ++i)
      shared |= inX[i] && inY[i];
    ASSERT_EQ(x.overlaps(y), shared)
        << x.begin << "-" << x.end << " row " << x.row << " of " << x.pitch
        << " and " << y.begin << "-" << y.end << " row " << y.row << " of "
        << y.pitch;
    ASSERT_EQ(y.overlaps(x), shared);
    ++(shared ? together : apart);
  }
  EXPECT_GT(apart, 10000);
  EXPECT_GT(together, 10000);
}

} // namespace
