#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The network test's part inside the host (busybox's sh): boots stock guests whose
# network is served by Linux' vhost-net, and moves data both ways.
set -u

. /ranchu/net-lib.sh

export XDG_RUNTIME_DIR=/tmp/runtime
mkdir -p $XDG_RUNTIME_DIR
load_modules
echo "1..13"

refuses "is tun loaded" --net tap=tap0
tun=$?
modprobe tun || exit 1
tunctl -t tap0 > /dev/null
refuses "is vhost_net loaded" --net tap=tap0 && [ "$tun" -eq 0 ]
result missing_modules_are_said $?
refuses "no tap interface tap9" --net tap=tap9 && [ ! -e /sys/class/net/tap9 ]
result a_tap_that_is_not_there_is_not_made $?
modprobe vhost_net || exit 1
refuses "packed rings" --net tap=tap0 --virtio-packed on
result missing_packed_rings_are_said $?
refuses "two virtio devices have slot 3" --net tap=tap0,slot=3 --net tap=tap1,slot=3
result two_devices_in_one_slot_are_said $?

network_up
# Its vhost-net is not asked to translate addresses, whatever the guest's driver agrees to.
guest "load up in:4000000 out:4000000 in:4000000" --cpus 2 --no-reboot --access-platform on \
	--net tap=tap0,mac=02:00:00:00:12:34
printed '^eth0: 02:00:00:00:12:34, link 1$' && printed '3 packets received' &&
	printed '^GUEST-EXIT: 0$' && ! printed GUEST-SPLAT
result guest_is_on_the_network $?
appears 2 "^in: $(sum /tmp/data)" && same
result data_is_right_both_ways $?

# Between the two lines that the guest prints there is data and nothing else.
guest "load up out:300000 mark:begin in:4000000 out:4000000 mark:end" --cpus 1 --no-reboot \
	--net tap=tap0 --stats=/tmp/stats --stats-at MARK
begin=$(virtio_counted "MARK begin")
end=$(virtio_counted "MARK end")
echo "# reads and writes of virtio registers that exited: before '$begin', after '$end'"
same && printed '^GUEST-EXIT: 0$' && no_exits "$begin" "$end"
result no_packet_exits $?
# As much as the data and little more. A packet may have 64 KiB: it is cut up later, or never.
net_counted() {
	sed -n "s/.*\"label\":\"power-off\".*\"net0\":{[^}]*\"$1\":\([0-9]*\).*/\1/p" /tmp/stats
}
out=$(net_counted bytes_out)
in=$(net_counted bytes_in)
echo "# sent $out bytes, $(net_counted packets_out) packets, given $in, $(net_counted packets_in)," \
	"dropped $(net_counted dropped_out), $(net_counted dropped_in)"
[ "${out:-0}" -gt 4300000 ] && [ "$out" -lt 8000000 ] && [ "${in:-0}" -gt 4000000 ] &&
	[ "$in" -lt 8000000 ] && [ "$(net_counted packets_out)" -gt 50 ] &&
	[ "$(net_counted packets_in)" -gt 50 ]
result packets_are_counted $?

# The guest's link follows the host's interface.
guest "load up mark:begin link mark:end" --cpus 1 --no-reboot --net tap=tap0 \
	--stats=/tmp/stats --stats-at MARK &
boot_pid=$!
waits_for 1 '^link: 1' $boot_pid
ip link set tap0 down
waits_for 1 '^link: 0' $boot_pid
ip link set tap0 up
wait "$boot_pid"
begin=$(virtio_counted "MARK begin")
end=$(virtio_counted "MARK end")
echo "# reads and writes of virtio registers that exited: before '$begin', after '$end'"
# By MMIO the guest says that it has seen the interrupt and reads the link in the window;
# with a message of its own there is nothing to say, and the read exits.
case $arch in
x86_64) reads=2 writes=0 ;;
*) reads=0 writes=2 ;;
esac
# How often a driver reads is its own affair.
has_window || reads=$((${end% *} - ${begin% *}))
appears 2 '^link: 1$' && appears 1 '^link: 0$' && printed '^GUEST-EXIT: 0$' &&
	[ $((${end% *} - ${begin% *})) -eq $reads ] && [ $((${end#* } - ${begin#* })) -eq $writes ]
result link_follows_the_interface_by_one_exit_each $?

# While the VM is paused vhost-net takes no packet from the tap, though the guest has buffers
# for it; afterwards the guest answers, and its data is right.
answers() {
	ping -q -c 3 -W "$1" 10.0.2.15 > /tmp/ping 2>&1
	code=$?
	sed 's/^/# /' /tmp/ping
	return $code
}
taken=/sys/class/net/tap0/statistics/tx_packets
: > "$console"
guest "load up link in:300000 out:300000" --cpus 1 --no-reboot --net tap=tap0 --name paused &
boot_pid=$!
waits_for 1 '^link: 1' $boot_pid
answers 10
before=$?
vmmctl pause paused
from=$(cat $taken)
answers 2
during=$?
to=$(cat $taken)
echo "# packets that were taken from the tap before the pause $from, after it $to"
vmmctl resume paused
answers 10
after=$?
ip link set tap0 down
waits_for 1 '^link: 0' $boot_pid
ip link set tap0 up
wait "$boot_pid"
[ "$before" -eq 0 ] && [ "$during" -ne 0 ] && [ "$after" -eq 0 ] && [ "$from" -gt 0 ] &&
	[ "$from" -eq "$to" ] && printed '^GUEST-EXIT: 0$' && same && ! printed GUEST-SPLAT
result pause_takes_no_packet $?

# The interface's MTU is the guest's, and is so again behind a reset of its driver.
ip link set tap0 mtu 1280
guest "load up rebind:virtio_net:1 up" --cpus 1 --no-reboot --net tap=tap0
ip link set tap0 mtu 1500
appears 2 '^mtu: 1280$' && printed '^GUEST-EXIT: 0$'
result mtu_is_the_interfaces $?

# Reads that exit instead of the window.
guest "load up out:300000 rebind:virtio_net:5 up out:300000" --cpus 1 --no-reboot \
	--net tap=tap0 --window off
appears 2 '3 packets received' && same && printed '^GUEST-EXIT: 0$'
result no_window_and_many_resets $?

: > "$console"
guest "load up out:300000 reboot" --cpus 2 --net tap=tap0 &
boot_pid=$!
waits_for 2 '^out: got [0-9a-f]\{64\}' "$boot_pid"
again=$?
killall -TERM vmmctl
wait "$boot_pid"
[ "$again" -eq 0 ] && same
result reset_boots_again $?

host_ends
