#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests a virtio-gpu that ranchu-gpu serves, with a stock guest's driver: pixels, cursor,
# exits a frame, and what becomes of a VM whose ranchu-gpu is killed; then the same device
# with virglrenderer, and Debian's Mesa in the guest. On an emulated host: KTAP on standard
# output.
#
#	tools/ci/gpu-test.sh [arm64|x86_64]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options "${1:-arm64}"
OVERLAY=$RANCHU_BUILD/lab/overlay-gpu-$HOST
BUILT=$RANCHU_BUILD/$GUEST_ARCH
MESA=$RANCHU_BUILD/lab/mesa-$GUEST_ARCH

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
make -s -C tools/testing/gpu "OUTPUT=$BUILT/gpu" "CROSS_COMPILE=$(cross_prefix "$GUEST_ARCH")" \
	"KSRC=$RANCHU_CACHE/linux-source"
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" "$TRANSPORT" virtio-gpu \
	virtio_blk crc32c_generic ext4 -- "$BUILT/gpu/gpu_guest" "$BUILT/gpu/gl_guest" \
	tools/ci/gpu-in-guest tools/ci/gl-in-guest tools/ci/mesa-lib.sh
cp "$BUILT/gpu/gpu_guest" "$BUILT/ranchu-gpu/ranchu-gpu" "$OVERLAY/bin/"

# Host and guest have Mesa and virglrenderer on one disk.
libraries=()
[ "$GUEST_ARCH" = "$(kernel_arch "$(uname -m)")" ] ||
	libraries=("LIBRARIES_DIR=$RANCHU_CACHE/libraries-$GUEST_ARCH")
make -s -C userspace/ranchu-gpu "O=$BUILT/ranchu-gpu-dynamic" STATIC= \
	"CROSS_COMPILE=$(cross_prefix "$GUEST_ARCH")" ${libraries[@]+"${libraries[@]}"}
cp "$BUILT/ranchu-gpu-dynamic/ranchu-gpu" "$OVERLAY/bin/ranchu-gpu-dynamic"
rm -rf "$MESA" "$MESA.image"
tools/lab/program.sh "$MESA" libvirglrenderer.so.1 libEGL.so.1 libEGL_mesa.so.0 \
	libOpenGL.so.0 swrast_dri.so virtio_gpu_dri.so 50_mesa.json
# A program of this machine's architecture is linked with its libseccomp as well.
if ldd "$OVERLAY/bin/ranchu-gpu-dynamic" 2>/dev/null | grep -q seccomp; then
	cp -L "$(ldd "$OVERLAY/bin/ranchu-gpu-dynamic" | sed -n 's/.*seccomp.* => \([^ ]*\).*/\1/p')" \
		"$MESA/usr/lib/"
fi
/sbin/mke2fs -q -t ext4 -d "$MESA" -E root_owner=0:0 "$MESA.image" \
	"$(($(du -sm "$MESA" | cut -f 1) * 9 / 8 + 16))M"
mv "$MESA.image" "$OVERLAY/ranchu/mesa"

cp tools/ci/host-lib.sh tools/ci/screen-lib.sh tools/ci/mesa-lib.sh tools/ci/gpu-in-host.sh \
	"$OVERLAY/ranchu/"
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --mem 6G --timeout 1500 --overlay "$OVERLAY" -- \
	sh /ranchu/gpu-in-host.sh
