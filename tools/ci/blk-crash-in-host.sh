#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The host's part of blk-crash-test.sh (busybox's sh).
set -u

. /ranchu/host-lib.sh
vmm=

# start COMMAND OPTION...: the guest runs blk-crash-in-guest with COMMAND.
start() {
	command=$1
	shift
	: > "$console"
	vmmctl run --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio \
		--memory 256M --no-reboot "$@" \
		--append "$linux_args ranchu.run=\"blk-crash-in-guest $command\"" \
		</dev/null >"$console" 2>&1 &
	vmm=$!
}

# says TEXT: waits until the guest has printed it.
says() {
	tries=0
	until grep -q "$1" "$console"; do
		tries=$((tries + 1))
		if [ $tries -gt 1200 ] || ! kill -0 "$vmm" 2>/dev/null; then
			return 1
		fi
		sleep 0.1
	done
}

# image NAME MIB
image() {
	rm -f "/tmp/$1"
	truncate -s "$2M" "/tmp/$1"
}

# The last complete line counts: of the next, the number may be cut off.
last_ack() {
	tr -d '\r' < "$console" | sed '$d' | sed -n 's/^ACK \([0-9]*\)$/\1/p' | tail -n 1
}

# killed SEED RECORDS DISK: the VMM dies somewhere behind the record; all that was
# acknowledged is in the file, behind whatever devices there are.
killed() {
	start "journal vda $1" --disk "$3"
	rc=1
	if says "^ACK $2"; then
		# Between two records, or in one.
		usleep "$(awk 'BEGIN { srand(); print int(rand() * 250000) }')"
		kill -KILL "$vmm"
		wait "$vmm" 2>/dev/null
		last=$(last_ack)
		echo "# killed after record $last"
		[ -n "$last" ] && blk_journal check /tmp/journal "$1" "$last"
		rc=$?
	else
		kill -KILL "$vmm"
		wait "$vmm" 2>/dev/null
	fi
	return $rc
}

# table BAD: 8 MiB behind the loop device, whole or without its blocks 1023 and 1024.
table() {
	if [ "$1" = bad ]; then
		echo "0 8184 linear /dev/loop0 0"
		echo "8184 16 error"
		echo "8200 8184 linear /dev/loop0 8200"
	else
		echo "0 16384 linear /dev/loop0 0"
	fi
}

load_modules
modprobe dm-mod || exit 1
export DM_DISABLE_UDEV=1
: > "$console"
echo "1..9"

# By the kernel: a file in memory, a block device past the host's cache; by vmmctl.
image journal 16
killed 1 5 /tmp/journal
result killed_kernel_file $?
losetup /dev/loop0 /tmp/journal
killed 2 15 /dev/loop0,direct
result killed_kernel_block_device $?
killed 3 25 /dev/loop0
result killed_kernel_cached $?
losetup -d /dev/loop0
killed 4 10 /tmp/journal,served=user
result killed_user $?

# Bad blocks: their requests fail, whoever serves them, and nothing else does. When
# the disk is mended, so is the guest's.
image bad 8
losetup /dev/loop0 /tmp/bad
for disk in bad bad2; do
	table bad | dmsetup create $disk
done
# Two devices for the same blocks: a VM may have a device only once.
start "bad vda vdb" --disk /dev/dm-0,direct --disk /dev/dm-1,direct,served=user
says BAD-DONE
bad="read ok bad bad ok, written ok bad bad ok"
grep -q "^vda: $bad" "$console" && grep -q "^vdb: $bad" "$console"
result bad_blocks_are_the_guests_errors $?
for disk in bad bad2; do
	dmsetup suspend $disk
	table good | dmsetup reload $disk
	dmsetup resume $disk
done
wait "$vmm"
good="read ok ok ok ok, written ok ok ok ok"
grep -q "^vda: $good" "$console" && grep -q "^vdb: $good" "$console"
result mended_blocks_are_good_again $?
dmsetup remove bad
dmsetup remove bad2
losetup -d /dev/loop0

# An image that ends early is the same, at its end.
image short 4
image short2 4
start "shrunk vda vdb" --disk /tmp/short --disk /tmp/short2,served=user
says SHRINK-NOW
truncate -s 2M /tmp/short /tmp/short2
wait "$vmm"
# What is written to a file beyond its end makes it longer, up to what it was.
short="read ok bad bad, written ok ok ok"
grep -q "^vda: $short" "$console" && grep -q "^vdb: $short" "$console" &&
	[ "$(stat -c %s /tmp/short)" = 4194304 ]
result short_images_are_the_guests_errors $?

# Sizes change below a running guest, which hears of it.
for served in kernel user; do
	image size 4
	start "sizes vda" --disk "/tmp/size,served=$served"
	says "^vda: 8192 sectors" && truncate -s 6M /tmp/size && kill -USR2 "$vmm" &&
		says "^vda: 12288 sectors" && truncate -s 2M /tmp/size &&
		kill -USR2 "$vmm" && says "^vda: 4096 sectors"
	result "resize_$served" $?
	kill -TERM "$vmm"
	wait "$vmm"
done

rmmod dm-mod
unload_modules || failed=1
[ "$failed" -eq 0 ]
