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

cd "$RANCHU_TOP"
OVERLAY=$RANCHU_BUILD/lab/overlay-vsock
PEER=$RANCHU_BUILD/arm64/vsock/vsock_peer
tools/lab/host-overlay.sh arm64 "$OVERLAY" --guest
build_alone make -s -C tools/testing/vsock "OUTPUT=${PEER%/*}" "CROSS_COMPILE=$(cross_prefix arm64)"
cp "$PEER" "$OVERLAY/bin/"
tools/lab/program.sh "$OVERLAY" qemu-system-aarch64
cp tools/ci/host-lib.sh tools/ci/vsock-in-host.sh "$OVERLAY/ranchu/"

tools/lab/guest-vsock.sh "$OVERLAY/ranchu/guest/initrd.cpio" "$PEER" tools/ci/vsock-in-guest

exec tools/lab/run.sh --host "$HOST" --timeout 900 --overlay "$OVERLAY" -- \
	sh /ranchu/vsock-in-host.sh
