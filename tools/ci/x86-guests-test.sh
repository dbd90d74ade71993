#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the x86_64 board with stock kernels of several releases, and with CPUs, RAM and
# ways to interrupt of several kinds, on an emulated x86_64 host: KTAP on standard output.
#
#	tools/ci/x86-guests-test.sh [ROW]...	all rows of x86-guests-in-host.sh, or some
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

KERNELS="6.1 6.1-rt 6.1-cloud 6.12-cloud"
MODULES="virtio_pci virtio_blk crc32c_generic ext4"

# number FILE OFFSET BYTES: little-endian.
number() {
	od -An "-tu$3" -j "$2" -N "$3" "$1" | tr -d ' '
}

# vmlinux BZIMAGE FILE: the ELF file that BZIMAGE has inside, compressed by xz.
#
# Source: Linux 6.12 Documentation/arch/x86/boot.rst: setup_sects, payload_offset and
# payload_length.
vmlinux() {
	local at

	at=$((($(number "$1" 497 1) + 1) * 512 + $(number "$1" 584 4)))
	dd "if=$1" bs=1M iflag=skip_bytes,count_bytes "skip=$at" "count=$(number "$1" 588 4)" \
		status=none | xz -dc --single-stream > "$2" ||
		die "$1 has nothing inside that xz can unpack"
}

host_options x86_64
cd "$RANCHU_TOP"
OVERLAY=$RANCHU_BUILD/lab/overlay-x86-guests
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
# shellcheck disable=SC2086 # lists of words
tools/lab/guest-kernels.sh $KERNELS
for kernel in $KERNELS; do
	mkdir -p "$OVERLAY/ranchu/guest/$kernel"
	cp -L "$RANCHU_CACHE/guests/$kernel/vmlinuz" "$OVERLAY/ranchu/guest/$kernel/Image"
	GUEST_KDIR=$RANCHU_CACHE/guests/$kernel/kdir tools/lab/guest-initrd.sh \
		"$OVERLAY/ranchu/guest/$kernel/initrd.cpio" \
		"$RANCHU_BUILD/$GUEST_ARCH/selftests/pipe_guest"
	# shellcheck disable=SC2086 # a list of words
	GUEST_MODULES=$RANCHU_CACHE/guests/$kernel/modules tools/lab/guest-modules.sh \
		"$OVERLAY/ranchu/guest/$kernel/initrd.cpio" $MODULES -- tools/ci/blk-in-guest
done
mkdir "$OVERLAY/ranchu/guest/6.1-vmlinux"
cp "$OVERLAY/ranchu/guest/6.1/initrd.cpio" "$OVERLAY/ranchu/guest/6.1-vmlinux/"
vmlinux "$RANCHU_CACHE/guests/6.1/vmlinuz" "$OVERLAY/ranchu/guest/6.1-vmlinux/Image"
# shellcheck disable=SC2086 # a list of words
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" $MODULES -- tools/ci/blk-in-guest
cp tools/ci/host-lib.sh tools/ci/x86-guests-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 2400 --overlay "$OVERLAY" -- \
	sh /ranchu/x86-guests-in-host.sh "$@"
