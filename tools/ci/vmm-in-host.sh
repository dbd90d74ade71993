#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The VM test's part inside the host (busybox's sh). Each test boots a stock
# guest its own way and looks at what it printed and how vmmctl ended.
set -u

. /ranchu/host-lib.sh

load_modules
echo "1..16"

doctor_is_content
result doctor_finds_nothing_missing $?

boot "pipe_guest pipes 100" --cpus 4 --no-reboot --stats=/tmp/stats
printed '^GUEST-EXIT: 0$' && printed 'pipes open=100' && ! printed GUEST-SPLAT
result four_cpus $?

# Set-up, and the first command of each id: nothing else may exit. The guest
# opens 100 ids and writes six registers.
exits=$(sed -n 's/.*"label":"power-off".*"pipe":{"reads":\([0-9]*\),"writes":\([0-9]*\)}.*/\1 \2/p' /tmp/stats)
echo "# reads and writes of the pipe that exited: $exits"
[ "$exits" = "0 106" ]
result only_set_up_exits $?

# Where a page is too large for the window it is said, and a run that insists is refused.
if has_window; then
	skipped larger_pages_are_told "this host's pages have 4 KiB"
else
	appears 1 "^vmmctl: no register window: this host's pages have $(host_page) bytes" &&
		refuses "--window on needs pages of 4096 bytes" --window on
	result larger_pages_are_told $?
fi

# Every pipe works though only some have a doorbell.
(ulimit -n 60 && boot "pipe_guest pipes 100" --cpus 1 --no-reboot)
printed '^GUEST-EXIT: 0$' && printed 'pipes open=100' && printed 'have no doorbell'
result few_files $?

# Half of them by doorbell, half by exits: the guest sees no difference.
(ulimit -n 1100 && boot "pipe_guest pipes 2000" --cpus 2 --no-reboot)
printed '^GUEST-EXIT: 0$' && printed 'pipes open=2000' && printed 'have no doorbell'
result two_thousand_pipes $?

# No window; and the board as the reference has it.
rtc=/sys/class/rtc/rtc0
boot "pipe_guest pipes 20 && ! test -e $rtc" --cpus 1 --no-reboot --window off --rtc off \
	--stats=/tmp/no-window
printed '^GUEST-EXIT: 0$' && printed 'pipes open=20'
result no_window $?

# The pipe's module serves the reads.
exits=$(sed -n 's/.*"label":"power-off".*"pipe":{"reads":\([0-9]*\),"writes":\([0-9]*\)}.*/\1 \2/p' \
	/tmp/no-window)
echo "# reads and writes of the pipe that exited: $exits"
[ "$exits" = "0 26" ]
result no_window_no_exit $?

# Whatever the guest's kernel has set its time from, it is the host's; and an alarm
# two seconds on interrupts, once.
boot "echo CLOCK \$(cat $rtc/since_epoch) \$(date +%s) && echo +2 > $rtc/wakealarm && \
	until grep pl031 /proc/interrupts | grep ' [1-9]'; do sleep 1; done" --cpus 1 --no-reboot
now=$(date +%s)
read -r clock guest <<-END
	$(sed -n 's/^CLOCK \([0-9]*\) \([0-9]*\).*/\1 \2/p' "$console")
END
echo "# the guest's clock $clock, its time $guest, the host's afterwards $now"
[ "${clock:-0}" -le "$now" ] && [ "${clock:-0}" -gt $((now - 300)) ] &&
	[ "${guest:-0}" -gt $((now - 300)) ]
result the_hosts_time $?
printed '^GUEST-EXIT: 0$' && printed 'rtc-pl031' && ! printed GUEST-SPLAT
result an_alarm_interrupts $?

# A reset boots the guest again, with working pipes, until we end it.
: > "$console"
boot "pipe_guest pipes 20 && reboot -f" --cpus 2 &
boot_pid=$!
waits_for 2 'pipes open=20' "$boot_pid"
again=$?
killall -TERM vmmctl
wait "$boot_pid"
result reset_boots_again $again

# The Image compressed by gzip; what the tree says of the console and of the seeds.
gzip -c /ranchu/guest/Image > /tmp/Image.gz
chosen=/sys/firmware/devicetree/base/chosen
kernel=/tmp/Image.gz boot "grep pl011 $chosen/stdout-path && test -e $chosen/kaslr-seed && \
	pipe_guest pipes 20" --cpus 2 --no-reboot
printed '^GUEST-EXIT: 0$' && printed 'pipes open=20'
result compressed_kernel $?

# ends COMMAND OPTION...: as boot, in a guest with more modules; the exit code is in /tmp/code.
ends() {
	command=$1
	shift
	{
		timeout 300 vmmctl run --kernel /ranchu/guest/Image --memory 512M --no-reboot \
			--initrd /ranchu/guest/modules.cpio --append \
			"$linux_args ranchu.run=\"guest-load && $command\"" "$@" </dev/null 2>&1
		echo $? > /tmp/code
	} | tr -d '\r' > "$console"
}

# A panic is told by pvpanic, with a code of its own; without the device the stock guest
# resets itself ("panic=-1").
panics() {
	ends "ls /sys/bus/platform/devices && echo c > /proc/sysrq-trigger" "$@"
	echo "# exit code $(cat /tmp/code)"
	printed 'Kernel panic'
}
panics --pvpanic on && [ "$(cat /tmp/code)" -eq 4 ] && printed '9060000.pvpanic-mmio'
result panic_is_told $?
panics --pvpanic on --board virt && [ "$(cat /tmp/code)" -eq 4 ]
result panic_is_told_on_the_second_board $?
panics && [ "$(cat /tmp/code)" -eq 3 ] && ! printed 'pvpanic-mmio$'
result panic_is_a_reset_without_it $?

# A counter runs for 8 seconds. The guest is well for longer than that, and paused meanwhile
# for longer than that; then a vCPU takes no more interrupts.
export XDG_RUNTIME_DIR=/tmp/runtime
mkdir -p $XDG_RUNTIME_DIR
: > "$console"
ends "echo STALL-WELL && sleep 9 && echo STALL-SPINS && echo 1 > \
	/sys/module/spin/parameters/cpu && sleep 100" --cpus 2 --name stall --stall-detector on &
boot_pid=$!
waits_for 1 '^STALL-WELL' "$boot_pid" && vmmctl pause stall && sleep 9 && vmmctl resume stall
paused=$?
wait "$boot_pid"
echo "# pause and resume: $paused, exit code $(cat /tmp/code)"
[ "$paused" -eq 0 ] && [ "$(cat /tmp/code)" -eq 4 ] && printed '^STALL-SPINS' &&
	printed 'vCPU 1 is stuck: for 8 s' && appears 1 'is stuck'
result a_stuck_vcpu_is_found_and_named $?

unload_modules || failed=1
[ "$failed" -eq 0 ]
