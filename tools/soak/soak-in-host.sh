#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The soak's part inside the host (busybox's sh).
#
#	soak-in-host.sh MINUTES SEED
#
# Prints each act, and last "findings N". A VM whose guest has ended no round for STALL seconds
# has stalled.
set -u

. /ranchu/host-lib.sh
. /ranchu/snapshot-lib.sh

VMS="1 2 3"
STALL=300
end=$(($(date +%s) + $1 * 60))
findings=0
acts=0

# random MOST: the next number of the seed's, 0 to MOST - 1.
seed=$2
random() {
	seed=$(((seed * 1103515245 + 12345) & 0x7fffffff))
	echo $((seed / 65536 % $1))
}

found() {
	echo "FOUND: $*"
	findings=$((findings + 1))
}

pid_of() {
	cat "/tmp/pid-$1"
}

# Whatever made it: its rounds are counted from now on.
started() {
	echo "$pid" > "/tmp/pid-$1"
	date +%s > "/tmp/since-$1"
	echo 0 > "/tmp/ticks-$1"
}

boot() {
	start "vm$1" --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio --memory 320M \
		--append "$linux_args ranchu.run=soak-in-guest" --vsock "$((40 + $1))" \
		--disk "/tmp/disk-$1" --pipe-service echo=unix:/tmp/echo
	started "$1"
}

# What a VM has written to its console since it was started.
look() {
	log=/tmp/vm-vm$1
	if grep -E 'WRONG|GUEST-SPLAT|GUEST-EXIT|sandbox does not allow' "$log" > /tmp/wrong; then
		found "vm$1: $(head -n 1 /tmp/wrong)"
		: > "$log"
	fi
	ticks=$(grep -c TICK "$log")
	if [ "$ticks" -ne "$(cat "/tmp/ticks-$1")" ]; then
		echo "$ticks" > "/tmp/ticks-$1"
		date +%s > "/tmp/since-$1"
	elif [ $(($(date +%s) - $(cat "/tmp/since-$1"))) -gt $STALL ]; then
		found "vm$1 has stalled"
		tail -n 20 "$log"
		date +%s > "/tmp/since-$1"
	fi
	kill -0 "$(pid_of "$1")" 2>/dev/null || {
		found "vm$1 has ended"
		tail -n 20 "$log"
		boot "$1"
	}
}

# ended VM: it was told to end.
ended() {
	wait "$(pid_of "$1")"
	code=$?
	[ $code -eq "$2" ] || found "vm$1 ended with $code, not $2"
}

serial_of() {
	sed -n 's/.*adb finds the guest as \(emulator-[0-9]*\).*/\1/p' "/tmp/vm-vm$1" | tail -n 1
}

act() {
	vm=$1
	what=$(random 9)
	case $what in
	0)
		echo "vm$vm: kill -KILL"
		kill -KILL "$(pid_of "$vm")"
		ended "$vm" 137
		boot "$vm"
		;;
	1)
		echo "vm$vm: stop"
		timeout 30 vmmctl stop "vm$vm" || found "vm$vm does not stop"
		wait "$(pid_of "$vm")"
		boot "$vm"
		;;
	2)
		echo "vm$vm: reset"
		timeout 30 vmmctl reset "vm$vm" || found "vm$vm does not reset"
		date +%s > "/tmp/since-$vm"
		;;
	3 | 4)
		echo "vm$vm: pause, resume"
		timeout 60 vmmctl pause "vm$vm" || found "vm$vm does not pause"
		sleep "$(random 4)"
		timeout 60 vmmctl resume "vm$vm" || found "vm$vm does not go on"
		;;
	5)
		echo "vm$vm: save"
		timeout 300 vmmctl snapshot save "vm$vm" "/tmp/snap-$vm" || found "vm$vm is not saved"
		;;
	6)
		[ -e "/tmp/snap-$vm" ] || return
		echo "vm$vm: its snapshot is looked at"
		timeout 300 vmmctl snapshot check "/tmp/snap-$vm" > /tmp/checked 2>&1 ||
			found "vm$vm: $(tail -n 1 /tmp/checked)"
		;;
	7)
		serial=$(serial_of "$vm")
		echo "vm$vm: adb ${serial:-has no name yet}"
		[ -n "$serial" ] || return
		timeout 60 adb -s "$serial" push /bin/busybox /tmp/pushed > /tmp/adb 2>&1 || return
		timeout 60 adb -s "$serial" pull /tmp/pushed /tmp/pulled > /tmp/adb 2>&1 || return
		cmp /bin/busybox /tmp/pulled || found "vm$vm: wrong bytes by adb"
		;;
	8)
		echo "the service of pipes is killed"
		# shellcheck disable=SC2086 # one word
		kill -KILL $PEERS
		# shellcheck disable=SC2086 # one word
		wait $PEERS
		PEERS=
		sleep "$(random 3)"
		serve echo
		;;
	esac
}

load_modules
adb start-server 2>/dev/null
serve echo
for vm in $VMS; do
	head -c 2097152 /dev/zero > "/tmp/disk-$vm"
	boot "$vm"
done
while [ "$(date +%s)" -lt "$end" ]; do
	sleep "$((2 + $(random 8)))"
	act "$((1 + $(random 3)))"
	acts=$((acts + 1))
	for vm in $VMS; do
		look "$vm"
	done
done
echo "acts $acts"
for vm in $VMS; do
	kill -TERM "$(pid_of "$vm")"
	ended "$vm" 143
done
# shellcheck disable=SC2086 # one word
kill -KILL $PEERS
adb kill-server
host-leaks
unload_modules || found "a module does not unload"
host-leaks
echo "findings $findings"
