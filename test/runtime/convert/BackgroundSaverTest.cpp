// Checkpoints beside the steps, by ranks that are threads.
#include "runtime/convert/BackgroundSaver.h"

#include "runtime/convert/TrainingState.h"
#include "runtime/io/AtomicFile.h"
#include "runtime/io/CheckpointFolder.h"
#include "runtime/io/Manifest.h"
#include "runtime/io/PeftAdapter.h"
#include "runtime/train/Initialize.h"
#include "test/runtime/train/TinyPlan.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <array>
#include <atomic>
#include <mutex>
#include <span>

namespace llamarun {
namespace {

namespace fs = std::filesystem;

/// lora_B, whatever part of it the rank has, and the counter of steps.
void setState(Session &session, float value) {
  auto *tensor = session.plan().findTensor(fb::Role::Parameter, tiny::kLoraB);
  std::vector<float> values(session.plan().elements(tensor->buffer()), value);
  session.writeTensor(fb::Role::Parameter, tiny::kLoraB,
                      std::as_bytes(std::span(values)));
}

class BackgroundSaverTest : public ::testing::Test {
protected:
  BackgroundSaverTest() {
    makeDirectories(directory / "run");
    directory.write("run/metrics.jsonl", "{\"step\": 1}\n{\"step\": 2}\n");
  }

  SaverOptions options() {
    return {.run = directory / "run",
            .totalLimit = 0,
            .baseModel = "base",
            .totalSteps = 10,
            .settings = {{"--learning-rate", "0.5"}},
            .warn =
                [this](const std::string &text) {
                  std::lock_guard lock(mutex);
                  warnings.push_back(text);
                },
            .observers = {}};
  }

  static RunningSums sums(unsigned rank) {
    RunningSums sums;
    sums.shares = {0.5 + rank};
    sums.metricsBytes = 12; // the first line
    return sums;
  }

  fs::path checkpoint(std::uint64_t step) const {
    return checkpointPath(directory / "run", step);
  }

  std::vector<std::string> entries() const {
    std::vector<std::string> names;
    for (auto &entry : fs::directory_iterator(directory / "run"))
      names.push_back(entry.path().filename().string());
    std::ranges::sort(names);
    return names;
  }

  TestDirectory directory;
  std::mutex mutex;
  std::vector<std::string> warnings;
};

TEST_F(BackgroundSaverTest, WritesWhatTheStateWasAtBegin) {
  tiny::Options grid{.rows = 4, .dp = 2, .tp = 2};
  tiny::runGrid(grid, [&](Session &session, const Ranks &ranks) {
    initializeTensors(session, 42, ranks);
    setState(session, 0.25f);
    BackgroundSaver saver(session, ranks, options());
    saver.begin({.step = 3, .epoch = 1, .epochStep = 1, .seed = 7},
                sums(ranks.rank()));
    setState(session, 9); // the next step
    EXPECT_TRUE(saver.finish());
    EXPECT_TRUE(fs::exists(checkpoint(3) / kManifestFile)) << "before the end";
  });
  EXPECT_EQ(entries(),
            (std::vector<std::string>{"checkpoint-3", "metrics.jsonl"}));
  Checkpoint found = openVerified(checkpoint(3));
  EXPECT_EQ(found.position.step, 3u);
  EXPECT_EQ(found.position.seed, 7u);
  EXPECT_EQ(found.settings.at("--learning-rate"), "0.5");
  // What the ranks of a replica all know counts once: ranks 0 and 2 lead.
  EXPECT_EQ(found.sums->shares, (std::vector<double>{0.5, 0, 2.5, 0}));
  EXPECT_EQ(contents(checkpoint(3) / kMetricsFile), "{\"step\": 1}\n");
  auto adapter = readPeftAdapter(checkpoint(3));
  EXPECT_EQ(adapter.tensors.at(tiny::kLoraB).data,
            std::vector<float>(8, 0.25f));
  EXPECT_EQ(adapter.config.baseModel, "base");
  EXPECT_TRUE(warnings.empty());
  // Into one device.
  auto session = tiny::openSession();
  loadCheckpoint(*session, Grid(session->plan()), 0, checkpoint(3));
  EXPECT_EQ(tiny::read<float>(*session, fb::Role::Parameter, tiny::kLoraB),
            std::vector<float>(8, 0.25f));
}

TEST_F(BackgroundSaverTest, SavesInTurnAndKeepsTheNewest) {
  struct Told : RunObserver {
    std::mutex mutex;
    std::vector<std::uint64_t> steps;
    void onSave(std::uint64_t step, const fs::path &where) override {
      std::lock_guard lock(mutex);
      EXPECT_TRUE(fs::exists(where / kManifestFile));
      steps.push_back(step);
    }
  } told;
  tiny::runGrid({.dp = 2}, [&](Session &session, const Ranks &ranks) {
    initializeTensors(session, 42, ranks);
    SaverOptions mine = options();
    mine.totalLimit = 2;
    mine.observers = {&told};
    BackgroundSaver saver(session, ranks, mine);
    for (std::uint64_t step = 1; step <= 4; ++step) {
      saver.begin({.step = step}, sums(ranks.rank()));
      saver.deliver(ranks.exchange(saver.take()));
    }
    EXPECT_TRUE(saver.finish());
  });
  EXPECT_EQ(told.steps, (std::vector<std::uint64_t>{1, 2, 3, 4}));
  EXPECT_EQ(entries(), (std::vector<std::string>{"checkpoint-3", "checkpoint-4",
                                                 "metrics.jsonl"}));
}

// No call waits for the storage; what there is no room for is left out, the
// longest waiting first, and the same on all ranks.
TEST_F(BackgroundSaverTest, LeavesOutWhatThereIsNoRoomFor) {
  tiny::runGrid({.dp = 2}, [&](Session &session, const Ranks &ranks) {
    initializeTensors(session, 42, ranks);
    SaverOptions mine = options();
    mine.waitingBytes = 1; // one may always wait
    BackgroundSaver saver(session, ranks, mine);
    // Without an exchange none of them knows that the first is complete.
    for (std::uint64_t step = 1; step <= 5; ++step) {
      setState(session, static_cast<float>(step));
      saver.begin({.step = step}, sums(ranks.rank()));
    }
    EXPECT_TRUE(saver.finish());
    EXPECT_TRUE(saver.finish());
  });
  EXPECT_EQ(entries(), (std::vector<std::string>{"checkpoint-1", "checkpoint-5",
                                                 "metrics.jsonl"}));
  EXPECT_EQ(readPeftAdapter(checkpoint(5)).tensors.at(tiny::kLoraB).data[0], 5);
  ASSERT_EQ(warnings.size(), 3u);
  EXPECT_NE(warnings[0].find("step 2 is left out"), std::string::npos);
  EXPECT_NE(warnings[2].find("step 4 is left out"), std::string::npos);
}

TEST_F(BackgroundSaverTest, AnUrgentSaveIsTheNext) {
  tiny::runGrid({.dp = 2}, [&](Session &session, const Ranks &ranks) {
    initializeTensors(session, 42, ranks);
    BackgroundSaver saver(session, ranks, options());
    for (std::uint64_t step = 1; step <= 4; ++step)
      saver.begin({.step = step}, sums(ranks.rank()), step == 4);
    EXPECT_TRUE(saver.finish());
  });
  EXPECT_EQ(entries(), (std::vector<std::string>{"checkpoint-1", "checkpoint-4",
                                                 "metrics.jsonl"}));
}

TEST_F(BackgroundSaverTest, ReplacesARunWhenItHasSomething) {
  tiny::runGrid({}, [&](Session &session, const Ranks &ranks) {
    initializeTensors(session, 42, ranks);
    for (std::uint64_t generation : {0, 1}) {
      SaverOptions mine = options();
      mine.generation = generation;
      mine.replaces = generation > 0;
      BackgroundSaver saver(session, ranks, mine);
      RunningSums bad = sums(0);
      bad.metricsBytes = 1000;
      saver.begin({.step = 1}, bad);
      EXPECT_FALSE(saver.finish());
      EXPECT_EQ(entries().size(), generation ? 3u : 1u);
      saver.begin({.step = generation ? 3u : 20u}, sums(0));
      EXPECT_TRUE(saver.finish());
      if (!generation) {
        saver.begin({.step = 30}, sums(0));
        EXPECT_TRUE(saver.finish());
      }
    }
  });
  EXPECT_EQ(entries(),
            (std::vector<std::string>{"checkpoint-3", "metrics.jsonl"}));
}

// A rank that cannot write tells the others, and nobody waits for it.
TEST_F(BackgroundSaverTest, OneRanksFailureIsAWarningAndTheNextSaveIsWhole) {
  for (unsigned failing : {0u, 1u}) {
    SCOPED_TRACE(failing);
    warnings.clear();
    fs::remove_all(checkpoint(2));
    tiny::runGrid({.rows = 4, .tp = 2},
                  [&](Session &session, const Ranks &ranks) {
                    initializeTensors(session, 42, ranks);
                    SaverOptions mine = options();
                    if (ranks.rank() == failing)
                      mine.run = directory.write("file", "") / "none";
                    {
                      BackgroundSaver saver(session, ranks, mine);
                      saver.begin({.step = 1}, sums(ranks.rank()));
                      EXPECT_FALSE(saver.finish());
                    }
                    BackgroundSaver saver(session, ranks, options());
                    saver.begin({.step = 2}, sums(ranks.rank()));
                    EXPECT_TRUE(saver.finish());
                  });
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_NE(warnings[0].find("checkpoint of step 1 was not saved"),
              std::string::npos)
        << warnings[0];
    EXPECT_NE(warnings[0].find("Not a directory"), std::string::npos)
        << warnings[0];
    EXPECT_EQ(entries(),
              (std::vector<std::string>{"checkpoint-2", "metrics.jsonl"}));
  }
}

// What a killed run has left under construction, and a directory of that step.
TEST_F(BackgroundSaverTest, LeftoversAreInNobodysWay) {
  directory.write("run/checkpoint-5.tmp-123-4/rank-00000.safetensors", "half");
  directory.write("run/checkpoint-5/rank-00000.safetensors", "half");
  tiny::runGrid({}, [&](Session &session, const Ranks &ranks) {
    initializeTensors(session, 42, ranks);
    BackgroundSaver saver(session, ranks, options());
    saver.begin({.step = 5}, sums(0));
    EXPECT_TRUE(saver.finish());
  });
  EXPECT_EQ(entries(),
            (std::vector<std::string>{"checkpoint-5", "metrics.jsonl"}));
  EXPECT_EQ(openVerified(checkpoint(5)).position.step, 5u);
  EXPECT_TRUE(warnings.empty());
}

// Somebody's adapter, or anything else, stays; nothing is left beside it.
TEST_F(BackgroundSaverTest, WhatIsNoCheckpointIsNotReplaced) {
  directory.write("run/checkpoint-5/adapter_model.safetensors", "an adapter");
  directory.write("run/checkpoint-6/notes.txt", "notes");
  tiny::runGrid({}, [&](Session &session, const Ranks &ranks) {
    initializeTensors(session, 42, ranks);
    BackgroundSaver saver(session, ranks, options());
    for (std::uint64_t step : {5, 6}) {
      saver.begin({.step = step}, sums(0));
      EXPECT_FALSE(saver.finish());
    }
  });
  EXPECT_EQ(entries(), (std::vector<std::string>{"checkpoint-5", "checkpoint-6",
                                                 "metrics.jsonl"}));
  EXPECT_TRUE(fs::exists(checkpoint(6) / "notes.txt"));
  EXPECT_TRUE(fs::exists(checkpoint(5) / "adapter_model.safetensors"));
  ASSERT_EQ(warnings.size(), 2u);
  EXPECT_NE(warnings[0].find("is no checkpoint"), std::string::npos);
}

TEST_F(BackgroundSaverTest, MetricsThatBecameShorterFailTheSave) {
  tiny::runGrid({}, [&](Session &session, const Ranks &ranks) {
    initializeTensors(session, 42, ranks);
    BackgroundSaver saver(session, ranks, options());
    RunningSums more = sums(0);
    more.metricsBytes = 1000;
    saver.begin({.step = 5}, more);
    EXPECT_FALSE(saver.finish());
  });
  EXPECT_EQ(entries(), (std::vector<std::string>{"metrics.jsonl"}));
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("metrics.jsonl"), std::string::npos);
}

} // namespace
} // namespace llamarun
