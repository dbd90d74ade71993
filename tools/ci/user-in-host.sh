#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The part of the test of devices that processes serve (vhost-user, vDPA by VDUSE)
# inside the host (busybox's sh): stock guests, Debian's programs; iperf3 over vhost-net.
set -u

. /ranchu/net-lib.sh
. /ranchu/user-lib.sh

load_modules
echo "1..11"
modprobe tun && modprobe vhost_net && modprobe vhost_vsock || exit 1
tunctl -t tap0 > /dev/null
network_up

iperf3 -s > /tmp/iperf 2>&1 &
iperf_pid=$!
guest "load up iperf:-n:8M iperf:-R:-n:8M" --cpus 2 --no-reboot --net tap=tap0
sed -n 's/^\(.*\(sender\|receiver\)\)$/# \1/p' "$console"
appears 2 'receiver$' && printed '^GUEST-EXIT: 0$'
result iperf3 $?
kill $iperf_pid

refuses "nobody serves /tmp/none" --vhost-user blk,socket=/tmp/none &&
	refuses "cannot open /dev/vhost-vdpa-0" --vdpa dev=/dev/vhost-vdpa-0
result missing_servers_are_said $?

# All of the map is there: what was written is the kernel's, not the process's.
qemu-img create -q -f qcow2 -o preallocation=metadata /tmp/q 16M
qsd_socket
guest "load disk:vda mark:begin read:vda:2 mark:end" --cpus 2 --no-reboot \
	--vhost-user blk,socket=/tmp/qsd --stats=/tmp/stats --stats-at MARK
kill $qsd_pid
wait $qsd_pid
begin=$(virtio_counted "MARK begin")
end=$(virtio_counted "MARK end")
echo "# reads and writes of virtio registers that exited: before '$begin', after '$end'"
printed '^GUEST-EXIT: 0$' && [ -n "$(said 'vda: disk')" ] && [ "$(said 'vda: disk')" = "$(image_sum)" ]
result qcow2_by_qemu_storage_daemon $?
[ -n "$begin" ] && [ "$begin" = "$end" ]
result no_request_exits $?

# Killed in the middle of each of the first rounds.
qsd_socket
guest "load stress:vda:6" --cpus 2 --no-reboot --vhost-user blk,socket=/tmp/qsd &
boot_pid=$!
waits_for 1 GUEST-READY $boot_pid
for round in 1 2 3 4; do
	waits_for 1 "^round: $round" $boot_pid
	usleep $((round * 300000))
	kill -9 $qsd_pid
	wait $qsd_pid
	usleep 300000
	qsd_socket
done
wait $boot_pid
kill $qsd_pid
wait $qsd_pid
grep 'serve' "$console" | sed 's/^/# /'
appears 4 'is served again' && appears 6 '^round: [0-9]$' && printed '^GUEST-EXIT: 0$' &&
	! printed 'something else' && ! printed GUEST-SPLAT &&
	[ "$(said 'vda: disk')" = "$(image_sum)" ]
result server_killed_under_load $?

mkdir -p /tmp/share
cp /tmp/data /tmp/share/in
# virtiofsd ends when it is disconnected.
share() {
	rm -f /tmp/virtiofsd
	virtiofsd --socket-path=/tmp/virtiofsd --shared-dir /tmp/share --sandbox none \
		> /tmp/fs.log 2>&1 &
	waits_until [ -S /tmp/virtiofsd ]
}

share
guest "load fs:shared" --cpus 2 --no-reboot --vhost-user fs,socket=/tmp/virtiofsd,tag=shared
sed 's/^/# virtiofsd: /' /tmp/fs.log
printed '^GUEST-EXIT: 0$' && [ "$(said 'fs: in')" = "$(sum /tmp/data)" ] &&
	[ "$(said 'fs: out')" = "$(sum /tmp/share/dir/out)" ]
result virtiofsd $?

vhost_user_rng /tmp/rng &
waits_until [ -S /tmp/rng ]
guest "load random:65536" --cpus 1 --no-reboot --vhost-user rng,socket=/tmp/rng
printed '^random: virtio_rng.*, 65[56][0-9][0-9] of 65536 packed' && printed '^GUEST-EXIT: 0$'
result random_numbers_by_libvhost_user $?

host-passt /tmp/passt tap0 > /tmp/passt.log 2>&1 &
passt_pid=$!
waits_until [ -S /tmp/passt ]
guest "load up in:4000000 out:4000000" --cpus 2 --no-reboot --vhost-user net,socket=/tmp/passt
sed 's/^/# passt: /' /tmp/passt.log
printed "^in: $(sum /tmp/data)" && same && printed '^GUEST-EXIT: 0$'
result user_mode_network_by_passt $?

# ---- nine devices at once ----

truncate -s 16M /tmp/a /tmp/b /tmp/c
tunctl -t tap1 > /dev/null
qsd_socket
share
case $arch in
x86_64)
	slots="31 20"
	places="0000:00:03.0 0000:00:1f.0 0000:00:14.0 0000:00:1e.0"
	;;
*)
	slots="0 9,legacy"
	places="a003e00.virtio_mmio a000000.virtio_mmio a001200.virtio_mmio a003c00.virtio_mmio"
	;;
esac
guest "load devices disk:vda disk:vdb disk:vdc disk:vdd fs:shared" --cpus 2 --no-reboot \
	--disk /tmp/a --disk "/tmp/b,slot=${slots% *}" --disk "/tmp/c,slot=${slots#* }" \
	--net tap=tap0,slot=30 --net tap=tap1 --vsock 42,dev=/dev/vhost-vsock --vhost-user blk,socket=/tmp/qsd \
	--vhost-user fs,socket=/tmp/virtiofsd,tag=shared --vhost-user net,socket=/tmp/passt
kill $qsd_pid $passt_pid
wait $qsd_pid
sed -n 's/^device: /# /p' "$console"
found=
for place in $places; do
	found="$found $(sed -n "s/^device: $place 0x000\([0-9]\).*/\1/p" "$console")"
done
appears 9 '^device: ' && appears 4 ' virtio_blk$' && appears 3 ' virtio_net$' &&
	[ "$found" = " 2 2 2 1" ] && printed ' vmw_vsock_virtio_transport$' && printed '^GUEST-EXIT: 0$' &&
	! printed GUEST-SPLAT && [ "$(said 'fs: out')" = "$(sum /tmp/share/dir/out)" ]
result nine_devices_three_of_them_in_named_slots $?

if [ "$arch" = x86_64 ]; then
	refuses "no PCI function has legacy registers" --disk /tmp/a,legacy
	result legacy_is_refused $?
else
	guest "load devices disk:vda rebind:virtio_blk:5 up in:4000000 out:4000000" --cpus 2 \
		--no-reboot --disk /tmp/a,legacy --net tap=tap0,legacy
	[ "$(said 'vda: disk')" = "$(sum /tmp/a)" ] && printed "^in: $(sum /tmp/data)" && same &&
		printed '^GUEST-EXIT: 0$' && ! printed GUEST-SPLAT
	result legacy $?
fi

# ---- vDPA: a process again, but behind the kernel's VDUSE ----

modprobe vduse && modprobe vhost_vdpa && qsd type=vduse-blk,name=vduse0 &&
	waits_until [ -e /dev/vduse/vduse0 ] && vdpa dev add name vduse0 mgmtdev vduse &&
	waits_until [ -e /dev/vhost-vdpa-0 ]
[ $? -eq 0 ] || sed 's/^/# qsd: /' /tmp/qsd.log
guest "load disk:vda rebind:virtio_blk:5 read:vda:2" --cpus 2 --no-reboot --vdpa dev=/dev/vhost-vdpa-0
vdpa dev del vduse0
kill $qsd_pid
wait $qsd_pid
printed '^GUEST-EXIT: 0$' && [ -n "$(said 'vda: disk')" ] && [ "$(said 'vda: disk')" = "$(image_sum)" ]
result vdpa $?

host_ends
