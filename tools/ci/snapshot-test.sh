#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests snapshots: a stock Linux guest with pipes, a disk and Debian's adbd is saved on
# an emulated host and goes on in other vmmctl processes: KTAP on standard output.
#
#	tools/ci/snapshot-test.sh [arm64|arm64-gicv2|arm64-16k|x86_64] [--kills|--load] [--shell]
#
# --kills does not test what goes on, but kills programs at random moments. --load tests
# snapshots that are loaded into the VM while it runs.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
host_options "${1:-arm64}"
[ $# -eq 0 ] || shift
SCRIPT=snapshot-in-host.sh
if [ "${1:-}" = --kills ]; then
	SCRIPT=snapshot-kills-in-host.sh
	shift
elif [ "${1:-}" = --load ]; then
	SCRIPT=snapshot-load-in-host.sh
	shift
fi
OVERLAY=$RANCHU_BUILD/lab/overlay-snapshot-$HOST
PEER=$RANCHU_BUILD/$GUEST_ARCH/vsock/vsock_peer
run=(tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 2400 --mem 3G --overlay "$OVERLAY")

tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
build_alone make -s -C tools/testing/vsock "OUTPUT=${PEER%/*}" \
	"CROSS_COMPILE=$(cross_prefix "$GUEST_ARCH")"
tools/lab/program.sh "$OVERLAY" adb mkfs.xfs
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" "$TRANSPORT" virtio_blk \
	-- tools/ci/snapshot-in-guest
tools/lab/guest-vsock.sh "$OVERLAY/ranchu/guest/initrd.cpio" --adbd "$PEER"
cp tools/ci/host-lib.sh tools/ci/snapshot-lib.sh "tools/ci/$SCRIPT" "$OVERLAY/ranchu/"

if [ "${1:-}" = --shell ]; then
	say "the tests: sh /ranchu/$SCRIPT"
	exec "${run[@]}" --shell
fi
exec "${run[@]}" -- sh "/ranchu/$SCRIPT"
