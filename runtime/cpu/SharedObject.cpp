// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cpu/SharedObject.h"

#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

namespace bifocal {

Result<std::unique_ptr<SharedObject>> SharedObject::load(std::span<const std::byte> bytes, const std::string &name) {
  const int descriptor = ::memfd_create(name.c_str(), MFD_CLOEXEC);
  if (descriptor < 0)
    return Status(StatusCode::internal, fmt::format("cannot make a file in memory: {}", std::strerror(errno)));
  std::unique_ptr<SharedObject> object(new SharedObject(descriptor, nullptr));
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return Status(StatusCode::internal, fmt::format("cannot write a file in memory: {}", std::strerror(errno)));
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  object->handle_ = ::dlopen(fmt::format("/proc/self/fd/{}", descriptor).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!object->handle_) {
    const char *reason = ::dlerror();
    return Status(StatusCode::malformed,
                  fmt::format("expects '{}' to be a loadable shared object: {}", name, reason ? reason : ""));
  }
  return object;
}

SharedObject::~SharedObject() {
  if (handle_)
    ::dlclose(handle_);
  // Open until here: the loader knows objects by path, and a reused descriptor number would give the wrong one.
  ::close(descriptor_);
}

void *SharedObject::find(const std::string &symbol) const { return ::dlsym(handle_, symbol.c_str()); }

} // namespace bifocal
