# Configuration of lit: the tests of everything that is text, *.mlir and *.test.
# Settings of the build come from lit.site.cfg.py.in.
import os

import lit.formats
import lit.util

config.name = "llamac"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
# Folders of other kinds of tests: GoogleTest, Python, data.
config.excludes = ["Inputs", "e2e", "emit", "frontend", "golden", "project", "runtime"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = config.llamac_test_dir

# Tests name llama-opt, llamac, llamarun, FileCheck, not and split-file only.
config.environment["PATH"] = os.pathsep.join(
    [config.llamac_bin_dir, config.llvm_tools_dir, os.environ.get("PATH", "")]
)
# %models: the model files of the repository.
config.substitutions.append(("%models", os.path.join(config.llamac_source_dir, "models")))
# nvcc: llamac carries hand-written CUDA kernels.
nvcc = getattr(config, "llamac_nvcc", "")
if nvcc and not nvcc.endswith("NOTFOUND"):
    config.available_features.add("nvcc")
# Graphviz: llamac --emit=svg calls it.
if lit.util.which("dot", config.environment["PATH"]):
    config.available_features.add("graphviz")
