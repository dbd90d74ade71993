#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the x86_64 board's PCI bus with a device of each kind on it at once, by the stock
# drivers of a Linux guest on an emulated x86_64 host: KTAP on standard output. What a
# device can do by itself has a test of its own, for both boards.
#
#	tools/ci/x86-virtio-test.sh
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options x86_64
OVERLAY=$RANCHU_BUILD/lab/overlay-x86-virtio

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$GUEST_ARCH" "$OVERLAY" --guest
tools/lab/program.sh "$OVERLAY" adb socat qemu-img qemu-storage-daemon
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" "$TRANSPORT" virtio_net \
	virtio_blk crc32c_generic ext4 virtio-rng virtio_balloon virtio_input evdev \
	-- tools/ci/net-in-guest tools/ci/virtio-in-guest
tools/lab/guest-vsock.sh "$OVERLAY/ranchu/guest/initrd.cpio" --adbd
cp tools/ci/host-lib.sh tools/ci/net-lib.sh tools/ci/virtio-lib.sh tools/ci/user-lib.sh \
	tools/ci/x86-virtio-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 1500 --overlay "$OVERLAY" -- \
	sh /ranchu/x86-virtio-in-host.sh
