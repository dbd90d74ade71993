#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the goldfish battery, events and framebuffer, and x86_64's rtc, with a stock
# guest's drivers, audio, and x86_64's rotary, with drivers of our own, because mainline has
# none, screenshots, and the emulator's console, on arm64 with the real adb, and x86_64's
# persistent store, in an emulated host: KTAP on standard output. The virt board is arm64's
# other one.
#
#	tools/ci/goldfish-test.sh [arm64|arm64-16k|x86_64] [ranchu|virt]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options "${1:-arm64}"
BOARD=${2:-auto}
OVERLAY=$RANCHU_BUILD/lab/overlay-goldfish-$HOST-$BOARD
PROGRAMS=$RANCHU_BUILD/$GUEST_ARCH/goldfish
DRIVERS="drivers/power/supply/goldfish_battery.c drivers/input/keyboard/goldfish_events.c
	 drivers/video/fbdev/goldfishfb.c tools/testing/goldfish/audio_driver.c"
IN_HOST=socat

case $GUEST_ARCH in
arm64) IN_HOST="adb socat" ;;
x86_64) DRIVERS="$DRIVERS drivers/rtc/rtc-goldfish.c ramoops tools/testing/goldfish/rotary_driver.c" ;;
esac

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
# shellcheck disable=SC2086 # lists of words
tools/lab/program.sh "$OVERLAY" $IN_HOST
make -s -C tools/testing/goldfish "OUTPUT=$PROGRAMS" "CROSS_COMPILE=$(cross_prefix "$GUEST_ARCH")"
# shellcheck disable=SC2086 # likewise
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" evdev virtio_pci virtio_mmio \
	virtio_blk virtio_input virtio_snd vmw_vsock_virtio_transport $DRIVERS -- \
	tools/ci/goldfish-in-guest tools/ci/pstore-in-guest "$PROGRAMS/rtc_alarm"
cp tools/ci/host-lib.sh tools/ci/screen-lib.sh tools/ci/goldfish-in-host.sh "$OVERLAY/ranchu/"
# With a clock that counts instructions a guest that plays is never late.
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --icount --timeout 2000 --overlay "$OVERLAY" -- \
	sh /ranchu/goldfish-in-host.sh "$BOARD"
