#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests snapshots: a stock Linux guest with pipes, a disk and Debian's adbd is saved on
# an emulated arm64 host and goes on in other vmmctl processes: KTAP on standard output.
#
#	tools/ci/snapshot-test.sh [arm64|arm64-gicv2] [--kills] [--shell]
#
# --kills does not test what goes on, but kills programs at random moments.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
HOST=${1:-arm64}
[ $# -eq 0 ] || shift
SCRIPT=snapshot-in-host.sh
if [ "${1:-}" = --kills ]; then
	SCRIPT=snapshot-kills-in-host.sh
	shift
fi
OVERLAY=$RANCHU_BUILD/lab/overlay-snapshot
PEER=$RANCHU_BUILD/arm64/vsock/vsock_peer
run=(tools/lab/run.sh --host "$HOST" --timeout 1500 --mem 3G --overlay "$OVERLAY")

tools/lab/host-overlay.sh arm64 "$OVERLAY" --guest
build_alone make -s -C tools/testing/vsock "OUTPUT=${PEER%/*}" "CROSS_COMPILE=$(cross_prefix arm64)"
tools/lab/program.sh "$OVERLAY" adb
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" virtio_mmio virtio_blk \
	-- tools/ci/snapshot-in-guest
tools/lab/guest-vsock.sh "$OVERLAY/ranchu/guest/initrd.cpio" --adbd "$PEER"
cp tools/ci/host-lib.sh tools/ci/snapshot-lib.sh "tools/ci/$SCRIPT" "$OVERLAY/ranchu/"

if [ "${1:-}" = --shell ]; then
	say "the tests: sh /ranchu/$SCRIPT"
	exec "${run[@]}" --shell
fi
exec "${run[@]}" -- sh "/ranchu/$SCRIPT"
