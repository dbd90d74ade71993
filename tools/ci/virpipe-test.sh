#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests OpenGL through the goldfish pipe with Debian's parts: Mesa's virpipe driver in a stock
# guest, virgl_test_server on the host, confined by virgl_confine. In between are a relay in the
# guest and, on the host, first vmmctl's --pipe-service, then virgl_ring with shared rings. In an
# emulated host: KTAP on standard output.
#
#	tools/ci/virpipe-test.sh [arm64|x86_64]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options "${1:-arm64}"
OVERLAY=$RANCHU_BUILD/lab/overlay-virpipe-$HOST
BUILT=$RANCHU_BUILD/$GUEST_ARCH
MESA=$RANCHU_BUILD/lab/mesa-virpipe-$GUEST_ARCH

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
libraries=()
[ "$GUEST_ARCH" = "$(kernel_arch "$(uname -m)")" ] ||
	libraries=("LIBRARIES_DIR=$RANCHU_CACHE/libraries-$GUEST_ARCH")
make -s -C tools/testing/gl "OUTPUT=$BUILT/gl" "CROSS_COMPILE=$(cross_prefix "$GUEST_ARCH")" \
	${libraries[@]+"${libraries[@]}"}
make -s -C tools/testing/gpu "OUTPUT=$BUILT/gpu" "CROSS_COMPILE=$(cross_prefix "$GUEST_ARCH")" \
	"KSRC=$RANCHU_CACHE/linux-source"
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" "$TRANSPORT" \
	virtio_blk crc32c_generic ext4 -- "$BUILT/gl/virgl_relay" "$BUILT/gpu/gl_guest" \
	tools/ci/virpipe-in-guest tools/ci/mesa-lib.sh
cp "$BUILT/gl/virgl_confine" "$BUILT/gl/virgl_probe" "$BUILT/gl/virgl_ring" "$OVERLAY/bin/"

# Host and guest have Mesa on one disk, and the host its server.
rm -rf "$MESA" "$MESA.image"
tools/lab/program.sh "$MESA" virgl_test_server libGLESv2.so.2 libEGL.so.1 libEGL_mesa.so.0 \
	swrast_dri.so 50_mesa.json
/sbin/mke2fs -q -t ext4 -d "$MESA" -E root_owner=0:0 "$MESA.image" \
	"$(($(du -sm "$MESA" | cut -f 1) * 9 / 8 + 16))M"
mv "$MESA.image" "$OVERLAY/ranchu/mesa"

cp tools/ci/host-lib.sh tools/ci/mesa-lib.sh tools/ci/virpipe-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --mem 6G --timeout 1500 --overlay "$OVERLAY" -- \
	sh /ranchu/virpipe-in-host.sh
