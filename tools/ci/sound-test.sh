#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests vmmctl's sound card with a stock guest's driver and Debian's aplay, arecord and
# amixer: samples, pace, jacks, channel maps, exits. In an emulated host: KTAP on standard
# output.
#
#	tools/ci/sound-test.sh [arm64|x86_64]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options "${1:-arm64}"
OVERLAY=$RANCHU_BUILD/lab/overlay-sound-$HOST

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" "$TRANSPORT" virtio_snd -- \
	aplay arecord amixer tools/ci/sound-in-guest
cp tools/ci/host-lib.sh tools/ci/sound-in-host.sh "$OVERLAY/ranchu/"
# With a clock that counts instructions a guest is never late, however busy this machine is.
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --icount --timeout 900 --overlay "$OVERLAY" -- \
	sh /ranchu/sound-in-host.sh
