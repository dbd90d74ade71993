#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The host's part of blk-root-test.sh (busybox's sh).
set -u

. /ranchu/host-lib.sh

# root COMMAND OPTION...: from the disk, which has to be the last one.
root() {
	command=$1
	shift
	vmmctl run --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio \
		--memory 512M --cpus 2 --no-reboot "$@" \
		--append "$linux_args ranchu.root=/dev/vda ranchu.run=\"$command\"" \
		</dev/null 2>&1 | tr -d '\r' > "$console"
}

load_modules
echo "1..4"
for image in file loop user; do
	truncate -s 8M "/tmp/$image"
done
losetup /dev/loop0 /tmp/loop

root "blk-root-in-guest where && blk-root-in-guest fio vdb vdc vdd" \
	--disk /tmp/file,queues=2,fstab=vendor --disk /dev/loop0,direct \
	--disk /tmp/user,served=user --disk /ranchu/guest/root,fstab=system
# The first disk is at the highest transport, and the last that Linux finds.
printed '^root is /dev/vda, ext4$' && printed '^system is on vda$' && printed '^vendor is on vdd$' &&
	printed '^vendor is /dev/block/platform/a003e00.virtio_mmio/by-name/vendor$'
result root_is_a_disk $?
printed '^FIO-DONE randrw$' && printed '^FIO-DONE randtrimwrite$' && printed '^GUEST-EXIT: 0$' &&
	! printed GUEST-SPLAT
result fio_verifies $?

root "blk-root-in-guest fio vdb vdc vdd" --virtio-packed on \
	--disk /tmp/file --disk /dev/loop0 --disk /tmp/user,direct,served=user,queues=2 \
	--disk /ranchu/guest/root,served=user
printed '^FIO-DONE randrw$' && printed '^FIO-DONE randtrimwrite$' && printed '^GUEST-EXIT: 0$' &&
	! printed GUEST-SPLAT
result fio_verifies_packed $?

losetup -d /dev/loop0
unload_modules
result modules_go $?
[ "$failed" -eq 0 ]
