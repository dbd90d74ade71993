#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests a stock guest whose root is a disk, and Debian's fio there, which verifies
# what it writes to other disks. On an emulated host: KTAP on standard output.
#
#	tools/ci/blk-root-test.sh [arm64|x86_64]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options "${1:-arm64}"
OVERLAY=$RANCHU_BUILD/lab/overlay-blk-root-$HOST
ROOT=$RANCHU_BUILD/lab/blk-root-$HOST

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" \
	"$TRANSPORT" virtio_blk crc32c_generic ext4
rm -rf "$ROOT"
tools/lab/program.sh "$ROOT" fio
tools/lab/guest-root.sh "$OVERLAY/ranchu/guest/root" "$ROOT" tools/ci/blk-root-in-guest \
	"$RANCHU_BUILD/$GUEST_ARCH/selftests/pipe_guest"
cp tools/ci/host-lib.sh tools/ci/blk-root-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --mem 3G --timeout 1500 --overlay "$OVERLAY" -- \
	sh /ranchu/blk-root-in-host.sh
