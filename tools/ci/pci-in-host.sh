#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The part of pci-test.sh inside the host (busybox's sh): boots stock guests with a
# device of each kind, and compares what both ends of each have seen.
set -u

. /ranchu/net-lib.sh
. /ranchu/virtio-lib.sh
. /ranchu/user-lib.sh

# adb keeps its keys there.
export HOME=/tmp
export ANDROID_SERIAL=emulator-5554
DATA=/data/local/tmp
# Which board has the bus, and how its interrupts are called in a guest.
case $arch in
x86_64)
	board=
	messages="PCI-MSIX"
	pins="IO-APIC 1[01]-fasteoi"
	count=17
	;;
*)
	board="--board virt --virtio-bus pci"
	messages="GICv2m-PCI-MSIX"
	pins="GIC\(v3\|-0\) 3[5-8] Level"
	count=19
	;;
esac

# everything RUN ARGUMENTS OPTION...: starts a guest with two disks of the kernel's, and
# one device of each other kind; its vmmctl is $vmm.
everything() {
	run=$1
	arguments=$2
	shift 2
	rm -f /tmp/a /tmp/b
	truncate -s 16M /tmp/a /tmp/b
	qemu-img create -q -f qcow2 -o preallocation=metadata /tmp/q 16M
	qsd_socket
	small_peers
	: > "$console"
	# shellcheck disable=SC2086 # a list of words
	timeout 600 vmmctl run --kernel /ranchu/guest/Image \
		--initrd /ranchu/guest/initrd.cpio --memory 512M \
		--append "$linux_args $arguments ranchu.run=\"$run\"" \
		--disk /tmp/a --net tap=tap0 --vhost-user blk,socket=/tmp/qsd \
		--vsock 42 --adb-socket /tmp/adb.sock $board $small_devices "$@" \
		</dev/null >"$console" 2>&1 &
	vmm=$!
}

everything_ends() {
	wait "$vmm"
	# Those whose device the guest has used to the end are gone.
	# shellcheck disable=SC2086 # a list of numbers
	kill "$qsd_pid" $small_pids 2>/dev/null
	wait "$qsd_pid"
	sed -n 's/^\(device\|interrupt\): /# /p' "$console"
}

# disk_is NAME IMAGE-SUM: what the guest has seen on it is what is there.
disk_is() {
	[ -n "$(said "$1: disk")" ] && [ "$(said "$1: disk")" = "$2" ]
}

# by WAY: every interrupt of a virtio device's is that, and some have come.
by() {
	grep '^interrupt: ' "$console" > /tmp/interrupts
	grep -q "^interrupt: [1-9][0-9]* *$1" /tmp/interrupts &&
		! grep -v "^interrupt: [0-9]* *$1" /tmp/interrupts
}

# came NAME: at least once.
came() {
	grep -q "^interrupt: [1-9].* $1" /tmp/interrupts
}

load_modules
modprobe tun && modprobe vhost_net || exit 1
tunctl -t tap0 > /dev/null
network_up
adb start-server 2>/dev/null
echo "1..$count"

everything "pipe_guest test && $(each net-in-guest "load devices up disk:vda disk:vdb \
		disk:vdc mark:begin read:vda:4 read:vdc:1 in:4000000 out:4000000 mark:end interrupts adbd \
		hold:/tmp/end") && virtio-in-guest" "" \
	--disk /tmp/b,direct,queues=2 --stats=/tmp/stats --stats-at MARK
waits_for 1 'MARK end' "$vmm"
timeout 120 adb wait-for-device
[ "$(adb shell echo hello)" = hello ]
shell=$?
head -c 4000000 /dev/urandom > /tmp/file
adb shell "echo MARK push > /dev/console"
adb push -Z /tmp/file $DATA/file > /tmp/push 2>&1
adb shell "echo MARK pushed > /dev/console"
pushed=$(adb shell "sha256sum < $DATA/file | cut -c 1-64")
adb shell touch /tmp/end
small_talk
everything_ends
printed '^device: 0000:00:03.0 0x0002 virtio_blk' && printed '^device: 0000:00:04.0 0x0002 virtio_blk' &&
	printed '^device: 0000:00:09.0 0x0001 virtio_net' && printed '^device: 0000:00:0a.0 0x0002' &&
	printed '^device: 0000:00:0c.0 0x0013' && printed '^device: 0000:00:0d.0 0x0004' &&
	printed '^device: 0000:00:0e.0 0x0005' && printed '^device: 0000:00:0f.0 0x0003' &&
	printed '^device: 0000:00:10.0 0x0012' && printed '^device: 0000:00:11.0 0x0012'
result devices_are_in_the_emulators_slots $?
printed '^ok .*blocked_reader_is_woken' && ! printed '^not ok'
result pipe_by_its_stock_driver $?
by "$messages" && came virtio0-req.0 && came virtio1-req && came virtio2-input && came virtio3-req
result a_message_for_each_queue $?
disk_is vda "$(sum /tmp/a)" && disk_is vdb "$(sum /tmp/b)"
result disks_of_the_kernels $?
disk_is vdc "$(image_sum)"
result disk_by_qemu_storage_daemon $?
printed "^in: $(sum /tmp/data)" && same
result network_by_vhost_net $?
[ "$shell" -eq 0 ] && [ "$pushed" = "$(sum /tmp/file)" ]
result adb_by_our_vsock $?
begin=$(virtio_counted "MARK begin")
end=$(virtio_counted "MARK end")
echo "# accesses to the PCI bus that exited: before '$begin', after '$end'"
[ -n "$begin" ] && [ "$begin" = "$end" ]
result no_request_and_no_packet_exits $?
begin=$(virtio_counted "MARK push")
end=$(virtio_counted "MARK pushed")
echo "# accesses to the PCI bus that exited: before a push '$begin', after it '$end'"
[ -n "$begin" ] && [ "$begin" = "$end" ]
result no_push_exits $?
small_results ""

# By pins, which two or more share, and one disk where it was asked for.
everything "$(each net-in-guest "load devices up disk:vda disk:vdb disk:vdc in:4000000 \
		out:4000000 random:65536 interrupts adbd hold:/tmp/end")" pci=nomsi \
	--disk /tmp/b,slot=30
waits_for 1 '^random' "$vmm"
timeout 120 adb wait-for-device
adb push -Z /tmp/file $DATA/file > /tmp/push 2>&1
pushed=$(adb shell "sha256sum < $DATA/file | cut -c 1-64")
adb shell touch /tmp/end
everything_ends
by "$pins" && printed '^device: 0000:00:1e.0 0x0002 virtio_blk' &&
	printed '^GUEST-EXIT: 0' && ! printed GUEST-SPLAT
result pins_without_messages $?
disk_is vda "$(sum /tmp/a)" && disk_is vdb "$(image_sum)" && disk_is vdc "$(sum /tmp/b)" &&
	printed "^in: $(sum /tmp/data)" && same && printed '^random: virtio_rng.*, 65[56]' &&
	[ "$pushed" = "$(sum /tmp/file)" ]
result data_is_right_by_pins $?

# All of them again behind a reset.
everything "$(each net-in-guest "load up disk:vda disk:vdb in:300000 random:65536 reboot")" ""
waits_for 2 '^random: virtio_rng.*, 65[56]' "$vmm"
again=$?
kill -TERM "$vmm"
everything_ends
[ "$again" -eq 0 ] && appears 2 "^in: " && disk_is vda "$(sum /tmp/a)" && disk_is vdb "$(image_sum)"
result reset_boots_again $?

# What else the second arm64 board has, with virtio devices where the emulator has them.
power_key() {
	: > "$console"
	timeout 300 vmmctl run --name power --board virt --kernel /ranchu/guest/Image \
		--initrd /ranchu/guest/initrd.cpio --memory 512M --disk /tmp/a \
		--append "$linux_args ranchu.run=\"pipe_guest test && power-in-guest && $(each \
			net-in-guest "devices disk:vda")\"" </dev/null >"$console" 2>&1 &
	vmm=$!
	waits_for 1 POWER-READY "$vmm"
	sleep 1
	vmmctl power-button power
	wait "$vmm"
	sed -n 's/^\(bound\|power\|device\)/# &/p' "$console"
}
if [ -n "$board" ]; then
	power_key
	printed '^power:0001 0074 0001 0000;0000 0000 0000 0000;0001 0074 0000 0000;0000' &&
		! printed GUEST-SPLAT
	result power_button_is_a_key $?
	printed '^bound: a060000.goldfish_pipe goldfish_pipe' &&
		printed '^device: a003e00.virtio_mmio 0x0002 virtio_blk' &&
		printed '^GUEST-EXIT: 0' && disk_is vda "$(sum /tmp/a)"
	result pipe_and_disk_are_where_the_emulator_has_them $?
fi

adb kill-server
host_ends
