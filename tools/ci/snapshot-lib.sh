# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Shared by the test and the benchmark of snapshots, inside an emulated host (busybox's
# sh): VMs, and snapshots that are none. Sourced, never run.

export HOME=/tmp XDG_RUNTIME_DIR=/tmp/runtime
mkdir -p $XDG_RUNTIME_DIR

# start NAME OPTION...: vmmctl run with the VM's output in /tmp/vm-NAME and pid in $pid.
start() {
	vm=$1
	shift
	: > "/tmp/vm-$vm"
	vmmctl run --name "$vm" "$@" </dev/null > "/tmp/vm-$vm" 2>&1 &
	pid=$!
}

# refused TEXT DIR OPTION...: vmmctl does not go on from DIR, and its only line has TEXT,
# but for notes: where adb would have found the guest, and that pages are too large for
# the register window.
refused() {
	text=$1
	shift
	tried=$((tried + 1))
	timeout 60 vmmctl run --name refused --from "$@" </dev/null > /tmp/refused 2>&1
	code=$?
	grep -q "$text" /tmp/refused &&
		[ "$(grep -vc -e "adb finds the guest" -e "no register window" /tmp/refused)" -eq 1 ] &&
		[ "$code" -eq 1 -o "$code" -eq 2 ] && return
	sed 's/^/# /' /tmp/refused
	echo "# exit code $code, and not one line with '$text'"
	accepted=$((accepted + 1))
	return 1
}

# spoil DIR: a copy of the snapshot DIR in /tmp/bad, to be made worse.
spoil() {
	rm -rf /tmp/bad
	cp -r "$1" /tmp/bad
}

# shorter FILE BYTES
shorter() {
	truncate -s $(($(stat -c %s "$1") - $2)) "$1"
}

# spoiled_snapshots DIR OTHER: clones of DIR, a snapshot of a guest with one CPU, that is
# torn, edited or mixed with OTHER. Counts in $tried, and in $accepted those that were not
# refused as they should be.
spoiled_snapshots() {
	tried=0
	accepted=0
	spoil "$1"; shorter /tmp/bad/ram 1
	refused "ram does not have" /tmp/bad --clone
	spoil "$1"; shorter /tmp/bad/state.dtb 1
	refused "state.size" /tmp/bad --clone
	# So many bytes that they are not all what was there.
	spoil "$1"; printf xxxxxxxxxxxxxxxx |
		dd of=/tmp/bad/state.dtb bs=1 seek=500 conv=notrunc 2>/dev/null
	refused "state.crc32" /tmp/bad --clone
	spoil "$1"; shorter /tmp/bad/manifest.json 40
	refused "incomplete" /tmp/bad --clone
	spoil "$1"; sed -i 's/"version": 1/"version": 9/' /tmp/bad/manifest.json
	refused '"version" is 9' /tmp/bad --clone
	spoil "$1"; sed -i 's/"cpus": 1/"cpus": 2/' /tmp/bad/manifest.json
	refused '"crc32" is not' /tmp/bad --clone
	spoil "$1"; cp "$2/ram" /tmp/bad/ram
	refused 'another snapshot' /tmp/bad --clone
	spoil "$1"; rm /tmp/bad/ram
	refused "cannot open ram" /tmp/bad --clone
	rm -rf /tmp/bad
	[ "$accepted" -eq 0 ]
}

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

# answers NAME: by adb, which has to find it again after a load.
answers() {
	tries=120
	until [ "$(timeout 5 adb -s "$1" shell echo yes 2>/dev/null | tr -d '\r')" = yes ]; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.5
	done
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

tick_of() {
	adb -s "$1" shell cat /tmp/tick 2>/dev/null | tr -d '\r'
}

# later SERIAL TICK: the guest has gone on from there.
later() {
	now=$(tick_of "$1")
	echo "# tick $2, now ${now:-none}"
	[ -n "$now" ] && [ "$now" -ge "$2" ]
}

# ends PID: in order.
ends() {
	kill -TERM "$1"
	wait "$1"
}
