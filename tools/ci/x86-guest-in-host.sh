#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The part of x86-guest-test.sh inside the host (busybox's sh). Each test boots a stock
# guest its own way and looks at what it printed and how vmmctl ended.
set -u

. /ranchu/host-lib.sh

export XDG_RUNTIME_DIR=/tmp/runtime
mkdir -p $XDG_RUNTIME_DIR
load_modules
echo "1..16"

# ends CODE COMMAND OPTION...: as boot, and looks at vmmctl's exit code. $arguments go to
# the kernel, $initrd and $memory are others than the usual ones.
ends() {
	want=$1
	command=$2
	shift 2
	{
		timeout 120 vmmctl run --kernel /ranchu/guest/Image --memory "${memory:-256M}" \
			--initrd "${initrd:-/ranchu/guest/initrd.cpio}" --append \
			"$linux_args ${arguments:-} ranchu.run=\"$command\"" "$@" </dev/null 2>&1
		echo $? > /tmp/code
	} | tr -d '\r' > "$console"
	code=$(cat /tmp/code)
	# Not for the next, whatever this shell makes of assignments before a function.
	arguments='' initrd='' memory=''
	echo "# exit code $code, wanted $want"
	[ "$code" -eq "$want" ]
}

vmmctl doctor > "$console" 2>&1
result doctor_finds_nothing_missing $?

# The stock driver, bound by ACPI: set-up, and the first command of each id, and nothing
# else may exit. The guest opens 100 ids and writes six registers.
ends 0 "pipe_guest pipes 100" --stats=/tmp/stats && printed '^GUEST-EXIT: 0$' &&
	printed 'pipes open=100' && ! printed GUEST-SPLAT
result stock_pipe_by_acpi $?
exits=$(counted power-off pipe)
echo "# reads and writes of the pipe that exited: $exits"
[ "$exits" = "0 106" ]
result only_set_up_exits $?

# What the guest reads comes from memory, or from whoever runs the vCPU.
bad=0
for window in on off; do
	ends 0 "pipe_guest pipes 100" --window $window --stats=/tmp/stats &&
		printed 'pipes open=100' && [ "$(counted power-off pipe)" = "$exits" ] || bad=1
done
result only_set_up_exits_with_and_without_a_window $bad

# Every pipe works though only some have a doorbell; half of them by doorbell, half by exits.
(ulimit -n 60 && ends 0 "pipe_guest pipes 100") && printed 'pipes open=100' &&
	printed 'have no doorbell'
result few_files $?
(ulimit -n 1100 && ends 0 "pipe_guest pipes 2000" --cpus 2) && printed 'pipes open=2000' &&
	printed 'have no doorbell'
result two_thousand_pipes $?

# Served by vmmctl, the same.
ends 0 "pipe_guest pipes 20" --pipe user && printed '^GUEST-EXIT: 0$' &&
	printed 'pipes open=20'
result user_served_pipe $?

# What the kernel has found, without a complaint of ACPI's.
ends 0 "dmesg | grep ACPI; cat /proc/interrupts /proc/iomem" &&
	! printed 'ACPI.*\(Error\|Warning\|BIOS\)' && printed 'IO-APIC  *4-edge  *ttyS0' &&
	printed 'IO-APIC  *9-fasteoi  *acpi' && printed 'IO-APIC  *18-fasteoi  *goldfish_pipe' &&
	printed '^ *ff001000-ff002fff : GFSH0003'
result acpi_has_no_complaint $?

# The host's time, and an alarm two seconds on interrupts.
rtc=/sys/class/rtc/rtc0
ends 0 "echo CLOCK \$(cat $rtc/since_epoch) && echo +2 > $rtc/wakealarm && \
	until grep rtc0 /proc/interrupts | grep ' [1-9]'; do sleep 1; done"
now=$(date +%s)
clock=$(said CLOCK)
echo "# the guest's clock $clock, the host's afterwards $now"
[ "${clock:-0}" -le "$now" ] && [ "${clock:-0}" -gt $((now - 300)) ] && printed '^GUEST-EXIT: 0$'
result clock_and_alarm $?

# Each way in which Linux knows to reset a PC: ACPI's register, the keyboard controller,
# a triple fault, the chip set.
bad=0
for way in a k t p; do
	arguments=reboot=$way ends 3 "reboot -f" --no-reboot && printed 'Restarting system' ||
		bad=1
done
result four_ways_to_reset $bad

# A reset boots the guest again, with working pipes, until we end it.
: > "$console"
ends 143 "pipe_guest pipes 20 && reboot -f" &
boot_pid=$!
waits_for 2 'pipes open=20' "$boot_pid"
again=$?
killall -TERM vmmctl
wait "$boot_pid"
result reset_boots_again $again

# A panic is told by pvpanic, with a code of its own.
initrd=/ranchu/guest/modules.cpio ends 4 "guest-load && echo c > /proc/sysrq-trigger" &&
	printed 'Kernel panic'
result panic_is_told $?

# Its guest has no driver for that and resets itself, as the command line has it.
ends 3 "echo c > /proc/sysrq-trigger" --no-reboot && printed 'Kernel panic'
result panic_is_a_reset_without_a_driver $?

# The power button, which the guest answers by switching itself off.
: > "$console"
initrd=/ranchu/guest/modules.cpio ends 0 "guest-load && echo BUTTON && \
	head -c 24 /dev/input/event0 > /tmp/event && poweroff -f" --name button &
boot_pid=$!
waits_for 1 BUTTON "$boot_pid"
sleep 1
vmmctl power-button button
wait "$boot_pid" && printed 'Power down'
result power_button $?

# More RAM than there is below the hole, and less than the kernel needs.
memory=3073M ends 0 "grep MemTotal /proc/meminfo && grep RAM /proc/iomem" --cpus 2 &&
	printed 'MemTotal: *\(29\|3[01]\)[0-9]* kB' &&
	printed '^100000000-1000fffff : System RAM' && ! printed GUEST-SPLAT
result ram_above_the_hole $?
memory=64M ends 1 true && printed 'this kernel needs [0-9]* MiB of RAM to start'
result too_little_ram_is_said $?

unload_modules || failed=1
[ "$failed" -eq 0 ]
