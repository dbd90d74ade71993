#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The host's part of blk-root-test.sh (busybox's sh).
set -u

. /ranchu/host-lib.sh

# root COMMAND OPTION...: from the disk, which has to be the last one. The other disks are
# vdb, vdc and vdd, beginning with the last.
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

# Behind PCI the user says where Android is to look, because slots have no other name.
case $arch in
x86_64)
	vendor=/dev/block/pci/pci0000:00/0000:00:06.0/by-name/vendor
	set -- ",slot=6" ",slot=3" --fstab-vendor $vendor \
		--fstab-system /dev/block/pci/pci0000:00/0000:00:03.0/by-name/system
	;;
*)
	vendor=/dev/block/platform/a003e00.virtio_mmio/by-name/vendor
	set -- ",fstab=vendor" ",fstab=system"
	;;
esac
on_vendor=$1 on_system=$2
shift 2
root "blk-root-in-guest where && blk-root-in-guest fio vdb vdc vdd" "$@" \
	--disk "/tmp/file,queues=2$on_vendor" --disk "/dev/loop0,direct$(at 5)" \
	--disk "/tmp/user,served=user$(at 4)" --disk "/ranchu/guest/root$on_system"
printed '^root is /dev/vda, ext4$' && printed '^system is on vda$' && printed '^vendor is on vdd$' &&
	printed "^vendor is $vendor\$"
result root_is_a_disk $?
printed '^FIO-DONE randrw$' && printed '^FIO-DONE randtrimwrite$' && printed '^GUEST-EXIT: 0$' &&
	! printed GUEST-SPLAT
result fio_verifies $?

root "blk-root-in-guest fio vdb vdc vdd" --virtio-packed on \
	--disk "/tmp/file$(at 6)" --disk "/dev/loop0$(at 5)" \
	--disk "/tmp/user,direct,served=user,queues=2$(at 4)" \
	--disk "/ranchu/guest/root,served=user$(at 3)"
printed '^FIO-DONE randrw$' && printed '^FIO-DONE randtrimwrite$' && printed '^GUEST-EXIT: 0$' &&
	! printed GUEST-SPLAT
result fio_verifies_packed $?

losetup -d /dev/loop0
unload_modules
result modules_go $?
[ "$failed" -eq 0 ]
