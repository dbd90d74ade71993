#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The part of x86-guests-test.sh inside the host (busybox's sh): one stock guest a row,
# which counts its CPUs and its RAM, uses a disk that the kernel serves and pipes, and ends
# by itself.
set -u

. /ranchu/host-lib.sh

# Name, kernel, CPUs, MiB of RAM, how it ends, and the kernel's arguments. The pipe's driver
# is the one of 6.12's source, built for each kernel. Kernels are bzImages, but for
# 6.1-vmlinux: that is the ELF file inside of 6.1's, which is entered by PVH. RAM goes on
# above 4 GiB if there are more than 3 GiB of it.
rows="
cpu_1		6.12		1	128	poweroff
cpus_4		6.12		4	1024	poweroff
cpus_9		6.12		9	1024	poweroff
cpus_16		6.12		16	1024	poweroff
cpus_32		6.12		32	2048	poweroff
ram_3_gib	6.12		2	3072	poweroff
ram_3_gib_1_mib	6.12		2	3073	poweroff
ram_8_gib	6.12		2	8192	poweroff
kernel_6.1	6.1		2	512	poweroff
kernel_rt	6.1-rt		2	512	poweroff
kernel_cloud	6.12-cloud	2	512	poweroff
kernel_6.1_cloud 6.1-cloud	2	512	poweroff
pvh		6.1-vmlinux	2	512	poweroff
pvh_ram_8_gib	6.1-vmlinux	4	8192	poweroff
no_kvmclock	6.12		1	256	poweroff	no-kvmclock clocksource=pit
no_lapic_timer	6.12		1	256	poweroff	nolapic_timer
no_msi		6.12		2	256	poweroff	pci=nomsi
no_ioapic	6.12		1	256	poweroff	noapic
no_ioapic_no_msi 6.12		1	256	poweroff	noapic pci=nomsi
no_acpi		6.12		1	256	reboot		acpi=off
threaded_handlers	6.12	1	512	poweroff	threadirqs
"

# row NAME KERNEL CPUS MIB END ARGUMENT...
row() {
	name=$1 kernel=$2 cpus=$3 mib=$4 end=$5
	shift 5
	dir=/ranchu/guest/$kernel
	[ -d "$dir" ] || dir=/ranchu/guest
	loader=255
	[ "$kernel" != 6.1-vmlinux ] || loader=176
	commands="nproc; grep MemTotal /proc/meminfo; uname -r; \
		echo LOADER \$(cat /proc/sys/kernel/bootloader_type); \
		blk-in-guest load && blk-in-guest fill vda"
	# Behind the IOAPIC's pins, which are not there without it, or found by ACPI.
	case "$dir $*" in
	*noapic* | *acpi=off*) ;;
	# The pipe's interrupts end before its handler runs.
	*threadirqs* | *-rt*) commands="$commands && pipe_guest test && pipe_guest pipes 20" ;;
	*) commands="$commands && pipe_guest pipes 20" ;;
	esac
	want=0
	if [ "$end" = reboot ]; then
		want=3
		commands="$commands && echo GUEST-EXIT: 0 && reboot -f"
	fi
	truncate -s 16M /tmp/a
	timeout 300 vmmctl run --kernel "$dir/Image" --initrd "$dir/initrd.cpio" \
		--cpus "$cpus" --memory "${mib}M" --no-reboot --disk /tmp/a \
		--append "$linux_args $* ranchu.run=\"$commands\"" </dev/null 2>&1 |
		tr -d '\r' > "$console"
	total=$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' "$console")
	echo "# $name: $(sed -n '/^[67]\.[0-9]/p' "$console"), RAM ${total:-none} kB of $((mib * 1024))"
	printed "^$cpus\$" && printed "^LOADER $loader\$" &&
		[ "${total:-0}" -gt $((mib * 512)) ] &&
		[ "$(said 'vda: disk')" = "$(sum /tmp/a)" ] && printed '^GUEST-EXIT: 0$' &&
		! printed GUEST-SPLAT && { [ "$want" -eq 0 ] || printed 'Restarting system'; } &&
		case $commands in
		*pipe_guest*) printed 'pipes open=20' ;;
		esac
	result "$name" $?
}

load_modules
echo "$rows" | awk -v some="$*" 'NF && (some == "" || index(" " some " ", " " $1 " "))' > /tmp/rows
echo "1..$(wc -l < /tmp/rows)"
while read -r line; do
	# shellcheck disable=SC2086 # words
	row $line
done < /tmp/rows

unload_modules || failed=1
[ "$failed" -eq 0 ]
