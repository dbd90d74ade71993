# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Shared by the scripts that test the virtio devices which vmmctl serves itself, in an
# emulated host (busybox's sh): what is at their other ends while a guest runs
# virtio-in-guest. Sourced behind host-lib.sh, never run.

# What vmmctl is given for them.
small_devices="--virtio rng --virtio balloon=64M --virtio console=/tmp/hvc.sock \
	--virtio keyboard=/tmp/keyboard.sock --virtio multitouch=/tmp/multitouch.sock"

# Of guest memory, what there is of it here.
resident() {
	sed -n 's/^RssShmem:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$vmm/status"
}

# event TYPE CODE VALUE: struct virtio_input_event.
event() {
	# shellcheck disable=SC2059 # an escape sequence, made here
	printf "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x\\x%02x\\x%02x\\x00\\x00' $(($1 & 255)) \
		$(($1 >> 8)) $(($2 & 255)) $(($2 >> 8)) $(($3 & 255)) $(($3 >> 8)))"
}

# The sockets that the devices connect to: before vmmctl starts.
small_peers() {
	rm -f /tmp/hvc* /tmp/keyboard* /tmp/multitouch*
	mkfifo /tmp/hvc-in
	echo 'exec 3<&0; cat <&3 > /tmp/hvc-out & cat < /tmp/hvc-in; wait' > /tmp/peer
	socat UNIX-LISTEN:/tmp/hvc.sock EXEC:"sh /tmp/peer" &
	small_pids=$!
	for kind in keyboard multitouch; do
		mkfifo "/tmp/$kind"
		socat -U "UNIX-LISTEN:/tmp/$kind.sock" "PIPE:/tmp/$kind" &
		small_pids="$small_pids $!"
	done
	sleep 1
}

# Talks with virtio-in-guest until it has printed its END; $vmm is vmmctl's process.
small_talk() {
	# What comes before the guest has its terminal as it wants it would be echoed.
	waits_for 1 CONSOLE-READY "$vmm"
	echo "from the host" > /tmp/hvc-in &
	waits_for 1 INPUT-READY "$vmm"
	{
		event 1 30 1
		event 0 0 0
		event 1 114 1
		event 0 0 0
	} > /tmp/keyboard &
	{
		event 3 47 1
		event 3 57 7
		event 3 53 1000
		event 3 54 2000
		event 0 0 0
	} > /tmp/multitouch &
	waits_for 1 BIG "$vmm"
	sleep 2
	big=$(resident)
	waits_for 1 FREED "$vmm"
	# While the guest is there: it ends soon after its END.
	while freed=$(resident) && [ "$freed" -ge $((big - 32000)) ] && ! printed '^END'; do
		sleep 1
	done
}

# small_results SUFFIX: five, when the guest is gone.
small_results() {
	grep -o 'z' /tmp/hvc-out | wc -l > /tmp/hvc-count

	printed '^rng: virtio_rng.*, 100000 bytes, 65[56]'
	result "rng$1" $?
	printed '^console: from the host' && head -n 1 /tmp/hvc-out | grep -q '^from the guest' &&
		[ "$(cat /tmp/hvc-count)" = 300000 ]
	result "console$1" $?
	# The time, 16 bytes, comes first; the value last, its lower half first.
	printed '^keyboard:.* 0001 001e 0001 0000;.* 0001 0072 0001 0000;'
	result "keyboard$1" $?
	printed '^multitouch:.* 0003 002f 0001 0000;.* 0003 0039 0007 0000;.* 0003 0035 03e8 0000;.* 0003 0036 07d0 0000;'
	result "multitouch$1" $?
	echo "# guest memory: $big kB with a large file, $freed kB after it"
	[ "$freed" -lt $((big - 32000)) ] && [ "$big" -lt $((460 * 1024)) ] &&
		printed '^GUEST-EXIT: 0' && ! printed GUEST-SPLAT
	result "balloon$1" $?
}
