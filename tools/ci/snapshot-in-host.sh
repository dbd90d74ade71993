#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The snapshot test's part inside the host (busybox's sh).
set -u

. /ranchu/host-lib.sh
. /ranchu/snapshot-lib.sh

# asks SERIAL NAME: what the guest's loop answers.
asks() {
	adb -s "$1" shell "rm -f /tmp/answer/$2; : > /tmp/ask/$2" > /dev/null 2>&1
	tries=60
	while [ $tries -gt 0 ]; do
		adb -s "$1" shell "cat /tmp/answer/$2" > /tmp/answer 2>/dev/null && break
		tries=$((tries - 1))
		sleep 0.5
	done
	cat /tmp/answer
}

# says WANT COMMAND...
says() {
	want=$1
	shift
	got=$("$@" 2>/dev/null | tr -d '\r')
	[ "$got" = "$want" ] || { echo "# '$*' said '$got', not '$want'"; return 1; }
}

# text_in FILE: where the guest writes to its disk.
text_in() {
	dd if="$1" bs=512 skip=8 count=1 2>/dev/null | head -c 11
}

boot_of() {
	adb -s "$1" shell cat /proc/sys/kernel/random/boot_id 2>/dev/null | tr -d '\r'
}

load_modules
adb start-server 2>/dev/null
echo "1..32"

# Nothing in it can be left out of a copy.
head -c 33554432 /dev/urandom > /tmp/disk
head -c 1048576 /dev/zero > /tmp/read-only
# Relative paths are those of the directory where vmmctl was started.
cd /ranchu
start one --kernel guest/Image --initrd guest/initrd.cpio --memory 400M --cpus 2 \
	--append "$linux_args ranchu.run=snapshot-in-guest" --vsock 42 \
	--disk /tmp/disk --disk /tmp/read-only,readonly=on
cd /
one=$pid
began=$(cut -d ' ' -f 1 /proc/uptime)
device emulator-5554 && says written asks emulator-5554 disk_write
rc=$?
echo "# booted and answering adb after $began to $(cut -d ' ' -f 1 /proc/uptime) s"
result the_guest_boots $rc

boot=$(boot_of emulator-5554)
tick=$(tick_of emulator-5554)
vmmctl snapshot save one /tmp/snap > /tmp/save 2>&1
rc=$?
sed 's/^/# /' /tmp/save
ls -ls /tmp/snap 2>/dev/null | sed 's/^/# /'
[ $rc -eq 0 ]
result it_is_saved $?

vmmctl snapshot check /tmp/snap > /tmp/checked 2>&1
result the_snapshot_is_whole $?

[ "$(vmmctl status one | sed -n 's/.*"status": "\(.*\)".*/\1/p')" = running ] &&
	later emulator-5554 $((tick + 1)) && says "written before, written after" \
		asks emulator-5554 pingpong && says open asks emulator-5554 throttle
result the_guest_goes_on_after_it_was_saved $?

# What it writes from now on is in no snapshot.
says written asks emulator-5554 disk_later
rc=$?
ends "$one"
gone emulator-5554
sum=$(md5sum < /tmp/disk)
[ $rc -eq 0 ] && says "put later.." text_in /tmp/disk && says "on the disk" text_in /tmp/snap/disk-0
result a_snapshot_has_the_disk_of_its_moment $?

began=$(cut -d ' ' -f 1 /proc/uptime)
start two --from /tmp/snap
two=$pid
device emulator-5554
rc=$?
echo "# loaded and answering adb after $began to $(cut -d ' ' -f 1 /proc/uptime) s"
[ $rc -eq 0 ] && later emulator-5554 "$tick" && says "$boot" boot_of emulator-5554
result it_goes_on_in_another_process $?

says "written before, written after" asks emulator-5554 pingpong
result a_pipe_has_what_was_written_before $?

says closed asks emulator-5554 throttle && says fresh asks emulator-5554 fresh
result a_pipe_that_is_not_saved_is_closed $?

# There are no reflinks on a tmpfs.
says "on the disk" asks emulator-5554 disk_read &&
	says written asks emulator-5554 disk_later &&
	says "put later.." asks emulator-5554 disk_read &&
	grep -q "/tmp/disk is not as it was:" /tmp/vm-two &&
	grep -q "with an overlay in" /tmp/vm-two
result the_disk $?

vmmctl snapshot save two /tmp/snap-2 > /tmp/save 2>&1 && vmmctl snapshot check /tmp/snap-2 \
	> /tmp/checked 2>&1 && says "put later.." text_in /tmp/snap-2/disk-0
rc=$?
sed 's/^/# /' /tmp/save
[ $rc -eq 0 ]
result it_is_saved_again $?

ends "$two"
gone emulator-5554

# ---- a disk goes on a second time, in clones that write ----

# writes SERIAL TEXT: to the disk, and it reads that.
writes() {
	adb -s "$1" shell "printf '%s' '$2' > /tmp/text" && says written asks "$1" disk_mark &&
		says "$2" asks "$1" disk_read
}

start left --from /tmp/snap --clone
left=$pid
start right --from /tmp/snap --clone
right=$pid
device emulator-5554 && device emulator-5556 &&
	says "on the disk" asks emulator-5554 disk_read &&
	says "on the disk" asks emulator-5556 disk_read &&
	writes emulator-5554 "of the left" && writes emulator-5556 "of right..." &&
	says "of the left" asks emulator-5554 disk_read &&
	[ "$(vmmctl stats left | tr ',' '\n' | grep -c overlay_bytes)" -eq 1 ]
rc=$?

# One of them goes back, with an empty overlay, which it fills again.
vmmctl snapshot load left /tmp/snap && answers emulator-5554 &&
	says "on the disk" asks emulator-5554 disk_read &&
	writes emulator-5554 "left again." &&
	says "of right..." asks emulator-5556 disk_read
result a_clone_with_an_overlay_goes_back $?
ends "$left"
ends "$right"
gone emulator-5554
gone emulator-5556
[ $rc -eq 0 ] && vmmctl snapshot check /tmp/snap > /tmp/checked 2>&1 &&
	[ "$(md5sum < /tmp/disk)" = "$sum" ]
result clones_write_each_for_themselves $?

# The disk with its time is the image as it was: the kernel serves it. cp -p is not taken
# because busybox's keeps no more than whole seconds.
cp /tmp/snap/disk-0 /tmp/disk-0
mv /tmp/snap/disk-0 /tmp/disk
mv /tmp/disk-0 /tmp/snap/disk-0
start back --from /tmp/snap
device emulator-5554 && says "on the disk" asks emulator-5554 disk_read &&
	writes emulator-5554 "stays there" && ! grep -q "disk" /tmp/vm-back
rc=$?
ends "$pid"
gone emulator-5554
[ $rc -eq 0 ] && says "stays there" text_in /tmp/disk
result an_image_that_is_put_back_goes_on $?

# With reflinks nothing is copied, and the kernel serves what is the clone's own.
# Room for all of the RAM: busybox' cp writes the holes of a file, too.
used_of() {
	df -k "$1" | awk 'NR == 2 { print $3 }'
}

mkdir -p /tmp/xfs
truncate -s 800M /tmp/xfs.img
modprobe -a crc32c_generic xfs && mkfs.xfs -q -m reflink=1 /tmp/xfs.img &&
	mount -o loop /tmp/xfs.img /tmp/xfs && cp -rp /tmp/snap /tmp/xfs/snap
rc=$?
start shares --from /tmp/xfs/snap --clone
[ $rc -eq 0 ] && device emulator-5554 && says "on the disk" asks emulator-5554 disk_read &&
	writes emulator-5554 "of a clone." && ! grep -q "disk" /tmp/vm-shares
rc=$?
sync
before=$(used_of /tmp/xfs)
vmmctl snapshot save shares /tmp/xfs/snap-2 > /tmp/save 2>&1 || rc=1
sed 's/^/# /' /tmp/save
sync
after=$(used_of /tmp/xfs)
ram=$(du -k /tmp/xfs/snap-2/ram | cut -f 1)
echo "# KiB: $((after - before)), ram $ram, disk $(du -k /tmp/xfs/snap-2/disk-0 | cut -f 1)"
[ "$((after - before))" -lt "$((ram + 16384))" ] || rc=1

vmmctl snapshot load shares /tmp/xfs/snap && answers emulator-5554 &&
	says "on the disk" asks emulator-5554 disk_read &&
	writes emulator-5554 "once more.." &&
	vmmctl snapshot load shares /tmp/xfs/snap-2 && answers emulator-5554 &&
	says "of a clone." asks emulator-5554 disk_read
result a_clone_with_shared_blocks_goes_back $?
ends "$pid"
gone emulator-5554
[ $rc -eq 0 ] && vmmctl snapshot check /tmp/xfs/snap-2 > /tmp/checked 2>&1 &&
	vmmctl snapshot check /tmp/xfs/snap > /tmp/checked 2>&1 &&
	says "of a clone." text_in /tmp/xfs/snap-2/disk-0
result reflinks_share_what_nobody_writes $?
umount /tmp/xfs
rm -rf /tmp/xfs.img /tmp/snap-2

# ---- clones: a guest that writes to no disk ----

cd /ranchu
mkdir /tmp/store
start three --kernel guest/Image --initrd guest/initrd.cpio --memory 400M \
	--append "$linux_args ranchu.run=snapshot-in-guest" --vsock 42 --snapshots /tmp/store \
	--disk /tmp/read-only,readonly=on
cd /
three=$pid
device emulator-5554 && vmmctl snapshot save three /tmp/snap-3
result a_guest_for_clones $?

# The main loop goes on meanwhile: somebody else is answered.
vmmctl snapshot save three /tmp/snap-3 > /tmp/save 2>&1 &
save=$!
answered=0
while kill -0 $save 2>/dev/null; do
	! vmmctl status three | grep -q '"status": "saving"' || answered=$((answered + 1))
done
wait $save && [ "$answered" -ge 1 ]
result others_are_answered_while_it_is_saved $?

# The same by the emulator's console, from the VM's sandbox.
adb -s emulator-5554 emu avd snapshot save mine > /tmp/emu 2>&1
adb -s emulator-5554 emu avd snapshot list >> /tmp/emu 2>&1
sed 's/^/# /' /tmp/emu
vmmctl snapshot check /tmp/store/mine > /tmp/checked 2>&1 &&
	awk '$1 == "--" && $2 == "mine" { n++ } END { exit n != 1 }' /tmp/emu &&
	adb -s emulator-5554 emu avd snapshot del mine > /dev/null && ! [ -e /tmp/store/mine ]
result the_console_saves_and_removes_it $?

# fails_to_save TEXT VM DIR [OPTION]: one line with TEXT, nothing is left, the guest goes on.
fails_to_save() {
	text=$1
	shift
	tick=$(tick_of emulator-5554)
	if vmmctl snapshot save "$@" > /tmp/save 2>&1 || ! grep -q "$text" /tmp/save ||
	   [ "$(wc -l < /tmp/save)" -ne 1 ]; then
		sed 's/^/# /' /tmp/save
		return 1
	fi
	sleep 1
	[ -z "$(find "${2%/*}" -name '*.new-*' -maxdepth 1)" ] &&
		later emulator-5554 $((tick + 1))
}

mkdir -p /tmp/small
mount -t tmpfs -o size=10m tmpfs /tmp/small
cp -r /tmp/snap-3/manifest.json /tmp/small/
fails_to_save "No space left" three /tmp/small/snap
rc=$?
mount -o remount,ro /tmp/small
fails_to_save "Read-only" three /tmp/small/snap || rc=1
umount /tmp/small
result full_and_read_only_disks $rc

fails_to_save "was not started from one" three /tmp/snap-5 --changes
result a_guest_that_was_booted_has_no_changes $?

start four --from /tmp/snap-3 --clone
four=$pid
# When it says that it is ready, and not before, adb lists it.
n=0
resuming=0
until vmmctl status four 2>/dev/null | grep -q '"status": "running"' || [ $n -eq 600 ]; do
	! vmmctl status four 2>/dev/null | grep -q '"status": "resuming"' || resuming=1
	n=$((n + 1))
	sleep 0.1
done
adb devices > /tmp/devices
[ $n -lt 600 ] && [ $resuming -eq 1 ] && grep -q '^emulator-5556.*device$' /tmp/devices
result it_is_ready_when_adb_lists_it $?

start five --from /tmp/snap-3 --clone
five=$pid
device emulator-5556 && device emulator-5558 &&
	says 5556 adb -s emulator-5556 shell echo 5556 &&
	says 5558 adb -s emulator-5558 shell echo 5558 &&
	says 5554 adb -s emulator-5554 shell echo 5554 &&
	adb -s emulator-5556 shell touch /tmp/mine &&
	! adb -s emulator-5558 shell test -e /tmp/mine
result clones_beside_the_original $?
awk '/^Pss|^Private/ { sum[$1] += $2 } END { for (key in sum) print "# clone:", key, sum[key], "kB" }' \
	"/proc/$four/smaps_rollup"

# reseeds SERIAL: how often the guest has heard that it goes on from a snapshot.
reseeds() {
	adb -s "$1" shell dmesg 2>/dev/null | grep -c "crng reseeded due to virtual machine fork"
}
says 0 reseeds emulator-5554 && says 1 reseeds emulator-5556 &&
	says 1 reseeds emulator-5558 &&
	[ "$(adb -s emulator-5556 shell cat /proc/sys/kernel/random/uuid)" != \
		"$(adb -s emulator-5558 shell cat /proc/sys/kernel/random/uuid)" ]
result clones_have_random_numbers_of_their_own $?

# ---- only what changed ----

vmmctl snapshot save four /tmp/snap-4 --changes > /tmp/save 2>&1 &&
	vmmctl snapshot check /tmp/snap-4 > /tmp/checked 2>&1
rc=$?
sed 's/^/# /' /tmp/save
du -k /tmp/snap-3/ram /tmp/snap-4/ram | sed 's/^/# KiB: /'
[ "$(($(du -k /tmp/snap-4/ram | cut -f 1) * 2))" -lt "$(du -k /tmp/snap-3/ram | cut -f 1)" ] ||
	rc=1
result changes_are_saved $rc

start six --from /tmp/snap-4 --clone
six=$pid
device emulator-5560 && adb -s emulator-5560 shell test -e /tmp/mine &&
	says "written before, written after" asks emulator-5560 pingpong &&
	says 2 reseeds emulator-5560 &&
	vmmctl snapshot save six /tmp/snap-6 --changes && vmmctl snapshot check /tmp/snap-6 \
	> /tmp/checked 2>&1
result a_guest_goes_on_from_changes $?
ends "$six"

fails_to_save "cannot be replaced by them" four /tmp/snap-3 --changes &&
	vmmctl snapshot check /tmp/snap-3 > /tmp/checked 2>&1
result what_changes_are_relative_to_stays $?

spoil /tmp/snap
shorter /tmp/bad/disk-0 1
refused "disk-0 does not have" /tmp/bad --clone
rc=$?
rm /tmp/bad/disk-0
refused "cannot open disk-0" /tmp/bad || rc=1
spoil /tmp/snap
printf xxxxxxxxxxxxxxxx | dd of=/tmp/bad/disk-0 bs=1 seek=5000000 conv=notrunc 2>/dev/null
! vmmctl snapshot check /tmp/bad > /tmp/checked 2>&1 && grep -q "checksum" /tmp/checked || rc=1
rm -rf /tmp/bad
result torn_disks_are_refused $rc

# loses_ram DIR: a VM goes on from a copy of DIR, whose file "ram" is cut short then.
loses_ram() {
	spoil "$1"
	start lost --from /tmp/bad --clone
	lost=$pid
	device emulator-5560 || return 1
	truncate -s 0 /tmp/bad/ram
	tries=120
	while [ $tries -gt 0 ] && kill -0 "$lost" 2>/dev/null; do
		timeout 5 adb -s emulator-5560 shell 'cat /proc/*/maps' > /dev/null 2>&1
		tries=$((tries - 1))
		sleep 0.5
	done
	[ $tries -gt 0 ] || kill -9 "$lost"
	wait "$lost"
	code=$?
	rm -rf /tmp/bad
	gone emulator-5560
	[ $code -eq 1 ] && [ "$(grep -c "guest RAM is lost" /tmp/vm-lost)" -eq 1 ] && return
	echo "# exit code $code"
	return 1
}
loses_ram /tmp/snap-3 && loses_ram /tmp/snap-4
result a_vm_whose_ram_is_cut_short_says_so $?

# ---- what is no snapshot of this machine ----

bad=0
spoiled_snapshots /tmp/snap-3 /tmp/snap || bad=1
refused '"cpus" is 1 there and 2 here' /tmp/snap-3 --clone --cpus 2 || bad=1
refused '"images" has' /tmp/snap-3 --clone --disk /tmp/disk,readonly=on || bad=1
refused "no device can be added" /tmp/snap-3 --clone --virtio rng || bad=1
result torn_edited_and_foreign_snapshots_are_refused $bad

# ---- a clone goes back while others run ----

# Changes need another snapshot, which the VM cannot open.
tick=$(tick_of emulator-5556)
! vmmctl snapshot load four /tmp/snap-4 > /tmp/load 2>&1 &&
	grep -q 'it needs another one ("ram.base"): use run --from' /tmp/load && sleep 1 &&
	later emulator-5556 $((tick + 1)) && adb -s emulator-5556 shell test -e /tmp/mine &&
	vmmctl snapshot load four /tmp/snap-3 && answers emulator-5556 &&
	! adb -s emulator-5556 shell test -e /tmp/mine &&
	says "written before, written after" asks emulator-5556 pingpong &&
	says 1 reseeds emulator-5556 && says 5558 adb -s emulator-5558 shell echo 5558
result a_clone_goes_back $?

# ---- the end of a guest that was loaded ----

adb -s emulator-5556 shell reboot -f > /dev/null 2>&1
device emulator-5556 && [ "$(boot_of emulator-5556)" != "$(boot_of emulator-5558)" ] &&
	kill -0 "$four"
result a_clone_boots_again $?

ends "$three"
ends "$four"
ends "$five"
# Nothing has what it was.
printf x >> /tmp/read-only
refused "has changed since" /tmp/snap-3 --clone
result a_read_only_disk_that_has_changed_is_refused $?
adb kill-server
unload_modules
[ "$failed" -eq 0 ]
