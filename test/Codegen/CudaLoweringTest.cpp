// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From kernels to machine code, where text that FileCheck reads does not say enough: what stays as it was, equal bytes
// from run to run, reports of ptxas, damaged files.
#include "codegen/cuda/CudaLowering.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Support/MemoryBuffer.h"

#include <gtest/gtest.h>

using namespace bifocal;

namespace {

constexpr const char *kernelText = R"(
gpu.module @kernels {
  gpu.func @scale(%x: !llvm.ptr<1>, %factor: f32) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %thread = gpu.thread_id x
    %position = arith.index_cast %thread : index to i64
    %place = llvm.getelementptr %x[%position] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
    %value = llvm.load %place : !llvm.ptr<1> -> f32
    %result = arith.mulf %value, %factor : f32
    llvm.store %result, %place : f32, !llvm.ptr<1>
    gpu.return
  }
  gpu.func @clear(%x: !llvm.ptr) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %zero = arith.constant 0.0 : f32
    llvm.store %zero, %x : f32, !llvm.ptr
    gpu.return
  }
})";

struct Kernels {
  explicit Kernels(const char *text = kernelText) {
    mlir::DialectRegistry registry;
    registerCudaKernelDialects(registry);
    context.appendDialectRegistry(registry);
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  }
  mlir::gpu::GPUModuleOp operator*() { return *module->getOps<mlir::gpu::GPUModuleOp>().begin(); }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

CudaTarget sm80() { return *CudaTarget::find("sm_80"); }

std::string textOf(mlir::Operation *op) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  op->print(stream);
  return text;
}

std::string textOf(const llvm::Function &function) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  function.print(stream);
  return text;
}

std::string textOf(const llvm::Module &module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, nullptr);
  return text;
}

std::string ptxOfKernels() {
  Kernels kernels;
  llvm::LLVMContext context;
  return llvm::cantFail(emitPtx(*llvm::cantFail(lowerCudaKernels(*kernels, sm80(), context)), sm80()));
}

#define REQUIRE_PTXAS()                                                                                                \
  if (auto ptxas = findPtxas(); !ptxas)                                                                                \
  GTEST_SKIP() << llvm::toString(ptxas.takeError())

} // namespace

TEST(CudaTarget, knows_the_architectures_that_kernels_are_written_for) {
  ASSERT_TRUE(CudaTarget::find("sm_90"));
  EXPECT_EQ(CudaTarget::find("sm_90")->sharedBytes, 227 * 1024);
  EXPECT_EQ(sm80().sharedBytes, 163 * 1024);
  EXPECT_FALSE(CudaTarget::find("sm_75"));
  EXPECT_FALSE(CudaTarget::find(""));
}

TEST(CudaLowering, leaves_its_input_as_it_is) {
  Kernels kernels;
  const std::string before = textOf(*kernels);
  llvm::LLVMContext context;
  auto module = llvm::cantFail(lowerCudaKernels(*kernels, sm80(), context));
  EXPECT_EQ(textOf(*kernels), before);
  const std::string lowered = textOf(*module);
  (void)llvm::cantFail(emitPtx(*module, sm80()));
  EXPECT_EQ(textOf(*module), lowered);
}

TEST(CudaLowering, refuses_an_index_that_no_gpu_has) {
  Kernels kernels;
  llvm::LLVMContext context;
  auto module = lowerCudaKernels(*kernels, sm80(), context, {16});
  ASSERT_FALSE(module);
  EXPECT_EQ(llvm::toString(module.takeError()), "expects an index of 32 or 64 bits, but got 16");
}

TEST(CudaLowering, errors_are_diagnostics_at_their_op) {
  Kernels kernels(R"(gpu.module @m {
  gpu.func @k(%x: f32) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %0 = math.exp %x : f32 loc("spec.toml":4:2)
    gpu.return
  }
})");
  std::string said;
  mlir::ScopedDiagnosticHandler handler(&kernels.context, [&](mlir::Diagnostic &diagnostic) {
    llvm::raw_string_ostream(said) << diagnostic.getLocation() << " " << diagnostic;
    return mlir::success();
  });
  llvm::LLVMContext context;
  auto module = lowerCudaKernels(*kernels, sm80(), context);
  ASSERT_FALSE(module);
  EXPECT_EQ(llvm::toString(module.takeError()), "the kernels of 'm' have errors");
  EXPECT_NE(said.find("loc(\"spec.toml\":4:2) 'math.exp' op is a slow path"), std::string::npos) << said;
}

TEST(CudaLowering, bitcode_reads_back_as_the_same_module) {
  Kernels kernels;
  llvm::LLVMContext context;
  auto module = llvm::cantFail(lowerCudaKernels(*kernels, sm80(), context));
  const std::string bytes = emitBitcode(*module);
  llvm::LLVMContext other;
  auto read = llvm::parseBitcodeFile(llvm::MemoryBufferRef(bytes, module->getModuleIdentifier()), other);
  ASSERT_TRUE(static_cast<bool>(read)) << llvm::toString(read.takeError());
  // The reader adds attributes to intrinsics, so kernels are compared one by one.
  for (llvm::StringRef name : {"scale", "clear"})
    EXPECT_EQ(textOf(*(*read)->getFunction(name)), textOf(*module->getFunction(name)));
}

TEST(PtxAssembler, gives_the_same_bytes_from_run_to_run) {
  REQUIRE_PTXAS();
  const std::string ptx = ptxOfKernels();
  EXPECT_EQ(ptxOfKernels(), ptx);
  const Cubin first = llvm::cantFail(assemblePtx(ptx, sm80())), second = llvm::cantFail(assemblePtx(ptx, sm80()));
  EXPECT_FALSE(first.bytes.empty());
  EXPECT_EQ(first.bytes, second.bytes);
}

TEST(PtxAssembler, reports_each_kernel_by_name) {
  REQUIRE_PTXAS();
  const Cubin cubin = llvm::cantFail(assemblePtx(ptxOfKernels(), sm80()));
  ASSERT_EQ(cubin.kernels.size(), 2u);
  EXPECT_EQ(cubin.kernels[0].name, "clear");
  EXPECT_EQ(cubin.kernels[1].name, "scale");
  const std::map<std::string, int> clear{{"STG.32", 1}}, scale{{"LDG.32", 1}, {"STG.32", 1}};
  EXPECT_EQ(cubin.kernels[0].sass.accesses, clear);
  EXPECT_EQ(cubin.kernels[1].sass.accesses, scale);
  EXPECT_GT(cubin.kernels[1].sass.total, 4);
  EXPECT_LT(cubin.kernels[1].sass.total, 40);
}

TEST(PtxAssembler, says_which_line_ptxas_does_not_take) {
  REQUIRE_PTXAS();
  auto cubin = assemblePtx(".version 8.0\n.target sm_80\n.address_size 64\n.nonsense\n", sm80());
  ASSERT_FALSE(cubin);
  const std::string message = llvm::toString(cubin.takeError());
  EXPECT_NE(message.find("ptxas does not take the kernels:\nptxas kernels.ptx, line 4"), std::string::npos) << message;
}

// A sum on tensor cores that is read while the product may still run: ptxas says C7514 and waits where it must.
TEST(PtxAssembler, refuses_products_that_ptxas_has_to_serialize) {
  REQUIRE_PTXAS();
  const std::string head = R"(.version 8.0
.target sm_90a
.address_size 64
.visible .entry product(.param .u64 a, .param .u64 b, .param .u64 c)
.maxntid 128, 1, 1
{
  .reg .b64 %rd<4>;
  .reg .f32 %f<5>;
  ld.param.u64 %rd1, [a];
  ld.param.u64 %rd2, [b];
  ld.param.u64 %rd3, [c];
  mov.f32 %f1, 0f00000000;
  mov.f32 %f2, 0f00000000;
  mov.f32 %f3, 0f00000000;
  mov.f32 %f4, 0f00000000;
  wgmma.fence.sync.aligned;
  wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f1, %f2, %f3, %f4}, %rd1, %rd2, 1, 1, 1, 0, 0;
  wgmma.commit_group.sync.aligned;
)",
                    wait = "  wgmma.wait_group.sync.aligned 0;\n", tail = "  st.global.f32 [%rd3], %f1;\n  ret;\n}\n";
  const CudaTarget target{"sm_90a", 227 * 1024};
  auto waits = assemblePtx(head + wait + tail, target);
  ASSERT_TRUE(static_cast<bool>(waits)) << llvm::toString(waits.takeError());
  EXPECT_EQ(waits->kernels.front().sass.mma, 1);
  auto reads = assemblePtx(head + "  wgmma.wait_group.sync.aligned 1;\n" + tail, target);
  ASSERT_FALSE(reads);
  const std::string message = llvm::toString(reads.takeError());
  EXPECT_NE(message.find("expects matrix products that overlap, but ptxas serialises them: ptxas info    : (C7514)"),
            std::string::npos)
      << message;
}

TEST(PtxasReport, has_registers_spills_and_shared_memory_by_kernel) {
  const auto kernels = llvm::cantFail(
      parsePtxasReport("ptxas info    : 0 bytes gmem\n"
                       "ptxas info    : Compiling entry function 'second' for 'sm_80'\n"
                       "ptxas info    : Function properties for second\n"
                       "    16 bytes stack frame, 24 bytes spill stores, 40 bytes spill loads\n"
                       "ptxas info    : Function properties for helper\n"
                       "    8 bytes stack frame, 4 bytes spill stores, 4 bytes spill loads\n"
                       "ptxas info    : Used 255 registers, used 1 barriers, 20480 bytes smem, 376 bytes cmem[0]\n"
                       "ptxas info    : Compiling entry function 'first' for 'sm_80'\n"
                       "ptxas info    : Function properties for first\n"
                       "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
                       "ptxas info    : Used 8 registers, used 0 barriers, 360 bytes cmem[0]\n"));
  ASSERT_EQ(kernels.size(), 2u);
  EXPECT_EQ(kernels[0].name, "first");
  EXPECT_EQ(kernels[0].registers, 8);
  EXPECT_EQ(kernels[0].sharedBytes, 0);
  EXPECT_EQ(kernels[1].name, "second");
  EXPECT_EQ(kernels[1].registers, 255);
  EXPECT_EQ(kernels[1].sharedBytes, 20480);
  // What it calls counts as well.
  EXPECT_EQ(kernels[1].stackBytes, 24);
  EXPECT_EQ(kernels[1].spillStores, 28);
  EXPECT_EQ(kernels[1].spillLoads, 44);
}

TEST(PtxasReport, fails_on_serialized_products_and_on_nothing_else) {
  const std::string entry = "ptxas info    : Compiling entry function 'k' for 'sm_90a'\n",
                    used = "ptxas info    : Used 90 registers, used 1 barriers\n";
  for (const char *remark : {"C7510", "C7514"}) {
    auto kernels =
        parsePtxasReport(entry + "ptxas info    : (" + remark + ") Potential Performance Loss: ...\n" + used);
    ASSERT_FALSE(kernels) << remark;
    EXPECT_NE(llvm::toString(kernels.takeError()).find(remark), std::string::npos);
  }
  auto other = parsePtxasReport(entry + "ptxas info    : (C7508) Potential Performance Loss: ...\n" + used);
  ASSERT_TRUE(static_cast<bool>(other)) << llvm::toString(other.takeError());
  EXPECT_EQ(other->front().registers, 90);
}

TEST(PtxasReport, without_registers_is_an_error) {
  auto kernels = parsePtxasReport("ptxas info    : Compiling entry function 'k' for 'sm_80'\n");
  ASSERT_FALSE(kernels);
  EXPECT_EQ(llvm::toString(kernels.takeError()), "expects the registers of kernel 'k' in the report of ptxas");
}

TEST(SassCensus, a_damaged_cubin_is_an_error) {
  REQUIRE_PTXAS();
  const Cubin cubin = llvm::cantFail(assemblePtx(ptxOfKernels(), sm80()));
  for (size_t size = 0; size < cubin.bytes.size(); size += 8) {
    std::vector<KernelResources> kernels = cubin.kernels;
    // A copy of its own, so that reading behind it is seen.
    const std::vector<char> part(cubin.bytes.begin(), cubin.bytes.begin() + size);
    llvm::Error error = countSass(llvm::StringRef(part.data(), part.size()), kernels);
    // What follows the sections is no part of the count.
    if (size < cubin.bytes.size() / 2) {
      EXPECT_TRUE(static_cast<bool>(error)) << size;
    }
    llvm::consumeError(std::move(error));
  }
  std::vector<KernelResources> other(1);
  other.front().name = "absent";
  llvm::Error error = countSass(cubin.bytes, other);
  EXPECT_EQ(llvm::toString(std::move(error)), "expects code of the kernel 'absent' in the cubin");
}
