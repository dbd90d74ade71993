#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The area vmm's part inside the host (busybox's sh). Prints
#
#	rss_kib N		private memory of a running vmmctl beyond the guest's RAM
#	state NAME SECONDS	from SIGTERM until it is gone, for each state; with _status
#				behind the name, until it has said how it is
#	states_done		all of them were measured
#	main thread: N calls	that are left to it
set -u

. /ranchu/host-lib.sh

export XDG_RUNTIME_DIR=/tmp/runtime
mkdir -p $XDG_RUNTIME_DIR
load_modules
head -c 4194304 /dev/zero > /tmp/image
forever="while true; do echo TICK; sleep 0.2; done"
out=/tmp/out

# start COMMAND OPTION...: a VM whose output is in $out.
start() {
	command=$1
	shift
	: > $out
	vmmctl run --name bench --kernel /ranchu/guest/Image \
		--initrd /ranchu/guest/initrd.cpio --memory 256M \
		--append "$linux_args ranchu.run=\"$command\"" "$@" </dev/null > $out 2>&1 &
	pid=$!
}

now() {
	cut -d ' ' -f 1 /proc/uptime
}

# took STATE: says how long that has taken since $begin.
took() {
	now | awk -v name="$1" -v begin="$begin" '{ printf "state %s %.2f\n", name, $1 - begin }'
}

# answers STATE: asks how it is, and says how long that took; a minute at most.
answers() {
	begin=$(now)
	timeout 60 vmmctl status bench > /dev/null || begin=0
	took "$1_status"
}

# stop STATE [COMMAND...]: ends it and says how long that took; a minute at most. Then runs
# COMMAND, without which the kernel may keep what is left of the process.
stop() {
	begin=$(now)
	kill -TERM "$pid"
	n=0
	while [ -e "/proc/$pid" ] && [ -z "$(sed -n 's/^State:.Z/x/p' "/proc/$pid/status")" ] &&
		[ $n -lt 3000 ]; do
		sleep 0.02
		n=$((n + 1))
	done
	took "$1"
	shift
	"$@"
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

# A device that reads, and one that does not; both accept.
peer() {
	socat UNIX-LISTEN:"$1",fork "$2" &
	peer_pid=$!
	until [ -S "$1" ]; do
		sleep 0.1
	done
}

start "$forever" --disk /tmp/image --vsock 3
waits_for() {
	while [ "$(grep -c "$2" $out)" -lt "$1" ] && kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
	done
}
waits_for 3 TICK
awk '/^[0-9a-f]+-/ { ram = /guest-ram/ } /^Private_/ && !ram { n += $2 }
	END { print "rss_kib", n }' "/proc/$pid/smaps"
stop running

start "$forever"
sleep 0.5
stop booting

start "$forever"
waits_for 1 TICK
vmmctl pause bench
stop paused

# Told to, and to end right behind that: a command is taken before the signal is.
tell() {
	printf '{"execute":"%s"}\n' "$1" |
		socat -u - UNIX-CONNECT:$XDG_RUNTIME_DIR/ranchu/bench/control.sock
}

start "$forever" --disk /tmp/image --vsock 3
waits_for 1 TICK
tell pause
stop pausing

start "$forever" --disk /tmp/image --vsock 3
waits_for 1 TICK
vmmctl pause bench
tell resume
stop resuming

start "$forever" --disk /tmp/image --vsock 3
waits_for 1 TICK
vmmctl snapshot save bench /tmp/snapshot &
save=$!
n=0
until vmmctl status bench | grep -q '"status": "saving"' || [ $n -eq 300 ]; do
	n=$((n + 1))
done
stop saving
wait $save

start "reboot -f"
waits_for 2 GUEST-READY
stop resetting

mkfifo /tmp/fifo
sleep 1000 < /tmp/fifo &
reader=$!
out=/tmp/fifo
start "yes TICK"
out=/tmp/out
n=0
until vmmctl stats bench 2>/dev/null | grep -q '"dropped_bytes": [1-9]' || [ $n -eq 300 ]; do
	sleep 0.5
	n=$((n + 1))
done
stop output_stalled
kill $reader

peer /tmp/hvc "EXEC:sleep 1000"
start "while true; do cat /bin/busybox > /dev/hvc0; done" --virtio console=/tmp/hvc
waits_for 1 GUEST-READY
sleep 3
stop hvc_not_read
kill $peer_pid

peer /tmp/keys "EXEC:printf abc; sleep 1000"
start "$forever" --virtio keyboard=/tmp/keys
waits_for 1 TICK
stop half_an_event
kill $peer_pid

# It accepts and says nothing, so vmmctl waits for it at the start.
peer /tmp/user "EXEC:sleep 1000"
start "$forever" --vhost-user rng,socket=/tmp/user
sleep 2
answers vhost_user_silent
stop vhost_user_silent
kill $peer_pid

# A file system whose disk stands still is frozen: whoever writes to it waits, and no signal
# ends that. Console, messages and statistics are there.
modprobe dm-mod && modprobe crc32c_generic && modprobe ext4 || exit 1
export DM_DISABLE_UDEV=1
truncate -s 16M /tmp/disk
losetup /dev/loop0 /tmp/disk
echo "0 32768 linear /dev/loop0 0" | dmsetup create frozen
mke2fs /dev/dm-0 > /dev/null 2>&1
mkdir -p /tmp/frozen
mount -t ext4 /dev/dm-0 /tmp/frozen || exit 1
out=/tmp/frozen/out
start "$forever" --stats=/tmp/frozen/stats
waits_for 3 TICK
dmsetup suspend frozen
sleep 1
kill -USR1 "$pid"
sleep 2
answers file_system_frozen
stop file_system_frozen dmsetup resume frozen
out=/tmp/out
umount /tmp/frozen
dmsetup remove frozen
losetup -d /dev/loop0

start "$forever"
waits_for 1 TICK
socat -u UNIX-CONNECT:$XDG_RUNTIME_DIR/ranchu/bench/control.sock EXEC:"sleep 1000" &
client=$!
sleep 1
stop control_client_stalled
kill $client

echo states_done
vmmctl sandbox
