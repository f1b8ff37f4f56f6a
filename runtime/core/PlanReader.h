// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_PLANREADER_H
#define BIFOCAL_RUNTIME_CORE_PLANREADER_H

#include "runtime/core/Json.h"
#include "runtime/core/Plan.h"

namespace bifocal {

/// Reads one entry point; the first problem ends it.
class EntryReader {
public:
  EntryReader(const Manifest &manifest, EntryPlan &entry) : manifest_(manifest), entry_(entry) {}

  Status read(const nlohmann::json &json);

private:
  Status readSymbols(JsonReader &reader);
  /// The names that an expression may use: W only inside `slabs`.
  std::span<const std::string> names(bool window) const {
    return std::span(entry_.symbols).first(entry_.symbols.size() - (window ? 0 : 1));
  }
  Expression expression(JsonReader &reader, const char *key, const nlohmann::json &json, bool window);
  std::vector<Expression> expressions(JsonReader &reader, const char *key, bool window);
  ElementType elementType(JsonReader &reader);
  void readArguments(JsonReader &owner, const char *key, std::vector<PlanArgument> &arguments);
  void readClasses(JsonReader &reader);
  Status readBuffer(const nlohmann::json &json, const std::string &where);
  Status readView(JsonReader &reader);
  void readPanelExtent(JsonReader &reader, PlanBuffer &buffer);
  void readArenaExtent(JsonReader &reader, PlanBuffer &buffer);
  void readSlabExtent(JsonReader &reader, PlanBuffer &buffer, int64_t elements);
  void readStateIndex(JsonReader &reader, PlanBuffer &buffer);
  void readIndex(JsonReader &reader, PlanBuffer &buffer, const std::vector<PlanArgument> &arguments);
  BufferRef reference(JsonReader &reader, const char *key, const nlohmann::json &json, bool window);
  /// A buffer whose rows are adjacent.
  BufferRef whole(JsonReader &reader, const char *key, bool window);
  std::vector<BufferRef> references(JsonReader &reader, const char *key, bool window);

  // PlanSteps.cpp
  Status readSteps(const nlohmann::json &json, const std::string &where, bool window, std::vector<PlanStep> &steps);
  LaunchStep readLaunch(JsonReader &reader, bool window);
  GemmStep readGemm(JsonReader &reader, bool window);
  /// Together the steps must have fewer multiply-adds than `EntryPlan::multiplyAdds` can count.
  bool addMultiplyAdds(int64_t factor) {
    return factor >= 0 && !__builtin_add_overflow(multiplyAdds_, factor, &multiplyAdds_);
  }
  void countMultiplyAdds(JsonReader &reader, const GemmStep &gemm);
  /// The kernel is the one for the element types of the matrices.
  void checkMatrices(JsonReader &reader, GemmStep &gemm) const;
  FillStep readFill(JsonReader &reader, bool window);
  SlabsStep readSlabs(JsonReader &reader);

  const Manifest &manifest_;
  EntryPlan &entry_;
  int64_t multiplyAdds_ = 0; ///< of all steps so far, without their symbolic sizes
};

} // namespace bifocal
#endif
