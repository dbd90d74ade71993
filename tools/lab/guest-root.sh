#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Makes the image of a disk that guest-init has a guest's root on: an ext4 file
# system with what is in DIR, busybox, the stock goldfish_pipe.ko, guest-init, and
# the given programs, in /bin. The guest's archive needs the modules virtio_mmio (arm64)
# or virtio_pci (x86_64), virtio_blk, crc32c_generic and ext4 (guest-modules.sh). GUEST_ARCH is as for
# guest-initrd.sh.
#
#	tools/lab/guest-root.sh IMAGE DIR [PROGRAM]...
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# -ge 2 ] || die "usage: guest-root.sh IMAGE DIR [PROGRAM]..."
IMAGE=$1
DIR=$2
shift 2

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage"/{bin,sbin,dev,proc,sys,tmp,root}
cp -a "$DIR/." "$stage/"
cp "$(readlink -f "$RANCHU_CACHE/busybox-${GUEST_ARCH:-arm64}")" "$stage/bin/busybox"
install -m 755 "$RANCHU_TOP/tools/lab/guest-init" "$stage/init"
"$RANCHU_TOP/tools/lab/guest-module.sh" "$stage/goldfish_pipe.ko"
[ $# -eq 0 ] || install -m 755 "$@" "$stage/bin/"

used=$(du -sm "$stage" | cut -f 1)
rm -f "$IMAGE"
/sbin/mke2fs -q -t ext4 -d "$stage" -E root_owner=0:0 "$IMAGE" "$((used + used / 8 + 16))M"
