#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds what an emulated host of ARCH needs of ours and lays it out in DIR,
# for run.sh's --overlay:
#
#	/ranchu/modules/	ranchu.ko, vhost_goldfish_pipe.ko
#	/ranchu/tests/		the kselftests
#	/bin/vmmctl		the controller
#	/ranchu/guest/		Image, initrd.cpio: the stock guest (--guest)
#
#	tools/lab/host-overlay.sh ARCH DIR [--guest]
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# -ge 2 ] || die "usage: host-overlay.sh ARCH DIR [--guest]"
ARCH=$(kernel_arch "$1")
DIR=$2
GUEST=${3:-}
B=$RANCHU_BUILD/$ARCH

# For Debian's kernel, which is what the host runs, whatever this machine has.
# Static, because a host has busybox and nothing else.
make -s -C "$RANCHU_TOP" "ARCH=$ARCH" "KDIR=$RANCHU_CACHE/kdir-$ARCH" STATIC=-static \
	modules userspace selftests

rm -rf "$DIR"
mkdir -p "$DIR/bin" "$DIR/ranchu/modules" "$DIR/ranchu/tests"
cp "$B/modules/drivers/virt/ranchu/ranchu.ko" \
	"$B/modules/drivers/vhost/vhost_goldfish_pipe.ko" "$DIR/ranchu/modules/"
cp "$B/vmmctl/vmmctl" "$DIR/bin/"
find "$B/selftests" -maxdepth 1 -type f -perm -u+x -exec cp {} "$DIR/ranchu/tests/" \;

if [ "$GUEST" = --guest ]; then
	mkdir -p "$DIR/ranchu/guest"
	cp "$RANCHU_CACHE/vmlinuz-arm64" "$DIR/ranchu/guest/Image"
	"$RANCHU_TOP/tools/lab/guest-initrd.sh" "$DIR/ranchu/guest/initrd.cpio" \
		"$RANCHU_BUILD/arm64/selftests/pipe_guest"
fi
