#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests ranchu-gles with a stock guest's pipe driver and a program of ours that speaks as
# Android's OpenGL ES library does: pixels on the screen, fences by a driver of our own, exits,
# and what becomes of a VM whose ranchu-gles is killed. In an emulated host: KTAP on standard
# output.
#
#	tools/ci/gles-test.sh [arm64|x86_64]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options "${1:-arm64}"
OVERLAY=$RANCHU_BUILD/lab/overlay-gles-$HOST
PROGRAMS=$RANCHU_BUILD/$GUEST_ARCH/gles

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
make -s -C tools/testing/gles "OUTPUT=$PROGRAMS" "CROSS_COMPILE=$(cross_prefix "$GUEST_ARCH")"
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" \
	tools/testing/goldfish/sync_driver.c -- tools/ci/gles-in-guest "$PROGRAMS/gles_guest"
cp "$PROGRAMS/gles_guest" "$RANCHU_BUILD/$GUEST_ARCH/ranchu-gles/ranchu-gles" "$OVERLAY/bin/"
cp tools/ci/host-lib.sh tools/ci/screen-lib.sh tools/ci/gles-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 900 --overlay "$OVERLAY" -- \
	sh /ranchu/gles-in-host.sh
