#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the pipe from inside a stock Linux guest, on an emulated host: KTAP on standard
# output.
#
#	tools/ci/guest-test.sh [arm64|arm64-16k|x86_64]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options "${1:-arm64}"
OVERLAY=$RANCHU_BUILD/lab/overlay-guest-$HOST
DRIVER=$RANCHU_BUILD/guest/$GUEST_ARCH/goldfish_dma.ko

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
tools/lab/guest-module.sh "$DRIVER" tools/testing/selftests/ranchu/guest/goldfish_dma.c
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" -- "$DRIVER"
cp tools/ci/host-lib.sh tools/ci/guest-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 1500 --overlay "$OVERLAY" -- \
	sh /ranchu/guest-in-host.sh
