#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the small virtio devices that vmmctl serves itself, with a stock guest's
# drivers, on an emulated arm64 host: KTAP on standard output.
#
#	tools/ci/virtio-test.sh
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

OVERLAY=$RANCHU_BUILD/lab/overlay-virtio

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh arm64 "$OVERLAY" --guest
tools/lab/program.sh "$OVERLAY" socat
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" virtio_mmio virtio-rng \
	virtio_balloon virtio_input evdev -- tools/ci/virtio-in-guest
cp tools/ci/host-lib.sh tools/ci/virtio-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh --host arm64 --timeout 600 --overlay "$OVERLAY" -- \
	sh /ranchu/virtio-in-host.sh
