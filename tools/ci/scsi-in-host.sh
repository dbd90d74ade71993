#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The SCSI test's part inside the host (busybox's sh): a target of the kernel's, made
# through configfs, behind Linux' vhost-scsi; boots stock guests that have it, and compares
# what they have read and written with the files behind its units.
set -u

. /ranchu/net-lib.sh

export XDG_RUNTIME_DIR=/tmp/runtime
mkdir -p $XDG_RUNTIME_DIR

config=/sys/kernel/config
core=$config/target/core
wwpn=naa.6001405000000001
group=$config/target/vhost/$wwpn/tpgt_1
none=naa.6001405000000002

# unit N BYTES: a file of random bytes that a unit can be made of.
unit() {
	head -c "$2" /dev/urandom > "/tmp/unit$1"
	mkdir -p "$core/fileio_$1/unit$1"
	echo "fd_dev_name=/tmp/unit$1,fd_dev_size=$2" > "$core/fileio_$1/unit$1/control"
	echo 1 > "$core/fileio_$1/unit$1/enable"
}

# plug N, unplug N: into the target as its unit N, and out of it.
plug() {
	mkdir -p "$group/lun/lun_$1"
	ln -s "$core/fileio_$1/unit$1" "$group/lun/lun_$1/port"
}

unplug() {
	rm "$group/lun/lun_$1/port"
	rmdir "$group/lun/lun_$1"
}

# disk_is NAME FILE: what the guest has seen on it last is what is there.
disk_is() {
	[ -n "$(said "$1: disk")" ] && [ "$(said "$1: disk")" = "$(sum "$2")" ]
}

load_modules
echo "1..15"

refuses "is vhost_scsi loaded" --scsi wwpn=$wwpn
result a_missing_module_is_said $?
modprobe vhost_scsi && modprobe target_core_file && mount -t configfs configfs $config || exit 1
refuses "no target $wwpn with a nexus" --scsi wwpn=$wwpn
told=$?
vmmctl doctor --scsi wwpn=$wwpn > /tmp/doctor 2>&1
grep -q "MISSING .*no target $wwpn" /tmp/doctor && [ "$told" -eq 0 ]
result a_missing_target_is_said $?

unit 0 33554432
unit 1 16777216
mkdir -p $group
echo $wwpn > $group/nexus
plug 0
vmmctl doctor --scsi wwpn=$wwpn > /tmp/doctor 2>&1
grep -q "ok .*target $wwpn exists" /tmp/doctor && refuses "no target $none" --scsi wwpn=$none
result another_target_is_no_help $?
refuses "packed rings" --scsi wwpn=$wwpn --virtio-packed on
result missing_packed_rings_are_said $?

plug 1
before=$(sum /tmp/unit1)
# Between the two lines that the guest prints there is data and nothing else.
guest "load devices units:2 sum:lun1 disk:lun0 mark:begin read:lun0:4 stress:lun1:2 mark:end" \
	--cpus 2 --no-reboot --scsi wwpn=$wwpn,queues=2 --stats=/tmp/stats --stats-at MARK
sed -n 's/^\(device\|host\|unit\|lun[01]\): /# &/p' "$console"
# Entries of a queue, twice; segments of a request; queues.
printed '^device: .* 0x0008 virtio_scsi' && printed '^host: 128 128 126 2$' &&
	printed '^unit: 0:1:0 FILEIO *, 65536 sectors$' &&
	printed '^unit: 0:1:1 FILEIO *, 32768 sectors$'
result units_of_the_target_are_disks $?
printed "^lun1: disk $before"
result guest_reads_what_the_host_has $?
disk_is lun0 /tmp/unit0 && disk_is lun1 /tmp/unit1 && [ "$before" != "$(sum /tmp/unit1)" ] &&
	! printed 'something else' && printed '^GUEST-EXIT: 0$' && ! printed GUEST-SPLAT
result host_has_what_the_guest_writes $?
begin=$(virtio_counted "MARK begin")
end=$(virtio_counted "MARK end")
echo "# reads and writes of virtio registers that exited: before '$begin', after '$end'"
[ -n "$begin" ] && [ "$begin" = "$end" ]
result no_request_exits $?

# The event queue: units come and go while the guest runs.
unplug 1
: > "$console"
guest "load units:1 units:2 sum:lun1 units:1" --cpus 1 --no-reboot --scsi wwpn=$wwpn &
boot_pid=$!
waits_for 1 '^units: 1' $boot_pid
plug 1
waits_for 1 '^lun1: disk' $boot_pid
unplug 1
wait "$boot_pid"
disk_is lun1 /tmp/unit1 && appears 2 '^units: 1$' && appears 1 '^units: 2$' &&
	printed '^GUEST-EXIT: 0$' && ! printed GUEST-SPLAT
result units_come_and_go $?
plug 1

# Paused under load: each request is answered once, and meanwhile the target is free. A VM
# that cannot have it any more is told to reset the device.
: > "$console"
guest "load units:2 stress:lun0:4 hold:/tmp/never" --name held --cpus 2 --scsi wwpn=$wwpn &
boot_pid=$!
waits_for 1 '^round: 1' $boot_pid
refuses "another VM uses it" --scsi wwpn=$wwpn
used=$?
vmmctl snapshot save held /tmp/saved > /tmp/refused 2>&1
sed 's/^/# /' /tmp/refused
for round in 2 3; do
	vmmctl pause held && sleep 1 && vmmctl resume held
	waits_for 1 "^round: $round" $boot_pid
done
waits_for 1 '^lun0: disk' $boot_pid
disk_is lun0 /tmp/unit0 && ! printed 'something else' && appears 4 '^round: [0-9]$'
result paused_under_load $?
[ "$used" -eq 0 ] && grep -q "virtio-scsi.*cannot be saved" /tmp/refused && [ ! -e /tmp/saved ]
result one_user_at_a_time_and_no_snapshot $?
vmmctl pause held
unplug 0
unplug 1
echo NULL > $group/nexus
vmmctl resume held
waits_for 1 "the target $wwpn is gone, or is used" $boot_pid
gone=$?
vmmctl stop held
wait "$boot_pid"
result a_target_that_goes_is_said $gone
echo $wwpn > $group/nexus
plug 0
plug 1

# A driver that comes back, a reset, and on the second arm64 board the PCI bus.
: > "$console"
guest "load units:2 rebind:virtio_scsi:1 units:2 disk:lun0 reboot" --cpus 2 --scsi wwpn=$wwpn &
boot_pid=$!
waits_for 2 '^lun0: disk ' "$boot_pid"
again=$?
killall -TERM vmmctl
wait "$boot_pid"
[ "$again" -eq 0 ]
result reset_boots_again $?
if [ "$arch" = x86_64 ]; then
	skipped on_the_pci_bus "this board has no other"
else
	guest "load devices units:2 disk:lun0 sum:lun1" --cpus 2 --no-reboot --board virt \
		--virtio-bus pci --scsi wwpn=$wwpn
	printed '^device: 0000:00:09.0 0x0008 virtio_scsi' && disk_is lun0 /tmp/unit0 &&
		disk_is lun1 /tmp/unit1 && printed '^GUEST-EXIT: 0$' && ! printed GUEST-SPLAT
	result on_the_pci_bus $?
fi

unplug 0
unplug 1
rmdir $group $config/target/vhost/$wwpn $config/target/vhost $core/fileio_*/unit* $core/fileio_*
rmmod vhost_scsi && rmmod target_core_file && unload_modules
result modules_go $?
[ "$failed" -eq 0 ]
