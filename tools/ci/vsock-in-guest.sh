#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The vsock test's part inside the guest (busybox's sh).
#
#	vsock-in-guest.sh load		the stock driver
#	vsock-in-guest.sh out [BYTES]	to the host and back
#	vsock-in-guest.sh in		let the host in, once
#	vsock-in-guest.sh rebind	take the driver from its device, and give it back
#	vsock-in-guest.sh mark WORD	print a line that vmmctl looks for
#	vsock-in-guest.sh reboot
set -eu

DRIVER=/sys/bus/virtio/drivers/vmw_vsock_virtio_transport

case $1 in
load)
	while read -r module; do
		insmod "/vsock/$module"
	done < /vsock/order
	vsock_peer cid
	for device in /sys/bus/platform/devices/*.virtio_mmio/virtio*; do
		echo "device: ${device#/sys/bus/platform/devices/}"
	done
	;;
out)
	vsock_peer talk 2 1025 "${2:-2000000}"
	;;
in)
	echo "SERVING"
	vsock_peer serve 1024 1
	;;
rebind)
	for link in "$DRIVER"/virtio*; do
		device=${link##*/}
	done
	echo "$device" > "$DRIVER/unbind"
	[ ! -e "$DRIVER/$device" ]
	echo "$device" > "$DRIVER/bind"
	[ -e "$DRIVER/$device" ]
	;;
mark)
	echo "MARK $2"
	;;
reboot)
	reboot -f
	;;
esac
