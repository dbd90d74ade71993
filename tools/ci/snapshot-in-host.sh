#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The snapshot test's part inside the host (busybox's sh).
set -u

. /ranchu/host-lib.sh
. /ranchu/snapshot-lib.sh

# result NAME 0|1
result() {
	number=$((number + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $number $1"
		return
	fi
	for log in /tmp/vm-*; do
		tail -n 12 "$log" | sed "s|^|# ${log##*/}: |"
	done
	adb devices 2>&1 | sed 's/^/# /'
	dmesg | tail -n 5 | sed 's/^/# /'
	echo "not ok $number $1"
	failed=$((failed + 1))
}

# device NAME [SECONDS]: until adb lists it as a device.
device() {
	tries=$((2 * ${2:-120}))
	while [ $tries -gt 0 ]; do
		adb devices > /tmp/devices 2>/dev/null
		state=$(awk -v name="$1" '$1 == name { print $2 }' /tmp/devices)
		[ "$state" != device ] || return 0
		tries=$((tries - 1))
		sleep 0.5
	done
	echo "# $1 is ${state:-gone}"
	return 1
}

# gone NAME: until adb lists it no more.
gone() {
	tries=60
	while [ $tries -gt 0 ] && adb devices 2>/dev/null | grep -q "^$1"; do
		tries=$((tries - 1))
		sleep 0.5
	done
	[ $tries -gt 0 ]
}

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

tick_of() {
	adb -s "$1" shell cat /tmp/tick 2>/dev/null | tr -d '\r'
}

boot_of() {
	adb -s "$1" shell cat /proc/sys/kernel/random/boot_id 2>/dev/null | tr -d '\r'
}

# later SERIAL TICK: the guest has gone on from there.
later() {
	now=$(tick_of "$1")
	echo "# tick $2, now ${now:-none}"
	[ -n "$now" ] && [ "$now" -ge "$2" ]
}

ends() {
	kill -TERM "$1"
	wait "$1"
}

load_modules
adb start-server 2>/dev/null
echo "1..16"

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
echo "# booted and answering adb after $began to $(cut -d ' ' -f 1 /proc/uptime) s"
result the_guest_boots $?

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
start three --kernel guest/Image --initrd guest/initrd.cpio --memory 400M \
	--append "$linux_args ranchu.run=snapshot-in-guest" --vsock 42 \
	--disk /tmp/read-only,readonly=on
cd /
three=$pid
device emulator-5554 && vmmctl snapshot save three /tmp/snap-3
result a_guest_for_clones $?

# The program that makes the files is killed, sooner or later; what was there stays whole,
# and the guest goes on.
bad=0
for after in 0.05 0.2 0.4 0.7 1 1.5 2; do
	vmmctl snapshot save three /tmp/snap-3 > /tmp/save 2>&1 &
	save=$!
	sleep $after
	kill -KILL $save 2>/dev/null
	wait $save 2>/dev/null
	vmmctl snapshot check /tmp/snap-3 > /tmp/checked 2>&1 || { cat /tmp/checked; bad=1; }
	rm -rf /tmp/snap-3.new-*
done
tick=$(tick_of emulator-5554)
sleep 1
later emulator-5554 $((tick + 1)) || bad=1
result saves_that_are_killed $bad

start four --from /tmp/snap-3 --clone
four=$pid
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

refused "cannot copy it at once" /tmp/snap --clone
result a_clone_needs_a_copy_of_its_disk $?

# ---- what is no snapshot of this machine ----

bad=0
spoiled_snapshots /tmp/snap-3 /tmp/snap || bad=1
refused '"cpus" is 1 there and 2 here' /tmp/snap-3 --clone --cpus 2 || bad=1
refused '"images" has' /tmp/snap-3 --clone --disk /tmp/disk,readonly=on || bad=1
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
