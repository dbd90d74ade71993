#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The disk test's part inside the host (busybox's sh): boots stock guests with disks
# of every kind, and compares what they have read and written with the images.
set -u

number=0
failed=0
console=/tmp/console

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

# boot COMMANDS OPTION...: runs blk-in-guest with each of COMMANDS.
boot() {
	run=
	for command in $1; do
		run="${run:+$run && }blk-in-guest $(echo "$command" | tr : ' ')"
	done
	shift
	vmmctl run --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio \
		--memory 512M --append "console=ttyAMA0 quiet panic=-1 ranchu.run=\"$run\"" \
		"$@" </dev/null 2>&1 | tr -d '\r' > "$console"
}

printed() {
	grep -q "$1" "$console"
}

# What the guest has printed behind "NAME WHAT ".
said() {
	sed -n "s/^$1 \([0-9a-f]*\).*/\1/p" "$console" | tail -n 1
}

sum() {
	sha256sum < "$1" | cut -c 1-64
}

# image NAME MIB
image() {
	rm -f "/tmp/$1"
	truncate -s "$2M" "/tmp/$1"
}

# counted LABEL DEVICE: reads and writes that had exited by then.
counted() {
	sed -n "s/.*\"label\":\"$1\".*\"$2\":{\"reads\":\([0-9]*\),\"writes\":\([0-9]*\)}.*/\1 \2/p" \
		/tmp/stats
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

while read -r module; do
	insmod "/ranchu/modules/$module.ko" || exit 1
done < /ranchu/modules/order
: > "$console"
echo "1..11"

refuses "cannot open /tmp/none" --disk /tmp/none && refuses "refuses /dev/null" --disk /dev/null
result what_is_no_image_is_said $?

# Files in memory, one behind a loop device as well, which is asynchronous.
image a 16
image b 16
image c 16
image d 16
losetup /dev/loop0 /tmp/c
# The first disk has the highest transport, and Linux finds that last.
boot "load show:vda show:vdb show:vdc show:vdd fill:vda fill:vdc fill:vdd check:vda" \
	--cpus 2 --no-reboot --disk /tmp/d,served=user,queues=2 --disk /dev/loop0,direct --disk /tmp/b,readonly,block=4096,queues=2 --disk /tmp/a
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
boot "load check:vda read:vda:8 write:vdb check:vdc fill:vdc trim:vdc check:vdc write:vdd" \
	--cpus 2 --no-reboot --virtio-packed on \
	--disk /tmp/d,readonly,served=user --disk /dev/loop0,direct,served=user \
	--disk /tmp/b,readonly --disk /tmp/a,direct,queues=2
[ "$(said 'vda: file')" = "$file" ] && [ -n "$file" ] && printed '^vdb: not written$'
result packed_rings_and_read_only $?
printed "^vdc: file $looped" && [ "$(said 'vdc: disk')" = "$(sum /tmp/c)" ] &&
	printed '^vdd: not written$' && printed '^GUEST-EXIT: 0$'
result packed_rings_served_by_vmmctl $?

used=$(du -k /tmp/a | cut -f 1)
boot "load trim:vda check:vda" --cpus 1 --no-reboot --disk /tmp/a
[ "$(said 'vda: file')" = "$file" ] && [ "$(du -k /tmp/a | cut -f 1)" -le "$used" ] &&
	printed '^GUEST-EXIT: 0$'
result trim $?

# Between the two lines that the guest prints there is data and nothing else.
boot "load read:vda:1 mark:begin read:vda:16 mark:end" --cpus 1 --no-reboot --disk /tmp/a \
	--stats=/tmp/stats --stats-at MARK
begin=$(counted "MARK begin" virtio_mmio)
end=$(counted "MARK end" virtio_mmio)
echo "# reads and writes of virtio registers that exited: before '$begin', after '$end'"
printed '^GUEST-EXIT: 0$' && [ -n "$begin" ] && [ "$begin" = "$end" ]
result no_request_exits $?

# A reset gives the disk back and takes it again.
: > "$console"
boot "load fill:vda reboot" --cpus 2 --disk /tmp/b &
boot_pid=$!
while [ "$(grep -c '^vda: disk ' "$console")" -lt 2 ] && kill -0 "$boot_pid" 2>/dev/null; do
	sleep 1
done
killall -TERM vmmctl
wait "$boot_pid"
[ "$(grep -c '^vda: disk ' "$console")" -ge 2 ]
result reset_boots_again $?

losetup -d /dev/loop0
tac /ranchu/modules/order | xargs rmmod
result modules_go $?
[ "$failed" -eq 0 ]
