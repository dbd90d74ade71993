#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests snapshots: a stock Linux guest with pipes, a disk and Debian's adbd is saved on
# an emulated arm64 host and goes on in other vmmctl processes: KTAP on standard output.
#
#	tools/ci/snapshot-test.sh [arm64|arm64-gicv2] [--shell]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
HOST=${1:-arm64}
OVERLAY=$RANCHU_BUILD/lab/overlay-snapshot
PEER=$RANCHU_BUILD/arm64/vsock/vsock_peer
run=(tools/lab/run.sh --host "$HOST" --timeout 1500 --mem 3G --overlay "$OVERLAY")

tools/lab/host-overlay.sh arm64 "$OVERLAY" --guest
build_alone make -s -C tools/testing/vsock "OUTPUT=${PEER%/*}" "CROSS_COMPILE=$(cross_prefix arm64)"
tools/lab/program.sh "$OVERLAY" adb
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" virtio_mmio virtio_blk \
	-- tools/ci/snapshot-in-guest
tools/lab/guest-vsock.sh "$OVERLAY/ranchu/guest/initrd.cpio" --adbd "$PEER"
cp tools/ci/host-lib.sh tools/ci/snapshot-lib.sh tools/ci/snapshot-in-host.sh "$OVERLAY/ranchu/"

if [ "${2:-}" = --shell ]; then
	say "the tests: sh /ranchu/snapshot-in-host.sh"
	exec "${run[@]}" --shell
fi
exec "${run[@]}" -- sh /ranchu/snapshot-in-host.sh
