#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The disks' benchmark inside the emulated host (busybox's sh): an image in memory by the
# kernel, and one like it by vmmctl, in one guest; by QEMU's ways in another. Prints what
# the guests print, and vmmctl's snapshots:
#
#	BLK-STATS <a line of JSON>
cd /bench || exit 2
. ./host-lib.sh
ROUNDS=${1:-2}
# The first disk's InterruptStatus; by PCI nobody reads it.
REGISTER=
[ "$(uname -m)" = x86_64 ] || REGISTER=0a003e60

# watch: shows what the guest prints, which has to say that all went well.
watch() {
	tr -d '\r' | tee /tmp/console
	grep -q 'GUEST-EXIT: 0' /tmp/console || touch /tmp/failed
}

insmod ranchu.ko && insmod vhost_ranchu_blk.ko || exit 1
rm -f /tmp/failed
head -c 67108864 /dev/urandom > /tmp/image
# No VM takes one image twice.
cp /tmp/image /tmp/image-user

vmmctl run --random-seed off --kernel Image --initrd guest.cpio --cpus 1 --memory 512M --no-reboot \
	--append "$linux_args iomem=relaxed ranchu.run=\"guest-load && blk_guest $ROUNDS $REGISTER\"" \
	--pipe none --disk /tmp/image,direct --disk /tmp/image-user,direct,served=user \
	--stats=/tmp/stats --stats-at BLK-MARK </dev/null 2>&1 | watch
sed 's/^/BLK-STATS /' /tmp/stats

# disk NAME AIO POLL: words for QEMU.
disk() {
	echo "-object iothread,id=io$1,poll-max-ns=$3" \
		"-drive if=none,id=$1,file=/tmp/image,format=raw,cache=none,aio=$2,file.locking=off" \
		"-device virtio-blk-pci,drive=$1,iothread=io$1,serial=$1"
}

# shellcheck disable=SC2046,SC2086 # lists of words
$qemu -cpu host -accel kvm -nodefaults \
	-display none -smp 1 -m 512M -kernel Image -initrd guest.cpio -no-reboot \
	-append "$linux_args ranchu.run=\"guest-load && blk_guest $ROUNDS\"" \
	-serial stdio $(disk native native 32768) $(disk native-nopoll native 0) \
	$(disk threads threads 0) $(disk io_uring io_uring 0) </dev/null 2>&1 | watch
[ ! -e /tmp/failed ]
