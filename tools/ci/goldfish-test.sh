#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the goldfish battery, events and framebuffer, and x86_64's rtc, with a stock
# guest's drivers, screenshots, and the emulator's console, on arm64 with the real adb, and
# x86_64's persistent store, in an emulated host: KTAP on standard output.
#
#	tools/ci/goldfish-test.sh [arm64|x86_64]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

ARCH=${1:-arm64}
OVERLAY=$RANCHU_BUILD/lab/overlay-goldfish-$ARCH
PROGRAMS=$RANCHU_BUILD/$ARCH/goldfish
DRIVERS="drivers/power/supply/goldfish_battery.c drivers/input/keyboard/goldfish_events.c
	 drivers/video/fbdev/goldfishfb.c"
HOST="--timeout 900"

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$ARCH" "$OVERLAY" --guest
case $ARCH in
arm64)
	tools/lab/program.sh "$OVERLAY" adb
	;;
x86_64)
	DRIVERS="$DRIVERS drivers/rtc/rtc-goldfish.c ramoops"
	HOST="--icount --timeout 1700"
	;;
*)
	die "usage: goldfish-test.sh [arm64|x86_64]"
	;;
esac
make -s -C tools/testing/goldfish "OUTPUT=$PROGRAMS" "CROSS_COMPILE=$(cross_prefix "$ARCH")"
# shellcheck disable=SC2086 # lists of words
GUEST_ARCH=$ARCH tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" evdev \
	$DRIVERS -- tools/ci/goldfish-in-guest tools/ci/pstore-in-guest "$PROGRAMS/rtc_alarm"
cp tools/ci/host-lib.sh tools/ci/screen-lib.sh tools/ci/goldfish-in-host.sh "$OVERLAY/ranchu/"
# shellcheck disable=SC2086 # likewise
exec tools/lab/run.sh --host "$ARCH" $HOST --overlay "$OVERLAY" -- \
	sh /ranchu/goldfish-in-host.sh
