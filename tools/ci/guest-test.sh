#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the pipe from inside a stock Linux guest, on the emulated arm64 host:
# KTAP on standard output.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
OVERLAY=$RANCHU_BUILD/lab/overlay-guest
tools/lab/host-overlay.sh arm64 "$OVERLAY" --guest
DRIVER=$RANCHU_BUILD/guest/goldfish_dma.ko
tools/lab/guest-module.sh "$DRIVER" tools/testing/selftests/ranchu/guest/goldfish_dma.c
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" -- "$DRIVER"
cp tools/ci/host-lib.sh tools/ci/guest-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh --host arm64 --timeout 1500 --overlay "$OVERLAY" -- \
	sh /ranchu/guest-in-host.sh
