#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the guest services: a program in a stock guest speaks to each over the stock pipe
# driver, values come by the real `adb emu` and by vmmctl, and ranchu-services comes late, is
# killed, and comes again; in an emulated host: KTAP on standard output.
#
#	tools/ci/services-test.sh [arm64|x86_64]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options "${1:-arm64}"
OVERLAY=$RANCHU_BUILD/lab/overlay-services-$HOST
PROGRAMS=$RANCHU_BUILD/$GUEST_ARCH/services

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
tools/lab/program.sh "$OVERLAY" adb socat
make -s -C tools/testing/services "OUTPUT=$PROGRAMS" "CROSS_COMPILE=$(cross_prefix "$GUEST_ARCH")"
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" evdev -- \
	tools/ci/services-in-guest "$PROGRAMS/services_guest"
cp "$RANCHU_BUILD/$GUEST_ARCH/ranchu-services/ranchu-services" "$OVERLAY/bin/"
cp tools/ci/host-lib.sh tools/ci/services-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 1700 --overlay "$OVERLAY" -- \
	sh /ranchu/services-in-host.sh
