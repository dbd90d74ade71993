#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the x86_64 board with stock kernels of several releases, and with CPUs, RAM and
# ways to interrupt of several kinds, on an emulated x86_64 host: KTAP on standard output.
#
#	tools/ci/x86-guests-test.sh [ROW]...	all rows of x86-guests-in-host.sh, or some
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

KERNELS="6.1 6.1-rt 6.12-cloud"
MODULES="virtio_pci virtio_blk crc32c_generic ext4"

host_options x86_64
cd "$RANCHU_TOP"
OVERLAY=$RANCHU_BUILD/lab/overlay-x86-guests
tools/lab/host-overlay.sh "$GUEST_ARCH" "$OVERLAY" --guest
# shellcheck disable=SC2086 # lists of words
tools/lab/guest-kernels.sh $KERNELS
for kernel in $KERNELS; do
	mkdir -p "$OVERLAY/ranchu/guest/$kernel"
	cp -L "$RANCHU_CACHE/guests/$kernel/vmlinuz" "$OVERLAY/ranchu/guest/$kernel/Image"
	tools/lab/guest-initrd.sh "$OVERLAY/ranchu/guest/$kernel/initrd.cpio"
	# shellcheck disable=SC2086 # a list of words
	GUEST_MODULES=$RANCHU_CACHE/guests/$kernel/modules tools/lab/guest-modules.sh \
		"$OVERLAY/ranchu/guest/$kernel/initrd.cpio" $MODULES -- tools/ci/blk-in-guest
done
# shellcheck disable=SC2086 # a list of words
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" $MODULES -- tools/ci/blk-in-guest
cp tools/ci/host-lib.sh tools/ci/x86-guests-in-host.sh "$OVERLAY/ranchu/"
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 2400 --overlay "$OVERLAY" -- \
	sh /ranchu/x86-guests-in-host.sh "$@"
