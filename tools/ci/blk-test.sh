#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests disks: a stock Linux guest's virtio_blk, vmmctl's transport and
# vhost_ranchu_blk.ko, on an emulated arm64 host: KTAP on standard output.
#
#	tools/ci/blk-test.sh [arm64|arm64-gicv2]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

HOST=${1:-arm64}
OVERLAY=$RANCHU_BUILD/lab/overlay-blk

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh arm64 "$OVERLAY" --guest
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" \
	virtio_mmio virtio_blk crc32c_generic ext4 -- tools/ci/blk-in-guest
cp tools/ci/host-lib.sh tools/ci/blk-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh --host "$HOST" --timeout 1500 --overlay "$OVERLAY" -- \
	sh /ranchu/blk-in-host.sh
