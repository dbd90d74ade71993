#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The vsock test's part inside the host (busybox's sh): boots stock guests whose
# vsock is served by Linux' own vhost_vsock, and moves data both ways; and one whose
# VMM believes so, and has our node.
set -u

. /ranchu/host-lib.sh

node=/dev/vhost-vsock

# guest COMMANDS OPTION...: runs vsock-in-guest with each of COMMANDS.
guest() {
	boot_each vsock-in-guest "$@"
}

load_modules
echo "1..12"

# Debian's QEMU, which knows of no other node than Linux' and tells ours nothing more:
# it is served as by Linux', but whoever calls from the guest finds nobody.
ln -s vhost-vsock-adb "$node"
calls="vsock-in-guest load && vsock-in-guest rebind && ! vsock-in-guest out"
# shellcheck disable=SC2086 # a list of words
timeout 300 $qemu -cpu host -accel kvm -nodefaults \
	-display none -smp "$(nproc)" -m 512M -no-reboot -kernel /ranchu/guest/Image \
	-initrd /ranchu/guest/initrd.cpio -append "$linux_args ranchu.run=\"$calls\"" \
	-serial "file:$console" -device vhost-vsock-pci,guest-cid=42 > /tmp/qemu 2>&1
sed 's/^/# qemu: /' /tmp/qemu
[ ! -s /tmp/qemu ] && printed '^cid: 42' && printed '^GUEST-EXIT: 0' && printed "reset by peer"
result qemu_is_served_by_our_node_unmodified $?
rm "$node"
: > "$console"

refuses "is vhost_vsock loaded" --vsock "42,dev=$node"
result missing_module_is_said $?

modprobe vhost_vsock || exit 1
refuses "packed rings" --vsock "42,dev=$node" --virtio-packed on
result missing_packed_rings_are_said $?

# The host's end for all guests that follow.
vsock_peer serve 1025 1000 &
echo_pid=$!

# Out, in, and with the driver taken away and given back, out and in again.
guest "load out in rebind out rebind in out" --cpus 2 --no-reboot --vsock "42,dev=$node" &
boot_pid=$!
vsock_peer talk 42 1024 2000000 > /tmp/talk 2>&1
# The guest is up, and waits to be called once more.
refuses "another guest has the CID 42" --vsock "42,dev=$node"
in_use=$?
vsock_peer talk 42 1024 2000000 >> /tmp/talk 2>&1
wait "$boot_pid"
sed 's/^/# host: /' /tmp/talk
case $arch in
x86_64) place=0000:00:09.0 ;;	# the first behind the disks
*) place=a003e00.virtio_mmio ;;	# the highest transport
esac
printed '^cid: 42$' && printed "^device: $place/virtio0\$" && ! printed GUEST-SPLAT
result guest_has_the_cid_in_the_first_place $?
appears 3 '^talk: sent 2000000 .*: same$' && printed '^GUEST-EXIT: 0$'
result guest_to_host_and_after_rebinding $?
[ "$(grep -c '^talk: sent 2000000 .*: same$' /tmp/talk)" -eq 2 ]
result host_to_guest_and_after_rebinding $?
result cid_in_use_is_said "$in_use"

# Between the two lines that the guest prints there is data and nothing else.
guest "load out mark:begin out:8000000 mark:end" --cpus 1 --no-reboot --vsock "42,dev=$node" \
	--stats=/tmp/stats --stats-at MARK
begin=$(virtio_counted "MARK begin")
end=$(virtio_counted "MARK end")
echo "# reads and writes of virtio registers that exited: before '$begin', after '$end'"
printed '^talk: sent 8000000 .*: same$' && no_exits "$begin" "$end"
result no_packet_exits $?
if [ "$arch" = x86_64 ]; then
	skipped no_register_read_exits "PCI has no register window"
elif ! has_window; then
	skipped no_register_read_exits "this host's pages are too large for a window"
else
	[ "${begin% *}" = 0 ]
	result no_register_read_exits $?
fi

# Both nodes at once. What is one's CID is nothing to the other.
(
	console=/tmp/console.ours
	guest "load in" --cpus 1 --no-reboot --vsock 42 --adb off --vsock-uds /tmp/uds
) &
ours=$!
guest "load in" --cpus 1 --no-reboot --vsock "42,dev=$node" &
boot_pid=$!
vsock_peer talk 42 1024 2000000 > /tmp/talk 2>&1 && vsock_peer talk /tmp/uds 1024 2000000 >> /tmp/talk 2>&1
beside=$?
wait "$boot_pid" "$ours"
sed 's/^/# host: /' /tmp/talk
sed 's/^/# ours: /' /tmp/console.ours
[ "$beside" -eq 0 ] && [ "$(grep -c '^talk: sent 2000000 .*: same$' /tmp/talk)" -eq 2 ] &&
	printed '^GUEST-EXIT: 0$' && grep -q '^GUEST-EXIT: 0$' /tmp/console.ours
result beside_our_node $?

# Reads that exit instead of the window.
if [ "$arch" = x86_64 ]; then
	skipped no_window "PCI has no register window"
else
	guest "load out:300000 rebind out:300000" --cpus 1 --no-reboot --vsock "42,dev=$node" \
		--window off
	appears 2 '^talk: sent 300000 .*: same$' && printed '^GUEST-EXIT: 0$'
	result no_window $?
fi

# A reset gives the CID back and takes it again.
: > "$console"
guest "load out:300000 reboot" --cpus 2 --vsock "42,dev=$node" &
boot_pid=$!
waits_for 2 '^talk: sent 300000 .*: same$' "$boot_pid"
result reset_boots_again $?
killall -TERM vmmctl
wait "$boot_pid"

kill "$echo_pid"
wait
unload_modules || failed=1
rmmod vhost_vsock || failed=1
[ "$failed" -eq 0 ]
