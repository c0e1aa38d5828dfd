#include "runtime/comm/Wire.h"

#include <gtest/gtest.h>
#include <random>

using namespace llamarun;

namespace {

TEST(WireTest, FramesComeInPieces) {
  PeerFailure sent{3, "b", "loss is NaN", ExitCode::Numerics, 17, "sum @ x"};
  WireWriter writer(MessageKind::Failure);
  putFailure(writer, sent);
  auto frame = writer.frame();
  std::string two = frame + frame;
  FrameParser parser;
  int found = 0;
  for (char byte : two) {
    parser.append(&byte, 1);
    while (auto got = parser.next(1000)) {
      ++found;
      EXPECT_EQ(got->kind, MessageKind::Failure);
      WireReader reader(got->body);
      auto failure = readFailure(reader);
      reader.end();
      EXPECT_EQ(failure.message(), sent.message());
      EXPECT_EQ(failure.code, ExitCode::Numerics);
    }
  }
  EXPECT_EQ(found, 2);
}

TEST(WireTest, KnownBytes) {
  auto frame = WireWriter(MessageKind::Gather).number(258).text("ab").frame();
  const char expected[] = "\x06\x0e\0\0\0\0\0\0\0"
                          "\x02\x01\0\0\0\0\0\0"
                          "\x02\0\0\0"
                          "ab";
  EXPECT_EQ(frame, std::string(expected, sizeof(expected) - 1));
}

TEST(WireTest, WhatIsWrongIsRefused) {
  {
    FrameParser parser;
    parser.append("\x01\xff\xff\0\0\0\0\0\0", 9);
    EXPECT_THROW(parser.next(1000), MessageError);
  }
  for (char kind : {'\0', '\x0c', 'G'}) {
    FrameParser parser;
    parser.append(&kind, 1);
    EXPECT_THROW(parser.next(1000), MessageError);
  }
  EXPECT_THROW(WireReader("1234567").number(), MessageError);
  EXPECT_THROW(WireReader(std::string_view("\x05\0\0\0abc", 7)).text(),
               MessageError);
  EXPECT_THROW(WireReader(std::string_view("\x03\0\0\0abc", 7)).text(2),
               MessageError);
  EXPECT_THROW(WireReader("x").end(), MessageError);
}

TEST(WireTest, RandomBytesDoNoHarm) {
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes(random() % 64, '\0');
    for (auto &byte : bytes)
      byte = static_cast<char>(random() % (i % 2 ? 256 : 12));
    FrameParser parser;
    parser.append(bytes.data(), bytes.size());
    try {
      while (auto frame = parser.next(1000)) {
        WireReader reader(frame->body);
        readFailure(reader);
      }
    } catch (const MessageError &) {
    }
  }
}

} // namespace
