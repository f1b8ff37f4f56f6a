// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_TRAIN_EVENTFILE_H
#define BIFOCAL_RUNTIME_TRAIN_EVENTFILE_H

#include "runtime/core/Status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace bifocal {

/// A value of a curve, e.g. {"train/loss", 3.5}.
struct Scalar {
  std::string tag;
  float value = 0;
};

/// Scalars in the files that TensorBoard reads: `events.out.tfevents.<seconds>.<host>.<process>`, a TFRecord file of
/// `tensorflow.Event` messages. Each run writes a file of its own; the files of a folder are read in the order of their
/// names, as one curve.
class EventFile {
public:
  /// Whether a folder has event files.
  static bool anyIn(const std::string &folder);

  /// Opens a new file in `folder`, which is made if it is not there. The curve goes on after `step`: events of later
  /// steps, and half a record at an end, are cut off the files that are there, since a run that is continued from a
  /// checkpoint makes these steps again. 0 begins anew.
  static Result<std::unique_ptr<EventFile>> create(const std::string &folder, int64_t step);
  EventFile(const EventFile &) = delete;
  EventFile &operator=(const EventFile &) = delete;
  ~EventFile();

  /// Adds the values of one step. They are in the file when this returns; a record that cannot be written in full is
  /// taken back, so the file stays readable.
  Status write(int64_t step, std::span<const Scalar> scalars);

  const std::string &path() const { return path_; }

private:
  EventFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  Status append(const std::string &event);

  std::string path_;
  int descriptor_;
  int64_t size_ = 0; ///< of whole records
};

/// CRC-32C (Castagnoli), as in iSCSI: of "123456789" it is 0xe3069283.
uint32_t crc32c(std::span<const std::byte> bytes);

} // namespace bifocal
#endif
