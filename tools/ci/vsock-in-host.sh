#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The vsock test's part inside the host (busybox's sh): boots stock guests whose
# vsock is served by Linux' own vhost_vsock, and moves data both ways.
set -u

while read -r module; do
	insmod "/ranchu/modules/$module.ko" || exit 1
done < /ranchu/modules/order

number=0
failed=0
console=/tmp/console
node=/dev/vhost-vsock

# result NAME 0|1
result() {
	number=$((number + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $number $1"
	else
		sed 's/^/# /' "$console"
		echo "not ok $number $1"
		failed=$((failed + 1))
	fi
}

# boot COMMANDS OPTION...: runs vsock-in-guest with each of COMMANDS.
boot() {
	run=
	for command in $1; do
		run="${run:+$run && }vsock-in-guest $(echo "$command" | tr : ' ')"
	done
	shift
	vmmctl run --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio \
		--memory 512M --append "console=ttyAMA0 quiet panic=-1 ranchu.run=\"$run\"" \
		"$@" </dev/null 2>&1 | tr -d '\r' > "$console"
}

printed() {
	grep -q "$1" "$console"
}

# appears N TEXT: the console has it N times.
appears() {
	[ "$(grep -c "$2" "$console")" -eq "$1" ]
}

# refuses TEXT OPTION...: vmmctl ends with 1 and one line that has TEXT.
refuses() {
	text=$1
	shift
	timeout 60 vmmctl run --kernel /ranchu/guest/Image --memory 128M "$@" \
		</dev/null > /tmp/refused 2>&1
	rc=$?
	sed 's/^/# /' /tmp/refused
	[ "$rc" -eq 1 ] && [ "$(wc -l < /tmp/refused)" -eq 1 ] && grep -q "$text" /tmp/refused
}

# counted LABEL DEVICE: reads and writes that had exited by then.
counted() {
	sed -n "s/.*\"label\":\"$1\".*\"$2\":{\"reads\":\([0-9]*\),\"writes\":\([0-9]*\)}.*/\1 \2/p" \
		/tmp/stats
}

: > "$console"
echo "1..10"

refuses "is vhost_vsock loaded" --vsock "42,dev=$node"
result missing_module_is_said $?

modprobe vhost_vsock || exit 1
refuses "packed rings" --vsock "42,dev=$node" --virtio-packed on
result missing_packed_rings_are_said $?

# The host's end for all guests that follow.
vsock_peer serve 1025 1000 &
echo_pid=$!

# Out, in, and with the driver taken away and given back, out and in again.
boot "load out in rebind out rebind in out" --cpus 2 --no-reboot --vsock "42,dev=$node" &
boot_pid=$!
vsock_peer talk 42 1024 2000000 > /tmp/talk 2>&1
# The guest is up, and waits to be called once more.
refuses "another guest has the CID 42" --vsock "42,dev=$node"
in_use=$?
vsock_peer talk 42 1024 2000000 >> /tmp/talk 2>&1
wait "$boot_pid"
sed 's/^/# host: /' /tmp/talk
printed '^cid: 42$' && printed '^device: a003e00.virtio_mmio/virtio0$' && ! printed GUEST-SPLAT
result guest_has_the_cid_in_the_highest_transport $?
appears 3 '^talk: sent 2000000 .*: same$' && printed '^GUEST-EXIT: 0$'
result guest_to_host_and_after_rebinding $?
[ "$(grep -c '^talk: sent 2000000 .*: same$' /tmp/talk)" -eq 2 ]
result host_to_guest_and_after_rebinding $?
result cid_in_use_is_said "$in_use"

# Between the two lines that the guest prints there is data and nothing else.
boot "load out mark:begin out:8000000 mark:end" --cpus 1 --no-reboot --vsock "42,dev=$node" \
	--stats=/tmp/stats --stats-at MARK
begin=$(counted "MARK begin" virtio_mmio)
end=$(counted "MARK end" virtio_mmio)
echo "# reads and writes of virtio registers that exited: before '$begin', after '$end'"
printed '^talk: sent 8000000 .*: same$' && [ -n "$begin" ] && [ "$begin" = "$end" ]
result no_packet_exits $?
[ "${begin% *}" = 0 ]
result no_register_read_exits $?

# Reads that exit instead of the window.
boot "load out:300000 rebind out:300000" --cpus 1 --no-reboot --vsock "42,dev=$node" --window off
appears 2 '^talk: sent 300000 .*: same$' && printed '^GUEST-EXIT: 0$'
result no_window $?

# A reset gives the CID back and takes it again.
: > "$console"
boot "load out:300000 reboot" --cpus 2 --vsock "42,dev=$node" &
boot_pid=$!
while [ "$(grep -c '^talk: sent 300000 .*: same$' "$console")" -lt 2 ] &&
		kill -0 "$boot_pid" 2>/dev/null; do
	sleep 1
done
[ "$(grep -c '^talk: sent 300000 .*: same$' "$console")" -ge 2 ]
result reset_boots_again $?
killall -TERM vmmctl
wait "$boot_pid"

kill "$echo_pid"
wait
tac /ranchu/modules/order | xargs rmmod || failed=1
rmmod vhost_vsock || failed=1
[ "$failed" -eq 0 ]
