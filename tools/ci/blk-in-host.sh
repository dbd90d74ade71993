#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The disk test's part inside the host (busybox's sh): boots stock guests with disks
# of every kind, and compares what they have read and written with the images.
set -u

. /ranchu/host-lib.sh

# guest COMMANDS OPTION...: runs blk-in-guest with each of COMMANDS.
guest() {
	boot_each blk-in-guest "$@"
}

# image NAME MIB
image() {
	rm -f "/tmp/$1"
	truncate -s "$2M" "/tmp/$1"
}

load_modules
echo "1..11"

refuses "cannot open /tmp/none" --disk /tmp/none && refuses "refuses /dev/null" --disk /dev/null
result what_is_no_image_is_said $?

# Files in memory, one behind a loop device as well, which is asynchronous.
image a 16
image b 16
image c 16
image d 16
losetup /dev/loop0 /tmp/c
guest "load show:vda show:vdb show:vdc show:vdd fill:vda fill:vdc fill:vdd check:vda" \
	--cpus 2 --no-reboot --disk "/tmp/d,served=user,queues=2$(at 6)" \
	--disk "/dev/loop0,direct$(at 5)" \
	--disk "/tmp/b,readonly,block=4096,queues=2$(at 4)" --disk "/tmp/a$(at 3)"
printed '^vda: 32768 sectors of 512, 1 queues, id ranchu-disk3, ro 0, write back$' &&
	printed '^vdb: 32768 sectors of 4096, 2 queues, id ranchu-disk2, ro 1, write back$' &&
	printed '^vdc: 32768 sectors of 512, 1 queues, id ranchu-disk1, ro 0, write back$' &&
	printed '^vdd: 32768 sectors of 512, 2 queues, id ranchu-disk0, ro 0, write back$'
result disks_are_as_asked_for $?
[ "$(said 'vda: disk')" = "$(sum /tmp/a)" ] && printed '^GUEST-EXIT: 0$' && ! printed GUEST-SPLAT
result a_file_system_on_a_file $?
[ "$(said 'vdc: disk')" = "$(sum /tmp/c)" ]
result a_file_system_on_a_block_device $?
[ "$(said 'vdd: disk')" = "$(sum /tmp/d)" ]
result a_file_system_served_by_vmmctl $?

# Again with packed rings, and the loop device by vmmctl.
file=$(said 'vda: file')
looped=$(said 'vdc: file')
guest "load check:vda read:vda:8 write:vdb check:vdc fill:vdc trim:vdc check:vdc write:vdd" \
	--cpus 2 --no-reboot --virtio-packed on --access-platform on \
	--disk "/tmp/d,readonly,served=user$(at 6)" --disk "/dev/loop0,direct,served=user$(at 5)" \
	--disk "/tmp/b,readonly$(at 4)" --disk "/tmp/a,direct,queues=2$(at 3)"
[ "$(said 'vda: file')" = "$file" ] && [ -n "$file" ] && printed '^vdb: not written$'
result packed_rings_and_read_only $?
printed "^vdc: file $looped" && [ "$(said 'vdc: disk')" = "$(sum /tmp/c)" ] &&
	printed '^vdd: not written$' && printed '^GUEST-EXIT: 0$'
result packed_rings_served_by_vmmctl $?

used=$(du -k /tmp/a | cut -f 1)
guest "load trim:vda check:vda" --cpus 1 --no-reboot --disk /tmp/a
[ "$(said 'vda: file')" = "$file" ] && [ "$(du -k /tmp/a | cut -f 1)" -le "$used" ] &&
	printed '^GUEST-EXIT: 0$'
result trim $?

# Between the two lines that the guest prints there is data and nothing else.
guest "load read:vda:1 mark:begin read:vda:16 mark:end" --cpus 1 --no-reboot --disk /tmp/a \
	--stats=/tmp/stats --stats-at MARK
begin=$(virtio_counted "MARK begin")
end=$(virtio_counted "MARK end")
echo "# reads and writes of virtio registers that exited: before '$begin', after '$end'"
printed '^GUEST-EXIT: 0$' && no_exits "$begin" "$end"
result no_request_exits $?

# A reset gives the disk back and takes it again.
: > "$console"
guest "load fill:vda reboot" --cpus 2 --disk /tmp/b &
boot_pid=$!
waits_for 2 '^vda: disk ' "$boot_pid"
again=$?
killall -TERM vmmctl
wait "$boot_pid"
result reset_boots_again $again

losetup -d /dev/loop0
unload_modules
result modules_go $?
[ "$failed" -eq 0 ]
