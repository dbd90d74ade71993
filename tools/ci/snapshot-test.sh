#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests snapshots: a stock Linux guest with pipes, a disk and Debian's adbd is saved on
# an emulated host and goes on in other vmmctl processes: KTAP on standard output.
#
#	tools/ci/snapshot-test.sh [arm64|arm64-gicv2|arm64-16k|x86_64] [--kills|--load|--net] [--shell]
#
# --kills does not test what goes on, but kills programs at random moments; --load tests snapshots
# that are loaded into the VM while it runs; --net tests a guest with a network interface.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
host_options "${1:-arm64}"
[ $# -eq 0 ] || shift
SCRIPT=snapshot-in-host.sh
DRIVERS=(virtio_blk)
PROGRAMS=(tools/ci/snapshot-in-guest)
DMA=
case ${1:-} in
--kills | --load | --net)
	SCRIPT=snapshot-${1#--}-in-host.sh
	[ "$1" != --net ] || DMA=$RANCHU_BUILD/guest/$GUEST_ARCH/goldfish_dma.ko
	shift
	;;
esac
OVERLAY=$RANCHU_BUILD/lab/overlay-snapshot-$HOST
PEER=$RANCHU_BUILD/$GUEST_ARCH/vsock/vsock_peer
run=(tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 2400 --mem 3G --overlay "$OVERLAY")

tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
build_alone make -s -C tools/testing/vsock "OUTPUT=${PEER%/*}" \
	"CROSS_COMPILE=$(cross_prefix "$GUEST_ARCH")"
tools/lab/program.sh "$OVERLAY" adb mkfs.xfs
if [ -n "$DMA" ]; then
	tools/lab/guest-module.sh "$DMA" tools/testing/selftests/ranchu/guest/goldfish_dma.c
	DRIVERS+=(virtio_net)
	PROGRAMS+=(tools/ci/net-in-guest "$DMA")
fi
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" "$TRANSPORT" "${DRIVERS[@]}" \
	-- "${PROGRAMS[@]}"
tools/lab/guest-vsock.sh "$OVERLAY/ranchu/guest/initrd.cpio" --adbd "$PEER"
cp tools/ci/host-lib.sh tools/ci/snapshot-lib.sh "tools/ci/$SCRIPT" "$OVERLAY/ranchu/"

if [ "${1:-}" = --shell ]; then
	say "the tests: sh /ranchu/$SCRIPT"
	exec "${run[@]}" --shell
fi
exec "${run[@]}" -- sh "/ranchu/$SCRIPT"
