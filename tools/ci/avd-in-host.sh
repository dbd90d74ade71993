#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The host's part of avd-test.sh (busybox's sh).
set -u

. /ranchu/host-lib.sh

export XDG_RUNTIME_DIR=/tmp/runtime HOME=/home ANDROID_SDK_ROOT=/sdk
content=$HOME/.android/avd/one.avd
lock=$content/hardware-qemu.ini.lock
mkdir -p "$XDG_RUNTIME_DIR"
load_modules
ip link set lo up
echo "1..9"

# avd OPTION...: the AVD, as a CI job starts it, in the background.
avd() {
	: > "$console"
	vmmctl avd one -no-window -no-audio -no-boot-anim -no-snapshot -camera-back none \
		-gpu swiftshader_indirect -show-kernel "$@" \
		-qemu -append "$linux_args ranchu.run=avd-in-guest" \
		</dev/null > "$console" 2>&1 &
	vmm=$!
}

[ "$(vmmctl avd list)" = one ] && vmmctl avd info one > /tmp/info && [ ! -e $content/ranchu ] &&
	grep -q '^--disk=/home/.*userdata.img,slot=28$' /tmp/info
code=$?
sed 's/^/# /' /tmp/info
result info_says_what_would_be_run $code

avd
waits_for 1 GUEST-READY $vmm
vmmctl avd one -no-window > /tmp/second 2>&1
second=$?
[ "$(tr -d '\0' < $lock)" = "$vmm" ] && [ $second -eq 1 ] &&
	grep -q "another vmmctl has $content/ranchu; with -read-only" /tmp/second
result one_process_has_the_avd $?

waits_for 1 'misc: bootcomplete OK' $vmm
n=0
until vmmctl status one | grep -q '"booted": true' || [ $n -eq 60 ]; do
	sleep 1
	n=$((n + 1))
done
vmmctl status one | sed 's/^/# /'
[ $n -lt 60 ]
result it_boots_to_bootcomplete $?

wait $vmm
code=$?
[ $code -eq 0 ] && printed WRITTEN-READY && printed 'no effect: there is no window'
result it_ends_in_order $?

printed '^disk: vda a003400.virtio_mmio ro the system' &&
	printed '^disk: vdb a003600.virtio_mmio rw the cache' &&
	printed '^disk: vdc a003800.virtio_mmio rw the user' &&
	printed '^disk: vdd a003a00.virtio_mmio ro the vendor' &&
	printed '^disk: vde a003c00.virtio_mmio rw the keys'
result disks_are_where_the_fstab_has_them $?

printed '^fstab: .*vendor.* /dev/block/platform/a003a00.virtio_mmio/by-name/vendor' &&
	printed '^property: qemu.sf.lcd_density=160' && printed '^property: qemu.timezone=Etc/UTC'
result fstab_and_properties_are_the_avd_s $?

if printed '^bootconfig: '; then
	printed '^bootconfig: androidboot.boot_devices = "a003400.virtio_mmio"' &&
		printed '^bootconfig: androidboot.qemu.avd_name = "one"'
	result the_kernel_reads_the_boot_configuration $?
else
	skipped the_kernel_reads_the_boot_configuration "this kernel has no BOOT_CONFIG"
fi

sum $content/ranchu/userdata.img > /tmp/before
avd -read-only
wait $vmm
printed '^disk: vdc a003800.virtio_mmio rw the guest was here' && printed WRITTEN-READY &&
	[ "$(sum $content/ranchu/userdata.img)" = "$(cat /tmp/before)" ]
result read_only_sees_what_was_written_and_keeps_nothing $?

n=0
while [ -e $lock ] && [ $n -lt 20 ]; do
	sleep 1
	n=$((n + 1))
done
ls -la $content $content/ranchu | sed 's/^/# /'
[ ! -e $lock ] && [ "$(ls $content/ranchu | tr '\n' ' ')" = \
	"cache.img encryptionkey.img images initrd lock screenshots snapshots userdata.img " ]
result nothing_else_is_left_behind $?

unload_modules || failed=$((failed + 1))
exit $((failed > 0))
