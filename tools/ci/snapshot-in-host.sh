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

boot_of() {
	adb -s "$1" shell cat /proc/sys/kernel/random/boot_id 2>/dev/null | tr -d '\r'
}

load_modules
adb start-server 2>/dev/null
echo "1..24"

head -c 1048576 /dev/zero > /tmp/disk
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

ends "$one"
gone emulator-5554

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

says "on the disk" asks emulator-5554 disk_read && says written asks emulator-5554 disk_write
result the_disk $?

vmmctl snapshot save two /tmp/snap-2 > /tmp/save 2>&1 && vmmctl snapshot check /tmp/snap-2 \
	> /tmp/checked 2>&1
result it_is_saved_again $?

ends "$two"
gone emulator-5554
refused "has changed since" /tmp/snap
result a_disk_that_has_changed_is_refused $?

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

refused "has no reflinks" /tmp/snap --clone
result a_clone_needs_a_copy_of_its_disk $?

# ---- what is no snapshot of this machine ----

bad=0
spoiled_snapshots /tmp/snap-3 /tmp/snap || bad=1
refused '"cpus" is 1 there and 2 here' /tmp/snap-3 --clone --cpus 2 || bad=1
refused '"images" has' /tmp/snap-3 --clone --disk /tmp/disk,readonly=on || bad=1
refused "no device can be added" /tmp/snap-3 --clone --virtio rng || bad=1
result torn_edited_and_foreign_snapshots_are_refused $bad

# ---- the end of a guest that was loaded ----

adb -s emulator-5556 shell reboot -f > /dev/null 2>&1
device emulator-5556 && [ "$(boot_of emulator-5556)" != "$(boot_of emulator-5558)" ] &&
	kill -0 "$four"
result a_clone_boots_again $?

ends "$three"
ends "$four"
ends "$five"
adb kill-server
unload_modules
[ "$failed" -eq 0 ]
