#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the small virtio devices that vmmctl serves itself, with a stock guest's
# drivers, on an emulated host: KTAP on standard output.
#
#	tools/ci/virtio-test.sh [arm64|arm64-16k|x86_64]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options "${1:-arm64}"
OVERLAY=$RANCHU_BUILD/lab/overlay-virtio-$HOST

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
tools/lab/program.sh "$OVERLAY" socat
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" "$TRANSPORT" virtio-rng \
	virtio_balloon virtio_input evdev -- tools/ci/virtio-in-guest
cp tools/ci/host-lib.sh tools/ci/virtio-lib.sh tools/ci/virtio-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 600 --overlay "$OVERLAY" -- \
	sh /ranchu/virtio-in-host.sh
