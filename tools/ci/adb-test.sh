#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests adb: Debian's own adb on an emulated arm64 host, Debian's own adbd in a stock
# guest, and vhost_vsock_adb.ko between them. KTAP on standard output.
#
#	tools/ci/adb-test.sh [--shell]
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
OVERLAY=$RANCHU_BUILD/lab/overlay-adb
PEER=$RANCHU_BUILD/arm64/vsock/vsock_peer
run=(tools/lab/run.sh --host arm64 --timeout 1800 --mem 3G --overlay "$OVERLAY")

tools/lab/host-overlay.sh arm64 "$OVERLAY" --guest
build_alone make -s -C tools/testing/vsock "OUTPUT=${PEER%/*}" "CROSS_COMPILE=$(cross_prefix arm64)"
tools/lab/program.sh "$OVERLAY" adb
tools/lab/guest-vsock.sh "$OVERLAY/ranchu/guest/initrd.cpio" --adbd "$PEER"
cp "$PEER" "$OVERLAY/bin/"
cp tools/ci/host-lib.sh tools/ci/adb-in-host.sh "$OVERLAY/ranchu/"

if [ "${1:-}" = --shell ]; then
	say "the tests: sh /ranchu/adb-in-host.sh"
	exec "${run[@]}" --shell
fi
exec "${run[@]}" -- sh /ranchu/adb-in-host.sh
