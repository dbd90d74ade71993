#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the guest services: a program in a stock guest speaks to each over the stock pipe
# driver, values come by the real `adb emu` and by vmmctl, and ranchu-services comes late, is
# killed, and comes again; in an emulated arm64 host: KTAP on standard output.
#
#	tools/ci/services-test.sh [arm64]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

OVERLAY=$RANCHU_BUILD/lab/overlay-services
PROGRAMS=$RANCHU_BUILD/arm64/services

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh arm64 "$OVERLAY" --guest
tools/lab/program.sh "$OVERLAY" adb socat
make -s -C tools/testing/services "OUTPUT=$PROGRAMS" "CROSS_COMPILE=$(cross_prefix arm64)"
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" evdev -- \
	tools/ci/services-in-guest "$PROGRAMS/services_guest"
cp "$RANCHU_BUILD/arm64/ranchu-services/ranchu-services" "$OVERLAY/bin/"
cp tools/ci/host-lib.sh tools/ci/services-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh --host "${1:-arm64}" --timeout 900 --overlay "$OVERLAY" -- \
	sh /ranchu/services-in-host.sh
