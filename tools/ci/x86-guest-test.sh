#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests how a VM of the x86_64 board lives and ends, with a stock Linux guest in it, on
# an emulated x86_64 host: KTAP on standard output.
#
#	tools/ci/x86-guest-test.sh
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
OVERLAY=$RANCHU_BUILD/lab/overlay-x86-guest
tools/lab/host-overlay.sh x86_64 "$OVERLAY" --guest
# A guest with modules that few of the others need: they cost it a second.
cp "$OVERLAY/ranchu/guest/initrd.cpio" "$OVERLAY/ranchu/guest/modules.cpio"
GUEST_ARCH=x86_64 tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/modules.cpio" \
	pvpanic-mmio button evdev
cp tools/ci/host-lib.sh tools/ci/x86-guest-in-host.sh "$OVERLAY/ranchu/"
# Its CPUs would take turns anyhow, and with a clock that counts instructions no limit of
# time depends on how busy the machine is.
exec tools/lab/run.sh --host x86_64 --icount --inject --timeout 2400 --overlay "$OVERLAY" -- \
	sh /ranchu/x86-guest-in-host.sh
