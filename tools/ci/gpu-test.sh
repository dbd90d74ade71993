#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests a virtio-gpu that ranchu-gpu serves, with a stock guest's driver: pixels, cursor,
# exits a frame, and what becomes of a VM whose ranchu-gpu is killed. On an emulated host:
# KTAP on standard output.
#
#	tools/ci/gpu-test.sh [arm64|x86_64]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options "${1:-arm64}"
OVERLAY=$RANCHU_BUILD/lab/overlay-gpu-$HOST
BUILT=$RANCHU_BUILD/$GUEST_ARCH

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$GUEST_ARCH" "$OVERLAY" --guest
make -s -C tools/testing/gpu "OUTPUT=$BUILT/gpu" "CROSS_COMPILE=$(cross_prefix "$GUEST_ARCH")" \
	"KSRC=$RANCHU_CACHE/linux-source"
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" "$TRANSPORT" virtio-gpu -- \
	"$BUILT/gpu/gpu_guest" tools/ci/gpu-in-guest
cp "$BUILT/gpu/gpu_guest" "$BUILT/ranchu-gpu/ranchu-gpu" "$OVERLAY/bin/"
cp tools/ci/host-lib.sh tools/ci/screen-lib.sh tools/ci/gpu-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 900 --overlay "$OVERLAY" -- \
	sh /ranchu/gpu-in-host.sh
