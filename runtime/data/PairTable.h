//===- PairTable.h - A flat hash table keyed by two ids ---------*- C++ -*-===//
//
// The inner loop of BPE looks a pair of ids up for every pair of neighbours;
// open addressing in one array does it in one cache miss.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace llamarun {

class PairTable {
public:
  struct Entry {
    uint64_t key = kEmpty;
    int32_t rank = 0;
    int32_t value = 0;
  };

  /// Sets the entry of (left, right), both >= 0, replacing an earlier one.
  void insert(int32_t left, int32_t right, int32_t rank, int32_t value) {
    if (2 * (count + 1) > entries.size())
      grow();
    Entry &entry = slot(entries, keyOf(left, right));
    count += entry.key == kEmpty;
    entry = {keyOf(left, right), rank, value};
  }

  /// The entry of (left, right), or null.
  const Entry *find(int32_t left, int32_t right) const {
    if (entries.empty())
      return nullptr;
    const Entry &entry =
        slot(const_cast<std::vector<Entry> &>(entries), keyOf(left, right));
    return entry.key == kEmpty ? nullptr : &entry;
  }

private:
  static constexpr uint64_t kEmpty = ~uint64_t(0);

  static uint64_t keyOf(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 |
           static_cast<uint32_t>(right);
  }

  /// Where `key` is or would go; the table is never full.
  static Entry &slot(std::vector<Entry> &table, uint64_t key) {
    uint64_t hash = key * 0x9E3779B97F4A7C15ull;
    hash ^= hash >> 32;
    for (size_t i = hash & (table.size() - 1);;
         i = (i + 1) & (table.size() - 1))
      if (table[i].key == key || table[i].key == kEmpty)
        return table[i];
  }

  void grow() {
    std::vector<Entry> larger(entries.empty() ? 64 : 2 * entries.size());
    for (const Entry &entry : entries)
      if (entry.key != kEmpty)
        slot(larger, entry.key) = entry;
    entries.swap(larger);
  }

  std::vector<Entry> entries; // a power of two, at most half full
  size_t count = 0;
};

} // namespace llamarun
