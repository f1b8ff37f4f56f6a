# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Every package the project uses, found in one place.
find_package(Threads REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBZIP REQUIRED IMPORTED_TARGET libzip)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(SENTENCEPIECE REQUIRED IMPORTED_TARGET sentencepiece)
if(BIFOCAL_BUILD_COMPILER OR BIFOCAL_BUILD_FUZZERS)
  pkg_check_modules(TOMLPLUSPLUS REQUIRED IMPORTED_TARGET tomlplusplus)
endif()
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(CLI11 REQUIRED)

if(BIFOCAL_BUILD_COMPILER)
  find_package(MLIR 19.1 REQUIRED CONFIG HINTS /usr/lib/llvm-19/lib/cmake/mlir)
  list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
  include(TableGen)
  include(AddLLVM)
  include(AddMLIR)
  # tablegen() reads the include directories of the directory.
  include_directories(SYSTEM ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
  find_program(BIFOCAL_LINKER NAMES ld.lld-19 ld.lld ld REQUIRED)
  # Of the CUDA Toolkit; without it kernels for GPUs end as PTX.
  find_program(BIFOCAL_PTXAS ptxas HINTS $ENV{CUDA_HOME}/bin /usr/local/cuda/bin)
endif()
if(BIFOCAL_BUILD_COMPILER AND BIFOCAL_TORCH_DIR)
  # The wheel brings headers of another fmt, so sources that format text keep out of targets that link this.
  # find_package(Torch) looks for a GPU; the wheel's libraries are named here instead. They load CUDA's from the toolkit.
  find_package(CUDAToolkit QUIET)
  add_library(bifocal-torch INTERFACE)
  target_include_directories(bifocal-torch SYSTEM INTERFACE
    ${BIFOCAL_TORCH_DIR}/include ${BIFOCAL_TORCH_DIR}/include/torch/csrc/api/include)
  target_link_directories(bifocal-torch INTERFACE ${BIFOCAL_TORCH_DIR}/lib)
  target_link_libraries(bifocal-torch INTERFACE -Wl,--no-as-needed torch_cpu c10 -Wl,--as-needed)
  target_link_options(bifocal-torch INTERFACE -Wl,--allow-shlib-undefined
    -Wl,-rpath,${BIFOCAL_TORCH_DIR}/lib -Wl,-rpath,/usr/local/cuda/lib64)
endif()
if(BIFOCAL_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
