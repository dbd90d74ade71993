#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the goldfish battery, events and framebuffer with a stock guest's drivers,
# screenshots, and the emulator's console with the real adb, on an emulated arm64 host:
# KTAP on standard output.
#
#	tools/ci/goldfish-test.sh
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

OVERLAY=$RANCHU_BUILD/lab/overlay-goldfish

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh arm64 "$OVERLAY" --guest
tools/lab/program.sh "$OVERLAY" adb
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" evdev \
	drivers/power/supply/goldfish_battery.c drivers/input/keyboard/goldfish_events.c \
	drivers/video/fbdev/goldfishfb.c -- tools/ci/goldfish-in-guest
cp tools/ci/host-lib.sh tools/ci/goldfish-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh --host arm64 --timeout 900 --overlay "$OVERLAY" -- \
	sh /ranchu/goldfish-in-host.sh
