#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the goldfish sync device with a guest's driver of our own, because mainline has
# none, and a renderer that draws nothing, in an emulated host: KTAP on standard output.
#
#	tools/ci/sync-test.sh [arm64|x86_64]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options "${1:-arm64}"
OVERLAY=$RANCHU_BUILD/lab/overlay-sync-$HOST
PROGRAMS=$RANCHU_BUILD/$GUEST_ARCH/goldfish

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
make -s -C tools/testing/goldfish "OUTPUT=$PROGRAMS" "CROSS_COMPILE=$(cross_prefix "$GUEST_ARCH")"
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" \
	tools/testing/goldfish/sync_driver.c -- tools/ci/sync-in-guest "$PROGRAMS/sync_fences"
cp tools/ci/host-lib.sh tools/ci/sync-lib.sh tools/ci/sync-in-host.sh "$PROGRAMS/sync_renderer" \
	"$OVERLAY/ranchu/"
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 900 --overlay "$OVERLAY" -- \
	sh /ranchu/sync-in-host.sh
