#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests what is left of a disk when something goes wrong or changes below a stock
# guest: killed VMMs, images with bad sectors, images that grow and shrink. On an
# emulated arm64 host: KTAP on standard output.
#
#	tools/ci/blk-crash-test.sh [arm64|x86_64]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options "${1:-arm64}"
OVERLAY=$RANCHU_BUILD/lab/overlay-blk-crash-$HOST
JOURNAL=$RANCHU_BUILD/$GUEST_ARCH/blk/blk_journal

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
make -s -C tools/testing/blk "OUTPUT=${JOURNAL%/*}" "CROSS_COMPILE=$(cross_prefix "$GUEST_ARCH")"
tools/lab/program.sh "$OVERLAY" dmsetup
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" "$TRANSPORT" virtio_blk -- \
	"$JOURNAL" tools/ci/blk-crash-in-guest
cp "$JOURNAL" "$OVERLAY/bin/"
cp tools/ci/host-lib.sh tools/ci/blk-crash-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 1500 --overlay "$OVERLAY" -- \
	sh /ranchu/blk-crash-in-host.sh
