// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The dialect in one file list; each family has its own.
include "dialect/bifocal/BifocalDialect.td"
include "dialect/bifocal/ConvOps.td"
include "dialect/bifocal/AttentionOps.td"
include "dialect/bifocal/DenseOps.td"
include "dialect/bifocal/ChannelOps.td"
include "dialect/bifocal/EmbeddingOps.td"
include "dialect/bifocal/NormOps.td"
include "dialect/bifocal/LossOps.td"
include "dialect/bifocal/OptimOps.td"
include "dialect/bifocal/SearchOps.td"
include "dialect/bifocal/StateOps.td"
include "dialect/bifocal/FusedOps.td"
