#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds what an emulated host of ARCH needs of ours and lays it out in DIR,
# for run.sh's --overlay:
#
#	/ranchu/modules/	our modules; "order" names them in load order
#	/ranchu/tests/		the kselftests; on x86_64 the board's own tests with KVM, too
#	/bin/vmmctl		the controller
#	/ranchu/guest/		Image, initrd.cpio: the stock guest (--guest); an x86_64
#				host's Image is a bzImage
#
# The modules are built for Debian's kernel, or come from the directory where
# modules.sh has built them for another one.
#
#	tools/lab/host-overlay.sh ARCH DIR [--guest] [--modules BUILT]
set -euo pipefail
. "$(dirname "$0")/lib.sh"

USAGE="usage: host-overlay.sh ARCH DIR [--guest] [--modules BUILT]"
[ $# -ge 2 ] || die "$USAGE"
ARCH=$(kernel_arch "$1")
DIR=$2
shift 2
GUEST=0
B=$RANCHU_BUILD/$ARCH
MODULES=
while [ $# -gt 0 ]; do
	case $1 in
	--guest) GUEST=1 ;;
	--modules) MODULES=$2; shift ;;
	*) die "$USAGE" ;;
	esac
	shift
done

# For Debian's kernel, which is what the host runs, whatever this machine has.
# Static, because a host has busybox and nothing else.
targets=(userspace selftests)
[ -n "$MODULES" ] || targets+=(modules)
[ "$ARCH" != x86_64 ] || targets+=(kvm-test)
build_alone make -s -C "$RANCHU_TOP" "ARCH=$ARCH" "KDIR=$RANCHU_CACHE/kdir-$ARCH" STATIC=-static \
	"${targets[@]}"
MODULES=${MODULES:-$B/modules}

rm -rf "$DIR"
mkdir -p "$DIR/bin" "$DIR/ranchu/modules" "$DIR/ranchu/tests"
# The one list of modules is what Kbuild has built, in its order.
while read -r object; do
	[[ $object = /* ]] || object=$MODULES/$object
	# Older kernels name the modules there, newer ones the objects they are made of.
	object=${object%.*o}
	cp "$object.ko" "$DIR/ranchu/modules/"
	basename "$object" >> "$DIR/ranchu/modules/order"
done < "$MODULES/modules.order"
cp "$B/vmmctl/vmmctl" "$DIR/bin/"
find "$B/selftests" -maxdepth 1 -type f -perm -u+x -exec cp {} "$DIR/ranchu/tests/" \;
[ "$ARCH" != x86_64 ] || cp "$B/vmmctl/tests/kvm/board_test" "$DIR/ranchu/tests/kvm_board_test"

if [ "$GUEST" -eq 1 ]; then
	mkdir -p "$DIR/ranchu/guest"
	cp "$RANCHU_CACHE/vmlinuz-$ARCH" "$DIR/ranchu/guest/Image"
	GUEST_ARCH=$ARCH "$RANCHU_TOP/tools/lab/guest-initrd.sh" \
		"$DIR/ranchu/guest/initrd.cpio" "$B/selftests/pipe_guest"
fi
