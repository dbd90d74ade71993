#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests virtio devices in a stock Linux guest that others than our modules serve:
# Linux' vhost-net and vhost-scsi; Debian's qemu-storage-daemon, virtiofsd and passt, and a
# program over QEMU's libvhost-user, by vhost-user, and the first of them as a vDPA device.
# On an emulated host: KTAP on standard output.
#
#	tools/ci/net-test.sh PART [arm64|arm64-16k|x86_64]
#		PART is net: vhost-net; scsi: vhost-scsi; or user: processes, iperf3
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

PART=${1:-}
host_options "${2:-arm64}"
OVERLAY=$RANCHU_BUILD/lab/overlay-net-$PART-$HOST

[ -e "$RANCHU_TOP/tools/ci/$PART-in-host.sh" ] || die "usage: net-test.sh net|scsi|user [HOST]"

cd "$RANCHU_TOP"
tools/lab/host-overlay.sh "$HOST" "$OVERLAY" --guest
MODULES=(virtio_net virtio_blk virtio-rng vmw_vsock_virtio_transport)
[ "$PART" != scsi ] || MODULES=(virtio_pci virtio_scsi sd_mod)
if [ "$PART" = user ]; then
	tools/lab/program.sh "$OVERLAY" iperf3 qemu-img qemu-storage-daemon virtiofsd passt vdpa
	# Debian has no program that serves random numbers.
	libvhost=$(tools/lab/libvhost.sh)
	make -s -C tools/testing/vhost_user "CROSS_COMPILE=$(cross_prefix "$GUEST_ARCH")" \
		"LIBVHOST=$libvhost" "OUTPUT=$RANCHU_BUILD/$GUEST_ARCH/vhost_user"
	cp "$RANCHU_BUILD/$GUEST_ARCH/vhost_user/vhost_user_rng" tools/lab/host-passt "$OVERLAY/bin/"
fi
tools/lab/guest-modules.sh "$OVERLAY/ranchu/guest/initrd.cpio" \
	"$TRANSPORT" "${MODULES[@]}" crc32c_generic ext4 -- tools/ci/net-in-guest iperf3
cp tools/ci/host-lib.sh tools/ci/net-lib.sh tools/ci/user-lib.sh "tools/ci/$PART-in-host.sh" \
	"$OVERLAY/ranchu/"
exec tools/lab/run.sh "${HOST_OPTIONS[@]}" --timeout 1500 --overlay "$OVERLAY" -- \
	sh "/ranchu/$PART-in-host.sh"
