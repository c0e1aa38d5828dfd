// RUN: not llama-opt %s --codegen-generate-gpu-kernels=arch=sm_60 2>&1 | FileCheck %s --check-prefix=ARCH
// RUN: not llama-opt %s --codegen-generate-gpu-kernels=arch=x86-64-v3 2>&1 | FileCheck %s --check-prefix=OTHER
// RUN: not llama-opt %s --codegen-generate-gpu-kernels=format=elf 2>&1 | FileCheck %s --check-prefix=FORMAT
// ARCH: error: unknown GPU architecture 'sm_60': sm_80 and later are known
// OTHER: error: unknown GPU architecture 'x86-64-v3'
// FORMAT: error: unknown code format 'elf': cubin and ptx are known
module {}
