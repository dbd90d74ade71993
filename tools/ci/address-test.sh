#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the goldfish address space with a guest's driver of our own, because mainline has
# none, and a program that serves it, in an emulated host: KTAP on standard output. On arm64
# the board is the second one, which has a PCI bus.
#
#	tools/ci/address-test.sh [arm64|arm64-16k|x86_64]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options "${1:-arm64}"
OVERLAY=$RANCHU_BUILD/lab/overlay-address-$HOST
PROGRAMS=$RANCHU_BUILD/$GUEST_ARCH/goldfish

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
make -s -C tools/testing/goldfish "OUTPUT=$PROGRAMS" "CROSS_COMPILE=$(cross_prefix "$GUEST_ARCH")"
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" \
	tools/testing/goldfish/address_driver.c -- tools/ci/address-in-guest \
	"$PROGRAMS/address_guest"
cp tools/ci/host-lib.sh tools/ci/address-in-host.sh "$PROGRAMS/address_service" \
	"$OVERLAY/ranchu/"
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 900 --overlay "$OVERLAY" -- \
	sh /ranchu/address-in-host.sh
