#!/usr/bin/env python3
"""Every project check passes a good tree and catches each kind of violation."""
import os
import sys
import tempfile
import unittest

import check_demo
import check_files
import check_layering
import check_names

GOOD = {
    "passes/shard/Passes.td": 'def PropagateSharding : Pass<"shard-propagate", "func::FuncOp"> {}\n',
    "passes/shard/PropagateSharding.cpp": '#define GEN_PASS_DEF_PROPAGATESHARDING\n#include "dialects/llm/LlmDialect.h"\n',
    "passes/shard/Axes.cpp": '#include "passes/shard/Axes.h"\n',
    "dialects/llm/LlmDialect.h": '#include "mlir/IR/Dialect.h"\n',
    "test/passes/shard/propagate-sharding.mlir": "// RUN: llama-opt --shard-propagate %s\n",
    "test/passes/shard/propagate-sharding-invalid.mlir": "// RUN: llama-opt --shard-propagate %s\n// expected-error\n",
    "compiler/emit/Emit.cpp": '#include "runtime/plan/plan_generated.h"\n#include "passes/shard/Axes.h"\n',
    "runtime/io/Reader.h": "\n", "runtime/io/Reader.cpp": '#include "runtime/io/Reader.h"\n#include <vector>\n',
    "runtime/io/Part.h": "\n", "runtime/io/Part.cpp": '#include "runtime/io/Part.h"\n',
    "runtime/CMakeLists.txt": "add_library(x) # no LLVM\n",
    "test/runtime/io/ReaderTest.cpp": '#include "runtime/io/Reader.h"\n',
    check_names.LIST: "# why\nruntime/io/Part.cpp  test/runtime/io/ReaderTest.cpp\n",
    "build/generated/utils.py": "x\n" * 600,
}


class Checks(unittest.TestCase):
    def complain(self, check, changes):
        """What check says of the good tree with these files changed; None takes a file away."""
        with tempfile.TemporaryDirectory() as root:
            for path, text in (GOOD | changes).items():
                if text is None:
                    continue
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w") as file:
                    file.write(text)
            return check(root)

    def expect(self, check, changes, *words):
        found = self.complain(check, changes)
        self.assertTrue(any(all(word in line for word in words) for line in found), f"{changes} gave {found}")

    def test_good_tree(self):
        for module in (check_layering, check_files, check_names):
            self.assertEqual(self.complain(module.check, {}), [], module.__name__)

    def test_layering(self):
        for path, text in (
                ("runtime/io/Reader.cpp", '#include <mlir/IR/Dialect.h>'),
                ("runtime/io/Reader.h", '#include "llvm/ADT/SmallVector.h"'),
                ("runtime/io/Reader.h", '#include "compiler/emit/Emit.h"'),
                ("runtime/CMakeLists.txt", "target_link_libraries(x LLVM)"),
                ("dialects/llm/LlmDialect.h", '#include "passes/shard/Axes.h"'),
                ("dialects/llm/Ops.td", 'include "passes/shard/Passes.td"'),
                ("passes/shard/Axes.cpp", '  #  include "compiler/emit/Emit.h"'),
                ("passes/shard/Axes.cpp", '#include "runtime/plan/plan_generated.h"'),
                ("compiler/emit/Emit.cpp", '#include "runtime/io/Reader.h"'),
                ("tools/llamac/main.cpp", '#include "runtime/io/Reader.h"'),
                ("tools/llamarun/main.cpp", '#include "compiler/emit/Emit.h"'),
                ("test/runtime/io/ReaderTest.cpp", '#include "dialects/llm/LlmDialect.h"')):
            self.expect(check_layering.check, {path: "\n" + text + "\n"}, path, "must not")
        self.expect(check_layering.check, {"runtime/io/Part.cpp": '#include "Reader.h"\n'}, "runtime/io/Part.cpp:1", "path from the root")
        self.expect(check_layering.check, {"runtime/io/Part.cpp": '#include "../io/Reader.h"\n'}, "from the root")

    def test_files(self):
        self.assertEqual(self.complain(check_files.check, {"runtime/io/Big.cpp": "x\n" * 500}), [])
        self.expect(check_files.check, {"runtime/io/Big.cpp": "x\n" * 501}, "runtime/io/Big.cpp", "501 lines")
        self.expect(check_files.check, {"runtime/utils/A.h": "\n"}, "runtime/utils/A.h")
        self.expect(check_files.check, {"runtime/io/Utils.h": "\n"}, "runtime/io/Utils.h")
        self.expect(check_files.check, {"runtime/io/A.cpp": "int f(); // TO" "DO later\n"}, "A.cpp:1")
        self.expect(check_files.check, {"scripts/a.py": "raise Error('Not imple" "mented')\n"}, "a.py:1")
        self.expect(check_files.check, {"docs/a.md": "\nsee /wo" "rk/x\n"}, "docs/a.md:2")

    def test_names_of_passes(self):
        main, bad = "test/passes/shard/propagate-sharding.mlir", "test/passes/shard/propagate-sharding-invalid.mlir"
        check = check_names.check
        self.expect(check, {"passes/shard/Passes.td": "\n"}, "PropagateSharding.cpp", "no `def")
        self.expect(check, {"passes/shard/PropagateSharding.cpp": None}, "does not define")
        self.expect(check, {"passes/shard/Passes.td": 'def PropagateSharding : Pass<"propagate"> {}\n'}, "'propagate'")
        self.expect(check, {main: None}, main, "missing")
        self.expect(check, {bad: None}, bad, "missing")
        self.expect(check, {main: "// RUN: llama-opt --shard-propagate-all %s\n"}, main, "no RUN line")
        self.expect(check, {bad: "// RUN: llama-opt --shard-propagate %s\n"}, bad, "expected-error")
        self.expect(check, {"test/passes/shard/other.mlir": "\n"}, "other.mlir", "no pass")
        self.assertEqual(check_names.kebab("LowerToLLVM"), "lower-to-llvm")
        self.assertEqual(check_names.kebab("AttachLoRAAdapters"), "attach-lo-ra-adapters")

    def test_names_of_runtime(self):
        check = check_names.check
        self.expect(check, {"test/runtime/io/ReaderTest.cpp": None}, "runtime/io/Reader.cpp", "no test/")
        self.expect(check, {check_names.LIST: "\n"}, "runtime/io/Part.cpp")
        self.expect(check, {check_names.LIST: "runtime/io/Gone.cpp test/runtime/io/ReaderTest.cpp\n"}, "both present")
        self.expect(check, {check_names.LIST: GOOD[check_names.LIST] + "runtime/io/Reader.cpp test/runtime/io/ReaderTest.cpp\n"}, "drop")

    def test_demo(self):
        self.assertEqual(check_demo.compare({"a": "1"}, {"a": "1"}), [])
        for committed, made, word in (({"a": "1"}, {"a": "2"}, "differs"), ({}, {"a": "1"}, "not committed"), ({"a": "1"}, {}, "not made")):
            self.assertIn(word, check_demo.compare(committed, made)[0])


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main()
