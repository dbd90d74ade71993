#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests adb: Debian's own adb on an emulated host, Debian's own adbd in a stock
# guest, and vhost_vsock_adb.ko between them. KTAP on standard output.
#
#	tools/ci/adb-test.sh [arm64|arm64-16k|x86_64 [--shell]]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

host_options "${1:-arm64}"
[ $# -eq 0 ] || shift
OVERLAY=$RANCHU_BUILD/lab/overlay-adb-$HOST
PEER=$RANCHU_BUILD/$GUEST_ARCH/vsock/vsock_peer
run=(tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 2400 --mem 3G --overlay "$OVERLAY")

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
build_alone make -s -C tools/testing/vsock "OUTPUT=${PEER%/*}" \
	"CROSS_COMPILE=$(cross_prefix "$GUEST_ARCH")"
tools/lab/program.sh "$OVERLAY" adb
tools/lab/guest-vsock.sh "$OVERLAY/ranchu/guest/initrd.cpio" --adbd "$PEER"
cp "$PEER" "$OVERLAY/bin/"
cp tools/ci/host-lib.sh tools/ci/adb-in-host.sh "$OVERLAY/ranchu/"

if [ "${1:-}" = --shell ]; then
	say "the tests: sh /ranchu/adb-in-host.sh"
	exec "${run[@]}" --shell
fi
exec "${run[@]}" -- sh /ranchu/adb-in-host.sh
