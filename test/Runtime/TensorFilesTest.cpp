// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Npy.h"
#include "runtime/core/Safetensors.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <gtest/gtest.h>

using namespace bifocal;

namespace {

/// A path that is gone after the test.
struct TemporaryFile {
  std::string path = std::filesystem::temp_directory_path() /
                     (std::string("bifocal-") + testing::UnitTest::GetInstance()->current_test_info()->name());
  ~TemporaryFile() { std::filesystem::remove(path); }
};

std::vector<std::byte> file(const std::string &header, size_t data, uint64_t length = UINT64_MAX) {
  length = length == UINT64_MAX ? header.size() : length;
  std::vector<std::byte> bytes(8 + header.size() + data, std::byte{1});
  std::memcpy(bytes.data(), &length, 8);
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  return bytes;
}

std::string error(const std::string &header, size_t data) {
  const std::vector<std::byte> bytes = file(header, data);
  return Safetensors::fromBytes(bytes).status().message();
}

TEST(Safetensors, writesAndReadsBack) {
  const TemporaryFile target;
  const std::vector<float> a = {1.5f, -2.0f, 3.25f, 0.0f, -0.0f, INFINITY};
  const std::vector<int64_t> b = {-5, int64_t{1} << 40};
  const uint8_t flags[3] = {1, 0, 1};
  const std::vector<SafetensorsItem> items = {{"z.last", ElementType::i64, {2}, b.data()},
                                              {"a.\"quoted\"", ElementType::f32, {2, 3}, a.data()},
                                              {"flags", ElementType::i1, {3}, flags},
                                              {"empty", ElementType::f32, {0, 4}, nullptr}};
  ASSERT_TRUE(writeSafetensors(target.path, items, {{"step", "12"}}).ok());
  Result<Safetensors> read = Safetensors::open(target.path);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->metadata().at("step"), "12");
  EXPECT_EQ(read->tensors().size(), 4u);
  std::vector<float> floats(6);
  ASSERT_TRUE(read->readFloats("a.\"quoted\"", floats).ok());
  EXPECT_EQ(std::memcmp(floats.data(), a.data(), 24), 0);
  std::vector<int64_t> integers(2);
  ASSERT_TRUE(read->readIntegers("z.last", integers).ok());
  EXPECT_EQ(integers, b);
  EXPECT_EQ(read->find("flags")->type, ElementType::i1);
  EXPECT_EQ(read->readFloats("z.last", {floats.data(), 2}).code(), StatusCode::malformed);
  EXPECT_EQ(read->readFloats("a.\"quoted\"", {floats.data(), 5}).message(),
            "tensor 'a.\"quoted\"': expects 5 elements, but got 6");
}

TEST(Safetensors, refusesBrokenHeaders) {
  EXPECT_EQ(error(" {}", 0), "expects the header to start with '{'");
  EXPECT_EQ(error("{", 0), "expects the header to be JSON, which it is not from byte 1 of 1 on");
  EXPECT_EQ(error(R"({"a":1e999})", 0), "expects the numbers of the header to be at most 1.8e308");
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                  R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                  4),
            "expects every name in the header once");
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8),
            "tensor 'a': expects its data at byte 0, right after its predecessor's, but it is at 4");
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                  R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                  8),
            "tensor 'b': expects its data at byte 8, right after its predecessor's, but it is at 4");
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 8),
            "expects 4 bytes of data, but the file has 8");
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", 8),
            "tensor 'a'.data_offsets: expects the 4 bytes that type and shape need, but got 8");
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 3),
            "tensor 'a'.data_offsets: expects [begin, end] within the 3 bytes of data");
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4),
            "tensor 'a'.shape: expects integers >= 0 whose product fits in 64 bits");
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[9223372036854775807,9],"data_offsets":[0,4]}})", 4),
            "tensor 'a'.shape: expects integers >= 0 whose product fits in 64 bits");
  EXPECT_EQ(error(R"({"a":{"dtype":"C64","shape":[1],"data_offsets":[0,4]}})", 4),
            "tensor 'a': expects F32, F16, BF16, I64, I32, BOOL or U8, but got 'C64'");
  EXPECT_EQ(Safetensors::fromBytes(file("{}", 0, 100'000'001)).status().message(),
            "expects a header of at most 2 bytes, but its length is 100000001");
}

TEST(Safetensors, cutOrChangedAnywhereNeverCrashes) {
  const std::string header = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("b":{"dtype":"F16","shape":[1,3],"data_offsets":[8,14]}})";
  std::vector<std::byte> bytes = file(header, 14);
  ASSERT_TRUE(Safetensors::fromBytes(bytes).ok());
  for (size_t length = 0; length < bytes.size(); ++length)
    ASSERT_FALSE(Safetensors::fromBytes(std::span(bytes).first(length)).ok()) << length;
  for (size_t i = 0; i < 8 + header.size(); ++i)
    for (unsigned flip = 1; flip < 256; ++flip) {
      bytes[i] ^= static_cast<std::byte>(flip);
      Result<Safetensors> read = Safetensors::fromBytes(bytes);
      if (read.ok())
        for (const auto &[name, entry] : read->tensors()) {
          ASSERT_GE(entry.data.data(), bytes.data());
          ASSERT_LE(entry.data.data() + entry.data.size(), bytes.data() + bytes.size());
        }
      bytes[i] ^= static_cast<std::byte>(flip);
    }
}

TEST(Safetensors, aChangedBitOfTheDataIsNoticed) {
  const TemporaryFile target;
  const std::vector<float> values(300, 1.5f);
  const std::vector<SafetensorsItem> items = {{"a", ElementType::f32, {100}, values.data()},
                                              {"b", ElementType::f32, {300}, values.data()},
                                              {"empty", ElementType::f32, {0}, nullptr}};
  ASSERT_TRUE(writeSafetensors(target.path, items).ok());
  std::vector<std::byte> bytes = *readFile(target.path);
  ASSERT_TRUE(Safetensors::fromBytes(bytes)->checkDigest().ok());
  for (size_t i = bytes.size() - 1600; i < bytes.size(); ++i)
    for (unsigned flip = 1; flip < 256; flip *= 2) {
      bytes[i] ^= static_cast<std::byte>(flip);
      ASSERT_EQ(Safetensors::fromBytes(bytes)->checkDigest().code(), StatusCode::malformed) << i;
      bytes[i] ^= static_cast<std::byte>(flip);
    }
  // Other writers leave none.
  EXPECT_TRUE(Safetensors::fromBytes(file("{}", 0))->checkDigest().ok());
}

TEST(Safetensors, widensSixteenBitFloats) {
  EXPECT_EQ(floatFromHalf(0x3c00), 1.0f);
  EXPECT_EQ(floatFromHalf(0xc000), -2.0f);
  EXPECT_EQ(floatFromHalf(0x7bff), 65504.0f);
  EXPECT_EQ(floatFromHalf(0x0001), 0x1p-24f);
  EXPECT_EQ(floatFromHalf(0x83ff), -1023 * 0x1p-24f);
  EXPECT_EQ(floatFromHalf(0x0400), 0x1p-14f);
  EXPECT_EQ(floatFromHalf(0xfc00), -INFINITY);
  EXPECT_TRUE(std::isnan(floatFromHalf(0x7e00)));
  EXPECT_EQ(std::bit_cast<uint32_t>(floatFromHalf(0x8000)), 0x80000000u);
  EXPECT_EQ(floatFromBfloat(0x3f80), 1.0f);
  EXPECT_EQ(floatFromBfloat(0xc040), -3.0f);
}

TEST(Npy, writesAndReadsBack) {
  const TemporaryFile target;
  for (const std::vector<int64_t> &shape : {std::vector<int64_t>{}, {5}, {2, 3}, {2, 0, 3}, {1, 2, 3, 4}}) {
    HostTensor tensor = HostTensor::zeros(ElementType::i32, shape);
    for (int64_t i = 0; i < tensor.elements(); ++i)
      tensor.set(i, static_cast<double>(i - 3));
    ASSERT_TRUE(writeNpy(target.path, tensor).ok());
    EXPECT_EQ(std::filesystem::file_size(target.path) - tensor.data.size(),
              64 * ((std::filesystem::file_size(target.path) - tensor.data.size()) / 64));
    Result<HostTensor> read = readNpy(target.path);
    ASSERT_TRUE(read.ok()) << read.status().message();
    EXPECT_EQ(read->shape, shape);
    EXPECT_EQ(read->data, tensor.data);
  }
}

std::vector<std::byte> npy(const std::string &header, size_t data) {
  std::string text = std::string("\x93NUMPY\x01\0", 8) + static_cast<char>(header.size() & 255) +
                     static_cast<char>(header.size() >> 8) + header;
  text.append(data, '\0');
  const auto *begin = reinterpret_cast<const std::byte *>(text.data());
  return {begin, begin + text.size()};
}

TEST(Npy, refusesWhatItCannotRead) {
  const auto message = [](const std::string &header, size_t data) {
    return parseNpy(npy(header, data)).status().message();
  };
  EXPECT_EQ(message("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", 4),
            "expects an npy file in C order: 'fortran_order': False");
  EXPECT_EQ(message("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", 4),
            "expects <f4, <f8, <f2, <i4, <i8, |b1 or |u1, but the npy header has '>f4'");
  EXPECT_EQ(message("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 4),
            "expects 8 bytes of npy data, but got 4");
  EXPECT_EQ(message("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", 4),
            "expects an npy shape whose size fits in 64 bits");
  EXPECT_EQ(message("{'descr': '<f4', 'fortran_order': False, 'shape': (x,), }", 4),
            "expects integers >= 0 in the npy shape, but got 'x,'");
}

TEST(Npy, cutOrChangedAnywhereNeverCrashes) {
  std::vector<std::byte> bytes = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", 48);
  ASSERT_TRUE(parseNpy(bytes).ok());
  for (size_t length = 0; length < bytes.size(); ++length)
    ASSERT_FALSE(parseNpy(std::span(bytes).first(length)).ok()) << length;
  for (size_t i = 0; i < bytes.size(); ++i)
    for (unsigned flip = 1; flip < 256; ++flip) {
      bytes[i] ^= static_cast<std::byte>(flip);
      (void)parseNpy(bytes);
      bytes[i] ^= static_cast<std::byte>(flip);
    }
}

} // namespace
