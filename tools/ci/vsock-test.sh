#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests virtio-vsock in a stock Linux guest behind our transport, served by Linux'
# own vhost_vsock, on an emulated arm64 host: KTAP on standard output.
#
#	tools/ci/vsock-test.sh [arm64|arm64-gicv2]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

HOST=${1:-arm64}
MODULES=$(readlink -f "$RANCHU_CACHE/modules-arm64")
# What the guest loads, in this order.
GUEST_MODULES=(virtio_mmio vsock vmw_vsock_virtio_transport_common vmw_vsock_virtio_transport)

cd "$RANCHU_TOP"
OVERLAY=$RANCHU_BUILD/lab/overlay-vsock
PEER=$RANCHU_BUILD/arm64/vsock/vsock_peer
tools/lab/host-overlay.sh arm64 "$OVERLAY" --guest
make -s -C tools/testing/vsock "OUTPUT=${PEER%/*}" "CROSS_COMPILE=$(cross_prefix arm64)"
cp "$PEER" "$OVERLAY/bin/"
cp tools/ci/vsock-in-host.sh "$OVERLAY/ranchu/"

# The kernel takes a second archive behind the first.
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage/vsock" "$stage/bin"
cp "$PEER" "$stage/bin/"
cp tools/ci/vsock-in-guest.sh "$stage/vsock/guest.sh"
for module in "${GUEST_MODULES[@]}"; do
	file=$(find "$MODULES/kernel" -name "$module.ko.xz")
	[ -n "$file" ] || die "Debian's arm64 kernel has no module $module"
	# busybox's insmod cannot decompress.
	xz -dc "$file" > "$stage/vsock/$module.ko"
	echo "$module.ko" >> "$stage/vsock/order"
done
(cd "$stage" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) \
	>> "$OVERLAY/ranchu/guest/initrd.cpio"
rm -rf "$stage"
trap - EXIT

exec tools/lab/run.sh --host "$HOST" --timeout 900 --overlay "$OVERLAY" -- \
	sh /ranchu/vsock-in-host.sh
