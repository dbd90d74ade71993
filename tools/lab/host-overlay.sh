#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds what the emulated host HOST, as run.sh calls it, needs of ours and lays it out
# in DIR, for run.sh's --overlay:
#
#	/ranchu/modules/	our modules; "order" names them in load order
#	/ranchu/tests/		the kselftests; on x86_64 the board's own tests with KVM, too
#	/bin/vmmctl		the controller
#	/ranchu/guest/		Image, initrd.cpio: the stock guest (--guest); an x86_64
#				host's Image is a bzImage
#
# The modules are built for the host's kernel, or come from the directory where
# modules.sh has built them for another one. With --guest-only there are a guest and no
# tests, and nothing is built that is not laid out.
#
#	tools/lab/host-overlay.sh HOST DIR [--guest|--guest-only] [--modules BUILT]
set -euo pipefail
. "$(dirname "$0")/lib.sh"

USAGE="usage: host-overlay.sh HOST DIR [--guest|--guest-only] [--modules BUILT]"
[ $# -ge 2 ] || die "$USAGE"
HOST_KERNEL=$(host_kernel "$1")
ARCH=$(kernel_arch "${1%-*}")
DIR=$2
shift 2
GUEST=0
TESTS=1
B=$RANCHU_BUILD/$ARCH
MODULES=
while [ $# -gt 0 ]; do
	case $1 in
	--guest) GUEST=1 ;;
	--guest-only) GUEST=1; TESTS=0 ;;
	--modules) MODULES=$2; shift ;;
	*) die "$USAGE" ;;
	esac
	shift
done

# host_modules: for a kernel that is not the lab's own.
host_modules() {
	local kernel=$RANCHU_CACHE/kernels/$HOST_KERNEL

	"$RANCHU_TOP/tools/lab/kernels.sh" boot "$HOST_KERNEL"
	MODULES=$B/modules-$HOST_KERNEL
	build_alone "$RANCHU_TOP/tools/ci/modules.sh" "$ARCH" "$kernel/kdir-$ARCH" "$MODULES" \
		"CC=$kernel/cc-$ARCH"
}

[ -n "$MODULES" ] || [ -z "$HOST_KERNEL" ] || host_modules
# For Debian's kernel, which is what the host runs, whatever this machine has.
# Static, because a host has busybox and nothing else.
targets=(vmmctl guest-program)
[ "$TESTS" -eq 0 ] || targets+=(userspace selftests)
[ -n "$MODULES" ] || targets+=(modules)
[ "$ARCH $TESTS" != "x86_64 1" ] || targets+=(kvm-test)
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
if [ "$TESTS" -eq 1 ]; then
	find "$B/selftests" -maxdepth 1 -type f -perm -u+x -exec cp {} "$DIR/ranchu/tests/" \;
	if [ "$ARCH" = x86_64 ]; then
		for test in board save run; do
			cp "$B/vmmctl/tests/kvm/${test}_test" "$DIR/ranchu/tests/kvm_${test}_test"
		done
	fi
fi

if [ "$GUEST" -eq 1 ]; then
	mkdir -p "$DIR/ranchu/guest"
	cp "$RANCHU_CACHE/vmlinuz-$ARCH" "$DIR/ranchu/guest/Image"
	GUEST_ARCH=$ARCH "$RANCHU_TOP/tools/lab/guest-initrd.sh" \
		"$DIR/ranchu/guest/initrd.cpio" "$B/selftests/pipe_guest"
fi
