#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests disks: a stock Linux guest's virtio_blk, vmmctl's transport and
# vhost_ranchu_blk.ko, on an emulated host: KTAP on standard output.
#
#	tools/ci/blk-test.sh [arm64|arm64-gicv2|arm64-16k|x86_64]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options "${1:-arm64}"
OVERLAY=$RANCHU_BUILD/lab/overlay-blk-$HOST

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" \
	"$TRANSPORT" virtio_blk crc32c_generic ext4 -- tools/ci/blk-in-guest
cp tools/ci/host-lib.sh tools/ci/blk-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 1500 --overlay "$OVERLAY" -- \
	sh /ranchu/blk-in-host.sh
