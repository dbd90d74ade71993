#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The adb test's part inside the host (busybox's sh): Debian's adb against Debian's
# adbd in stock guests.
set -u

. /ranchu/host-lib.sh

# adb keeps its keys there, and gives files and sockets names there.
export HOME=/tmp
DATA=/data/local/tmp

# result NAME 0|1
result() {
	number=$((number + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $number $1"
		return
	fi
	sed 's/^/# console: /' "$console"
	adb devices 2>&1 | sed 's/^/# /'
	dmesg | tail -n 5 | sed 's/^/# /'
	echo "not ok $number $1"
	failed=$((failed + 1))
}

# guest CID OPTION...: starts a guest with adbd; its vmmctl is $vmm.
guest() {
	cid=$1
	shift
	boots guest-adbd --vsock "$cid" "$@"
}

# boots COMMAND OPTION...: the same, without vsock.
boots() {
	run=$1
	shift
	vmmctl run --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio \
		--memory 400M --append "$linux_args ranchu.run=\"$run\"" \
		"$@" </dev/null > "$console" 2>&1 &
	vmm=$!
}

# ends PID: of a guest that is told to.
ends() {
	kill -TERM "$1"
	wait "$1"
}

# device NAME [STATE]: waits until adb lists it so: "device", or "gone".
device() {
	tries=240
	while [ $tries -gt 0 ]; do
		adb devices > /tmp/devices 2>/dev/null
		state=$(awk -v name="$1" '$1 == name { print $2 }' /tmp/devices)
		[ "${state:-gone}" != "${2:-device}" ] || return 0
		tries=$((tries - 1))
		sleep 0.5
	done
	echo "# $1 is ${state:-gone}"
	return 1
}

# says WANT COMMAND...: it prints this and nothing else, and succeeds, in two minutes.
says() {
	want=$1
	shift
	got=$(timeout 120 "$@" 2>/dev/null) || { echo "# '$*' ended with $?"; return 1; }
	[ "$got" = "$want" ] || { echo "# '$*' said '$got', not '$want'"; return 1; }
}

# ends_with CODE COMMAND...: likewise
ends_with() {
	want=$1
	shift
	timeout 120 "$@" > /dev/null 2>&1
	code=$?
	[ "$code" -eq "$want" ] || { echo "# '$*' ended with $code, not $want"; return 1; }
}

sum() {
	sha256sum | cut -c 1-64
}

# same FILE FILE
same() {
	cmp "$1" "$2" && return
	echo "# $1 and $2 differ"
	return 1
}

# round_trip BYTES [OPTION]...: pushes and pulls a file of random bytes.
round_trip() {
	bytes=$1
	shift
	rm -f /tmp/back
	head -c "$bytes" /dev/urandom > /tmp/file
	adb push "$@" /tmp/file "$DATA/file" > /tmp/push 2>&1 &&
		says "$(sum < /tmp/file)" adb shell "sha256sum < $DATA/file | cut -c 1-64" &&
		adb pull "$@" "$DATA/file" /tmp/back > /tmp/pull 2>&1 && same /tmp/file /tmp/back
}

# Exits to userspace, and times that vmmctl's main thread went to sleep.
counted() {
	kill -USR1 "$vmm"
	sleep 1
	echo "$(sed -n 's/.*"userspace_exits":\([0-9]*\).*/\1/p' /tmp/stats | tail -n 1)" \
		"$(awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$vmm/task/$vmm/status")"
}

load_modules
adb start-server 2>/dev/null
echo "1..32"

guest 42 --cpus 2 --adb-socket /tmp/adb.sock --vsock-uds /tmp/uds --stats=/tmp/stats \
	--redir tcp:7301:5555
device emulator-5554
result devices_shows_the_guest_with_no_further_step $?

says hello adb shell echo hello
result shell $?

ends_with 0 adb shell true && ends_with 7 adb shell exit 7 && ends_with 127 adb shell no-such
result exit_codes $?

says "1 2" adb shell 'echo 1; sleep 0.2; echo 2 >&2' > /tmp/said
got=$(adb shell 'echo out; echo err >&2' 2>/tmp/err)
[ "$got" = out ] && [ "$(cat /tmp/err)" = err ]
result standard_error_apart $?

# The shell's input ends, and its output goes on.
got=$(echo in | adb shell -T 'cat; sleep 0.5; echo behind' | tr '\n' ' ')
[ "$got" = "in behind " ]
result input_ends_before_output $?

round_trip 0 && round_trip 1 && round_trip 4095 && round_trip 1000003
result push_and_pull $?

round_trip 67108864 -Z
result push_and_pull_64m $?

# Nothing but data between the two looks; adb's own pauses may fall anywhere.
before=$(counted)
sleep 2
quiet=$(counted)
adb push -Z /tmp/file "$DATA/file" > /tmp/push 2>&1
after=$(counted)
echo "# exits and vmmctl's sleeps: $before, 3 s idle: $quiet, after a push of 64 MiB: $after"
# Being asked costs vmmctl the same each time.
idle=$((${quiet#* } - ${before#* }))
busy=$((${after#* } - ${quiet#* }))
# Without a window the driver's reads exit; they wake nobody.
{ ! has_window || [ "${quiet% *}" = "${after% *}" ]; } && [ "$busy" -le "$idle" ]
result a_push_costs_no_exit_and_wakes_nobody $?

# arrived FILE: the guest has it, or will have it: not every adb command waits.
arrived() {
	tries=60
	while ! says "$(sum < "$1")" adb shell "sha256sum < $DATA/got | cut -c 1-64" > /tmp/said; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || { cat /tmp/said; return 1; }
		sleep 1
	done
}

round_trip 3000003 && [ "$(adb exec-out "cat $DATA/file" | sum)" = "$(sum < /tmp/file)" ]
result exec_out $?

adb exec-in "cat > $DATA/got" < /tmp/back && arrived /tmp/back
result exec_in $?

head -c 3000000 /dev/urandom > /tmp/file
adb shell "nc -l -p 7000 -e sh -c 'cat > $DATA/got' > /dev/null 2>&1 &"
adb forward tcp:7001 tcp:7000 > /dev/null && nc 127.0.0.1 7001 < /tmp/file && arrived /tmp/file
result forward $?

nc -l -p 7100 -e sh -c "cat > /tmp/got" &
listener=$!
adb push /tmp/file "$DATA/file" > /tmp/push 2>&1 && adb reverse tcp:7200 tcp:7100 > /dev/null &&
	adb shell "nc 127.0.0.1 7200 < $DATA/file" && wait "$listener" && same /tmp/file /tmp/got
result reverse $?

rm -f /tmp/shell.*
shells=
i=1
while [ $i -le 32 ]; do
	(adb shell "head -c 100000 /dev/zero; exit $i" > /tmp/shell.$i; echo $? > /tmp/shell.$i.rc) &
	shells="$shells $!"
	i=$((i + 1))
done
# shellcheck disable=SC2086 # words
wait $shells
wrong=0
while [ $i -gt 1 ]; do
	i=$((i - 1))
	[ "$(cat /tmp/shell.$i.rc)" -eq $i ] && [ "$(wc -c < /tmp/shell.$i)" -eq 100000 ] ||
		wrong=$((wrong + 1))
done
[ $wrong -eq 0 ]
result parallel_shells_32 $?

adb connect localfilesystem:/tmp/adb.sock > /tmp/connect 2>&1
device localfilesystem:/tmp/adb.sock &&
	says unix adb -s localfilesystem:/tmp/adb.sock shell echo unix &&
	says tcp adb -s emulator-5554 shell echo tcp
result unix_socket $?
adb disconnect localfilesystem:/tmp/adb.sock > /dev/null

# A port of the host's that leads to the guest's adbd is a device like any; closed by the
# console, it leads nowhere, and the device stays.
redir() {
	adb -s emulator-5554 emu redir "$@" | tr -d '\r'
}

adb connect 127.0.0.1:7301 > /tmp/connect 2>&1
device 127.0.0.1:7301 && says redir adb -s 127.0.0.1:7301 shell echo redir &&
	[ "$(redir list | head -n 1)" = "tcp:7301  => 5555" ] &&
	[ "$(redir add tcp:7302:5555 | cut -c 1-3)" = "KO:" ] && [ "$(redir del tcp:7301)" = OK ] &&
	[ "$(redir list | head -n 1)" = "no active redirections" ] &&
	says redir adb -s 127.0.0.1:7301 shell echo redir
result a_port_leads_to_the_guest $?
adb disconnect 127.0.0.1:7301 > /dev/null

# Streams beside adb's own, echoed by the guest. One end of each is shut down while
# the other still has all to say.
adb shell "vsock_peer serve 1024 100 > /dev/null 2>&1 &"
vsock_peer talk /tmp/uds 1024 5000000 > /tmp/talk 2>&1
result half_close $?

# Its reader does not read for ten seconds and more, while others say all they have.
vsock_peer talk /tmp/uds 1024 20000000 > /tmp/stalled 2>&1 &
stalled=$!
sleep 0.5
kill -STOP "$stalled"
sleep 10 &
pause=$!
vsock_peer talk /tmp/uds 1024 5000000 > /tmp/talk 2>&1 && round_trip 1000000
beside=$?
wait "$pause"
[ ! -s /tmp/stalled ]
unfinished=$?
kill -CONT "$stalled"
wait "$stalled" && [ "$beside" -eq 0 ] && [ "$unfinished" -eq 0 ]
result a_reader_that_stops_for_10_s $?

vsock_peer serve /tmp/uds_1025 2 &
listener=$!
says "" adb shell "vsock_peer talk 2 1025 3000000 > $DATA/talk" &&
	says "" adb shell "vsock_peer talk 2 1025 1 > $DATA/talk" && wait "$listener" &&
	ends_with 1 adb shell "! timeout 3 vsock_peer talk 2 1026 1 && exit 1"
result guest_connects_to_the_host $?

adb shell killall adbd > /dev/null 2>&1
device emulator-5554 gone || device emulator-5554 offline
device emulator-5554 && says again adb shell echo again
result adbd_restarted $?

adb kill-server
adb start-server 2>/dev/null
device emulator-5554 && says again adb shell echo again
result adb_server_restarted $?

# vmmctl stays, the guest boots again.
adb shell touch /tmp/before
timeout 120 adb shell reboot -f > /dev/null 2>&1
device emulator-5554 && ends_with 1 adb shell test -e /tmp/before && kill -0 "$vmm"
result guest_rebooted $?

# A second guest has the next pair of ports.
first=$vmm
guest 43 --cpus 1 --virtio-packed on
device emulator-5556 && says second adb -s emulator-5556 shell echo second &&
	says first adb -s emulator-5554 shell echo first
result two_guests $?
export ANDROID_SERIAL=emulator-5556
round_trip 3000000
result packed_rings $?
unset ANDROID_SERIAL
ends "$vmm"
vmm=$first
device emulator-5556 gone
result guest_that_ends_is_gone $?

head -c 67108864 /dev/urandom > /tmp/file
adb push -Z /tmp/file "$DATA/file" > /tmp/push 2>&1 &
push=$!
# In the middle, whatever a second is worth here: adb has read an eighth of the file.
until [ "$(awk '/^rchar/ { print $2 }' "/proc/$push/io" 2>/dev/null || echo 67108864)" -gt 8388608 ]; do
	usleep 5000
done
kill -KILL "$vmm"
wait "$vmm" 2>/dev/null
wait "$push"
[ $? -ne 0 ]
killed=$?
guest 42 --cpus 2
device emulator-5554 && round_trip 1000000 && [ "$killed" -eq 0 ]
result guest_killed_in_a_push $?
ends "$vmm"

# ---- the same by the goldfish pipe; a program plays adbd's side, for adbd itself ----

boots "pipe_guest adb 5555 & guest-adbd" --cpus 2 --adb-transport pipe --adb-socket /tmp/adb.sock
device emulator-5554 && says pipe adb shell echo pipe && ends_with 7 adb shell exit 7
result by_pipe_devices_and_shell $?

round_trip 1 && round_trip 1000003 && round_trip 16777216 -Z
result by_pipe_push_and_pull $?

adb connect localfilesystem:/tmp/adb.sock > /tmp/connect 2>&1
device localfilesystem:/tmp/adb.sock &&
	says unix adb -s localfilesystem:/tmp/adb.sock shell echo unix &&
	says tcp adb -s emulator-5554 shell echo tcp
result by_pipe_two_clients $?
adb disconnect localfilesystem:/tmp/adb.sock > /dev/null

adb kill-server
adb start-server 2>/dev/null
device emulator-5554 && says again adb shell echo again
result by_pipe_adb_server_restarted $?

adb shell touch /tmp/before
timeout 120 adb shell reboot -f > /dev/null 2>&1
device emulator-5554 && ends_with 1 adb shell test -e /tmp/before && kill -0 "$vmm"
result by_pipe_guest_rebooted $?
ends "$vmm"
device emulator-5554 gone
result by_pipe_guest_that_ends_is_gone $?

adb kill-server
unload_modules
result modules_go $?
[ "$failed" -eq 0 ]
