#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# A running VM goes back to snapshots of its own, and refuses those of others: inside the
# emulated host (busybox's sh).
set -u

. /ranchu/host-lib.sh
. /ranchu/snapshot-lib.sh

serial=emulator-5554

# said COMMAND...: in the guest.
said() {
	timeout 20 adb -s $serial shell "$@" 2>/dev/null | tr -d '\r'
}

# asks NAME: what the guest's loop answers.
asks() {
	said "rm -f /tmp/answer/$1; : > /tmp/ask/$1"
	tries=60
	until said "cat /tmp/answer/$1" > /tmp/answer && [ -s /tmp/answer ]; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.5
	done
	cat /tmp/answer
}

# is WANT WHAT GOT
is() {
	[ "$1" = "$3" ] || { echo "# $2: '$3', not '$1'"; return 1; }
}

# leave_marks: what no snapshot has.
leave_marks() {
	is marked marks "$(said 'touch /tmp/mine && echo marked')" &&
		is written disk "$(asks disk_later)" &&
		is "put later.." disk "$(asks disk_read)"
}

# is_back: the guest that was saved, without those marks.
is_back() {
	answers $serial && is "$boot" boot "$(said cat /proc/sys/kernel/random/boot_id)" &&
		is none marks "$(said 'test -e /tmp/mine && echo some || echo none')" &&
		is "on the disk" disk "$(asks disk_read)" &&
		is 1 reseeds "$(said 'dmesg | grep -c "crng reseeded due to virtual"')" &&
		kill -0 "$one"
}

load_modules
adb start-server 2>/dev/null
echo "1..9"
head -c 8388608 /dev/urandom > /tmp/disk
mkdir /tmp/store
cd /ranchu
start one --kernel guest/Image --initrd guest/initrd.cpio --memory 256M \
	--append "$linux_args ranchu.run=snapshot-in-guest" --vsock 42 \
	--snapshots /tmp/store --disk /tmp/disk
one=$pid
device $serial && is written disk "$(asks disk_write)"
result the_guest_boots $?

boot=$(said cat /proc/sys/kernel/random/boot_id)
adb -s $serial emu avd snapshot save first > /tmp/emu 2>&1
sed 's/^/# /' /tmp/emu
vmmctl snapshot check /tmp/store/first > /tmp/checked 2>&1 && leave_marks
result it_is_saved_and_goes_on $?

adb -s $serial emu avd snapshot load first > /tmp/emu 2>&1
sed 's/^/# /' /tmp/emu
! grep -q KO /tmp/emu && is_back
result the_console_loads_it $?

is "written before, written after" pipe "$(asks pingpong)"
result a_pipe_has_what_was_written_before $?

began=$(cut -d ' ' -f 1 /proc/uptime)
leave_marks && vmmctl snapshot load one first && is_back
rc=$?
echo "# marked, loaded and answering from $began to $(cut -d ' ' -f 1 /proc/uptime) s"
result it_is_loaded_a_second_time $rc

# keeps TEXT DIR: it is refused with TEXT, and the guest goes on.
keeps() {
	tick=$(tick_of $serial)
	if vmmctl snapshot load one "$2" > /tmp/load 2>&1 || ! grep -q "$1" /tmp/load ||
	   [ "$(wc -l < /tmp/load)" -ne 1 ]; then
		sed 's/^/# /' /tmp/load
		return 1
	fi
	sleep 1
	later $serial $((tick + 1)) && is some marks "$(said 'test -e /tmp/mine && echo some')"
}

# other OPTION...: a snapshot in /tmp/other of a guest with other options.
other() {
	rm -rf /tmp/other
	start two --kernel guest/Image --initrd guest/initrd.cpio --append "$linux_args" "$@"
	n=0
	until vmmctl snapshot save two /tmp/other > /tmp/save 2>&1 || [ $n -eq 60 ]; do
		n=$((n + 1))
		sleep 0.5
	done
	ends "$pid"
	[ $n -lt 60 ]
}

cp /tmp/disk /tmp/disk-2
leave_marks && other --memory 256M --cpus 2 --disk /tmp/disk-2 && keeps '"cpus" is 2 there' /tmp/other &&
	other --memory 200M --disk /tmp/disk-2 && keeps '"memory" is' /tmp/other &&
	other --memory 256M && keeps '"images" has 0' /tmp/other &&
	other --memory 256M --disk /tmp/disk-2 && keeps "virtio device in slot" /tmp/other
result foreign_snapshots_are_refused $?

spoil /tmp/store/first
shorter /tmp/bad/ram 1
keeps "ram does not have" /tmp/bad
rc=$?
spoil /tmp/store/first
rm /tmp/bad/disk-0
keeps "cannot open disk-0" /tmp/bad || rc=1
keeps "cannot open" /tmp/nowhere || rc=1
rm -rf /tmp/bad
result torn_snapshots_are_refused $rc

# A paused VM goes back as well, and runs.
adb -s $serial emu avd stop > /dev/null 2>&1
vmmctl snapshot load one first && is_back
result a_paused_guest_goes_back $?

vmmctl reset one && sleep 1 && answers $serial &&
	[ "$(said cat /proc/sys/kernel/random/boot_id)" != "$boot" ] &&
	is "on the disk" disk "$(asks disk_read)"
result a_reset_boots_it_again $?

ends "$one"
adb kill-server
unload_modules
[ "$failed" -eq 0 ]
