#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The part of control-test.sh inside the host (busybox's sh). VMs run in the
# background; `vmmctl NAME` commands steer them.
set -u

. /ranchu/host-lib.sh

export XDG_RUNTIME_DIR=/tmp/runtime
dir=$XDG_RUNTIME_DIR/ranchu
mkdir -p $XDG_RUNTIME_DIR

head -c 1048576 /dev/zero > /tmp/image
uart=pl011
[ "$arch" != x86_64 ] || uart=uart16550
load_modules
echo "1..12"

# start NAME COMMAND OPTION...: a VM in the background, with its output in /tmp/NAME.
start() {
	vm=$1
	command=$2
	shift 2
	# It is there before anybody looks for what the VM has said.
	: > "/tmp/$vm"
	vmmctl run --name "$vm" --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio \
		--memory 256M --append "$linux_args ranchu.run=\"$command\"" "$@" \
		</dev/null > "/tmp/$vm" 2>&1 &
	pid=$!
	console=/tmp/$vm
}

# ended CODE: the VM that was started last ends with CODE, in five minutes.
ended() {
	n=0
	while kill -0 "$pid" 2>/dev/null && [ $n -lt 300 ]; do
		sleep 1
		n=$((n + 1))
	done
	kill -KILL "$pid" 2>/dev/null && echo "# it did not end" && return 1
	wait "$pid"
	code=$?
	echo "# exit code $code"
	[ "$code" -eq "$1" ]
}

status() {
	vmmctl status "$1" | sed -n 's/.*"status": "\(.*\)".*/\1/p'
}

ticks() {
	grep -c TICK "$console"
}

forever="while true; do echo TICK; sleep 0.2; done"

# A CPU that has been busy for ten seconds is stuck, says the guest's kernel.
linux_args="$linux_args watchdog_thresh=5"
start one "for i in 1 2; do (while true; do :; done) & done; $forever" --cpus 2 --disk /tmp/image --sandbox on
waits_for 3 TICK $pid && vmmctl ps > /tmp/ps && vmmctl ps --json > /tmp/ps.json
sed 's/^/# /' /tmp/ps /tmp/ps.json
grep -q "^one  *$pid  *running" /tmp/ps && grep -q '"name":"one"' /tmp/ps.json &&
	grep -q "\"name\":\"one\",\"pid\":$pid" $dir/one/state
result ps_lists_it $?

vmmctl run --name one --kernel /ranchu/guest/Image > /tmp/second 2>&1
[ $? -eq 1 ] && [ "$(wc -l < /tmp/second)" -eq 1 ] && grep -q "runs already" /tmp/second
result a_name_is_taken_once $?

# Each thread: the main thread, vCPUs, and what serves rings. The kernel's own workers
# of the process (flag 0x4000) never run its program.
bad=0
for task in /proc/"$pid"/task/*; do
	flags=$(sed 's/.*) //' "$task/stat" | cut -d ' ' -f 7)
	[ $((flags & 0x4000)) -eq 0 ] || continue
	grep -q "^Seccomp:.2" "$task/status" && grep -q "^NoNewPrivs:.1" "$task/status" &&
		grep -q "^CapEff:.0000000000000000" "$task/status" && continue
	grep -E "^(Name|Seccomp|NoNewPrivs|CapEff):" "$task/status" | sed 's/^/# /'
	bad=1
done
grep -q "Max core file size *0 *0 " /proc/"$pid"/limits || bad=1
result all_threads_are_in_the_sandbox $bad

vmmctl pause one && [ "$(status one)" = paused ]
rc=$?
sleep 1
before=$(ticks)
sleep 14
after=$(ticks)
echo "# exit code $rc, $(status one), $before lines, $after fourteen seconds later"
[ $rc -eq 0 ] && [ "$after" -eq "$before" ] && ! vmmctl pause one
result paused_vcpus_stand_still $?

vmmctl resume one && [ "$(status one)" = running ] && waits_for $((before + 60)) TICK $pid &&
	! printed 'soft lockup'
result resumed_vcpus_go_on $?

vmmctl stats one > /tmp/stats
printf '{"execute":"metrics"}\n' | socat -t 30 - UNIX-CONNECT:$dir/one/control.sock > /tmp/metrics
echo "# $(wc -c < /tmp/stats) and $(wc -c < /tmp/metrics) bytes"
grep -q '"userspace_exits": [1-9]' /tmp/stats &&
	grep -q "vmmctl_devices_writes{vm=..one..,device=..$uart" /tmp/metrics
result stats_and_metrics $?

# Paused or not, it ends at once; what others see of it goes.
vmmctl pause one && vmmctl stop one && ended 143 && [ ! -e $dir/one ]
result stop_ends_one_that_is_paused $?

start two "reboot -f"
(printf '{"execute":"qmp_capabilities"}\n'; sleep 600) |
	socat -t 5 - UNIX-CONNECT:$dir/two/control.sock > /tmp/events &
waits_for 2 GUEST-READY $pid && vmmctl reset two && vmmctl kill two && ended 137
rc=$?
n=0
until grep -q SHUTDOWN /tmp/events || [ $n -eq 10 ]; do
	sleep 1
	n=$((n + 1))
done
sed 's/^/# /' /tmp/events
[ $rc -eq 0 ] && [ ! -e $dir/two ] && grep -q '"event": *"RESET"' /tmp/events &&
	grep -q '"event": *"STARTED"' /tmp/events && grep -q '"event": *"SHUTDOWN"' /tmp/events
result a_reset_keeps_the_sandbox_and_clients_hear_of_it $?

start three "poweroff -f" && ended 0
rc=$?
start four "reboot -f" --no-reboot && ended 3 && [ $rc -eq 0 ]
result exit_codes_differ $?

# Nobody reads what the guest prints, and it prints a lot. There is little room in the pipe.
# Our buffer behind it takes 256 KiB before it drops a byte. On x86_64 a byte is ten exits,
# and to fill the buffer takes an emulated CPU half an hour: some bytes wait in it there.
full='"dropped_bytes": [1-9]'
[ "$arch" != x86_64 ] || full='"bytes_out": [1-9][0-9]\{3\}'
(
	head -c 65000 /dev/zero
	vmmctl run --name five --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio \
		--memory 256M --append "$linux_args ranchu.run=\"yes TICK\"" </dev/null 2>/dev/null
) | sleep 3600 &
n=0
until vmmctl stats five 2>/dev/null | grep -q "$full" || [ $n -eq 120 ]; do
	sleep 1
	n=$((n + 1))
done
five=$(sed -n 's/.*"pid":\([0-9]*\).*/\1/p' $dir/five/state)
kill -TERM "$five"
n=0
while [ -e "/proc/$five" ] && [ $n -lt 10 ]; do
	sleep 1
	n=$((n + 1))
done
echo "# gone after $n seconds"
[ $n -lt 10 ]
result a_reader_that_stalls_holds_up_nothing $?
killall sleep

start six "$forever" --disk /tmp/image
waits_for 1 TICK $pid
refuses "another guest has /tmp/image" --disk /tmp/image
rc=$?
refuses "another guest writes to /tmp/image" --disk /tmp/image,readonly && [ $rc -eq 0 ]
result an_image_has_one_writer $?

# What a dead one leaves is found dead.
kill -KILL $pid
wait $pid
[ -e $dir/six/lock ] && [ -z "$(vmmctl ps --json | grep six)" ] && [ ! -e $dir/six ]
result dead_ones_are_removed $?

unload_modules || failed=1
[ "$failed" -eq 0 ]
