#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests virtio-vsock in a stock Linux guest behind our transport, served by Linux'
# own vhost_vsock, on an emulated host: KTAP on standard output.
#
#	tools/ci/vsock-test.sh [arm64|arm64-gicv2|x86_64]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options "${1:-arm64}"

cd "$RANCHU_TOP"
OVERLAY=$RANCHU_BUILD/lab/overlay-vsock-$HOST
PEER=$RANCHU_BUILD/$GUEST_ARCH/vsock/vsock_peer
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
build_alone make -s -C tools/testing/vsock "OUTPUT=${PEER%/*}" \
	"CROSS_COMPILE=$(cross_prefix "$GUEST_ARCH")"
cp "$PEER" "$OVERLAY/bin/"
tools/lab/program.sh "$OVERLAY" "$QEMU_SYSTEM"
cp tools/ci/host-lib.sh tools/ci/vsock-in-host.sh "$OVERLAY/ranchu/"

tools/lab/guest-vsock.sh "$OVERLAY/ranchu/guest/initrd.cpio" "$PEER" tools/ci/vsock-in-guest

exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 900 --overlay "$OVERLAY" -- \
	sh /ranchu/vsock-in-host.sh
