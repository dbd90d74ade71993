#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The snapshots' benchmark inside the emulated host (busybox's sh).
#
#	snapshot_host.sh cost
#		a clock that counts instructions: from exec of vmmctl to a guest that answers
#		`adb shell true`, for guests of 256 MiB and 2 GiB, as adb_timed prints it:
#		"SNAP boot MIB ns=N idle=N ...", "SNAP restore MIB ..."
#
#	snapshot_host.sh clones N
#		touched_kib N		RAM of the guest that was saved, without pages of zeros
#		private_kib I N		private memory of each of the first 16 clones
#		clones N		of N, how many are alive at once and answer
#		saved_kib WHAT N	bytes of the first snapshot, and of the second
#		bad_files TRIED ACCEPTED
set -u

. /ranchu/host-lib.sh
. /ranchu/snapshot-lib.sh

SNAP=/tmp/snap
failed=0

fail() {
	echo "snapshot_host: $*"
	for log in /tmp/vm-*; do
		tail -n 8 "$log" | sed "s|^|# ${log##*/}: |"
	done
	adb devices 2>&1 | sed 's/^/# /'
	failed=1
}

# timed LABEL PORT OPTION...: vmmctl run, until adb's shell has answered.
timed() {
	label=$1
	port=$2
	shift 2
	# The shell's child stays when the shell has become adb.
	adb_timed "SNAP $label" vmmctl sh -c 'port=$1
		shift
		vmmctl run --name timed --adb-port "$port" "$@" </dev/null >/tmp/vm-timed 2>&1 &
		exec adb -s "emulator-$((port - 1))" wait-for-device shell true' \
		sh "$port" "$@" || fail "$label"
}

ended() {
	vmmctl kill timed
	while vmmctl status timed >/dev/null 2>&1; do
		sleep 0.1
	done
}

guest="--kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio --cpus 1"

# cost MIB PORT: a boot, a snapshot, and five starts from it.
cost() {
	# shellcheck disable=SC2086 # a list of words
	timed "boot $1" "$2" $guest --memory "$1M" --vsock 42 --append \
		"$linux_args ranchu.run=guest-adbd"
	# What the boot has left to do is no part of the snapshot.
	sleep 5
	vmmctl snapshot save timed "$SNAP-$1" || fail "save $1"
	ended
	du -k "$SNAP-$1/ram" | sed 's/^/# KiB of RAM saved: /'
	for round in 1 2 3 4 5; do
		timed "restore $1" $(($2 + 2 * round)) --from "$SNAP-$1"
		ended
	done
}

# answers PORT: within some minutes, for there are many.
answers() {
	timeout 300 adb -s "emulator-$(($1 - 1))" wait-for-device shell echo alive 2>/dev/null |
		tr -d '\r' | grep -qx alive
}

# port_of NAME: adb's, which vmmctl has told.
port_of() {
	sed -n 's/.*adb finds the guest at 127.0.0.1:\([0-9]*\).*/\1/p' "/tmp/vm-$1" | head -n 1
}

# clone NAME: one more, which answers.
clone() {
	start "$1" --from $SNAP --clone
	pids="$pids $pid"
	n=0
	until [ -n "$(port_of "$1")" ] || [ $n -eq 600 ]; do
		sleep 0.1
		n=$((n + 1))
	done
	answers "$(port_of "$1")" || fail "$1 does not answer"
}

private_kib() {
	awk '/^Private/ { n += $2 } END { print n }' "/proc/$1/smaps_rollup"
}

clones() {
	count=$1
	# shellcheck disable=SC2086 # a list of words
	start source $guest --memory 256M --vsock 42 --append "$linux_args ranchu.run=guest-adbd"
	source=$pid
	answers "$(sleep 5; port_of source)" || fail "the guest does not boot"
	sleep 5
	vmmctl snapshot save source $SNAP || fail "save"
	vmmctl snapshot save source $SNAP-other || fail "save"
	ends "$source"
	echo "touched_kib $(du -k $SNAP/ram | cut -f 1)"
	echo "saved_kib first $(du -k $SNAP | cut -f 1)"
	spoiled_snapshots $SNAP $SNAP-other
	echo "bad_files $tried $accepted"
	rm -rf $SNAP-other

	# A guest that goes on and does nothing, saved a second time.
	pids=
	clone idle
	sleep 10
	vmmctl snapshot save idle $SNAP-second --changes || fail "save the changes"
	echo "saved_kib second $(du -k $SNAP-second | cut -f 1)"
	ends "$pid"

	pids=
	began=$(date +%s)
	for i in $(seq "$count"); do
		# What has come is counted before the host's time is over.
		if [ $(($(date +%s) - began)) -gt 2400 ]; then
			echo "# after 40 minutes no more clones than $((i - 1))"
			count=$((i - 1))
			break
		fi
		clone "clone-$i"
		[ "$i" -ne 16 ] || {
			sleep 10
			n=0
			for pid in $pids; do
				n=$((n + 1))
				echo "private_kib $n $(private_kib "$pid")"
			done
		}
	done
	# All at once, after the last has come.
	alive=0
	for i in $(seq "$count"); do
		vmmctl status "clone-$i" | grep -q '"running": true' &&
			answers "$(port_of "clone-$i")" && alive=$((alive + 1))
	done
	echo "clones $alive"
	grep MemAvailable /proc/meminfo | sed 's/^/# with all clones: /'
	for pid in $pids; do
		ends "$pid"
	done
}

load_modules
adb start-server 2>/dev/null
case $1 in
cost)
	cost 256 5555
	cost 2048 5571
	;;
clones)
	clones "$2"
	;;
esac
adb kill-server
exit $failed
