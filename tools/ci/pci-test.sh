#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the PCI bus of a board with a device of each kind on it at once, by the stock
# drivers of a Linux guest on an emulated host: KTAP on standard output. It is the x86_64
# board's bus, or on an arm64 host that of the second arm64 board. What a device can do by
# itself has a test of its own.
#
#	tools/ci/pci-test.sh x86_64|arm64|arm64-gicv2
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

[ $# -eq 1 ] || die "usage: pci-test.sh x86_64|arm64|arm64-gicv2"
host_options "$1"
OVERLAY=$RANCHU_BUILD/lab/overlay-pci-$1

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
tools/lab/program.sh "$OVERLAY" adb socat qemu-img qemu-storage-daemon
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" virtio_mmio virtio_pci \
	virtio_net virtio_blk crc32c_generic ext4 virtio-rng virtio_balloon virtio_input evdev \
	gpio_keys -- tools/ci/net-in-guest tools/ci/virtio-in-guest tools/ci/power-in-guest
tools/lab/guest-vsock.sh "$OVERLAY/ranchu/guest/initrd.cpio" --adbd
cp tools/ci/host-lib.sh tools/ci/net-lib.sh tools/ci/virtio-lib.sh tools/ci/user-lib.sh \
	tools/ci/pci-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 2400 --overlay "$OVERLAY" -- \
	sh /ranchu/pci-in-host.sh
