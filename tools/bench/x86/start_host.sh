#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The start's benchmark inside the emulated host (busybox's sh): a guest with one CPU, a
# serial port and nothing else, by vmmctl and by QEMU's smallest machine, in turn. A line
# for each:
#
#	START vmmctl|qemu kernel|init ns=N exits=N
#
# The kernel is one of Debian's in size that writes to a port with its first instruction
# (stop_at_entry.c), so that firmware ends there; init of Debian's own kernel writes to the
# same port. KVM's trace has the moment; what the CPU was idle before is not counted.
cd /bench || exit 2
. ./host-lib.sh
T=/sys/kernel/tracing
RUN="echo x | dd of=/dev/port bs=1 count=1 seek=992 conv=notrunc"

echo mono > $T/trace_clock
echo 16384 > $T/buffer_size_kb
echo 'port == 0x3e0' > $T/events/kvm/kvm_pio/filter
echo 'prev_comm ~ "swapper*" || next_comm ~ "swapper*"' > $T/events/sched/sched_switch/filter
for event in kvm/kvm_pio kvm/kvm_userspace_exit sched/sched_switch; do
	echo 1 > $T/events/$event/enable
done

# measure VMM WHERE SECONDS COMMAND...: it has SECONDS, most of which are idle.
measure() {
	name="$1 $2"
	seconds=$3
	shift 3
	echo > $T/trace
	(
		echo START > $T/trace_marker
		exec "$@"
	) < /dev/null > /tmp/console 2>&1 &
	pid=$!
	sleep "$seconds"
	kill $pid
	wait $pid
	awk -v name="$name" -f start.awk $T/trace || {
		echo "start_host: $name: nothing seen"
		tail -n 20 /tmp/console
		failed=1
	}
}

# both WHERE SECONDS KERNEL
both() {
	measure vmmctl "$1" "$2" vmmctl run --kernel "$3" --initrd guest.cpio --cpus 1 \
		--memory 256M --pipe none --append "$linux_args ranchu.run=\"$RUN\""
	measure qemu "$1" "$2" qemu-system-x86_64 -M microvm -cpu host -accel kvm -nodefaults \
		-no-user-config -display none -smp 1 -m 256M -kernel "$3" -initrd guest.cpio \
		-append "$linux_args ranchu.run=\"$RUN\"" -serial stdio
}

failed=0
for round in 1 2 3; do
	both kernel 5 Image.stop
done
both init 60 Image
exit $failed
