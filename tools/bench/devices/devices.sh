# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The area "devices" of bench.sh: what goldfish devices cost, and what the emulator's
# console knows. Sourced, never run.

FLOORS[devices.idle_exits]="0, exactly"
FLOORS[devices.fb_copy_vs_memcpy]="<= 1.3"
FLOORS[devices.console_commands]=">= 40"
FLOORS[devices.drivers_bound]=">= 12"

# Stock drivers, and the result of each board's tests that needs each. Goldfish audio and the
# wheel have drivers of our own, and are not counted.
DRIVERS="ranchu goldfish_battery adb_emu_drives_the_battery
ranchu goldfish_events events_arrive_in_order
ranchu goldfishfb a_screenshot_has_the_pixels
ranchu rtc-pl031 rtc_tells_time_and_alarms
ranchu virtio_blk a_file_system_on_a_file
ranchu virtio_net data_is_right_both_ways
ranchu vmw_vsock_virtio_transport guest_to_host_and_after_rebinding
ranchu virtio-rng rng_off
ranchu virtio_console console_off
ranchu virtio_input multitouch_off
ranchu virtio_balloon balloon_off
ranchu virtio_snd what_is_played_arrives_at_its_pace
virt goldfish_battery adb_emu_drives_the_battery
virt goldfish_events events_arrive_in_order
virt goldfishfb a_screenshot_has_the_pixels
virt rtc-pl031 rtc_tells_time_and_alarms
virt goldfish_pipe pipe_by_its_stock_driver
virt virtio_blk disks_of_the_kernels
virt virtio_net network_by_vhost_net
virt vmw_vsock_virtio_transport adb_by_our_vsock
virt virtio-rng rng
virt virtio_console console
virt virtio_input multitouch
virt virtio_balloon balloon
virt gpio-keys power_button_is_a_key
pc goldfish_battery adb_emu_drives_the_battery
pc goldfish_events events_arrive_in_order
pc goldfishfb a_screenshot_has_the_pixels
pc rtc-goldfish rtc_tells_time_and_alarms
pc goldfish_pipe pipe_by_its_stock_driver
pc virtio_blk disks_of_the_kernels
pc virtio_net network_by_vhost_net
pc vmw_vsock_virtio_transport adb_by_our_vsock
pc virtio-rng rng
pc virtio_console console
pc virtio_input multitouch
pc virtio_balloon balloon
pc virtio_snd what_is_played_arrives_at_its_pace"

# The tests that drive each board's devices.
AT_WORK="ranchu goldfish-test.sh arm64 ranchu
ranchu virtio-test.sh
ranchu blk-test.sh
ranchu vsock-test.sh
ranchu net-test.sh net
ranchu sound-test.sh
virt goldfish-test.sh arm64 virt
virt pci-test.sh arm64
pc goldfish-test.sh x86_64
pc pci-test.sh x86_64
pc sound-test.sh x86_64"

devices_build() {
	local v=$RANCHU_TOP/userspace/vmmctl o=$OUT/devices

	mkdir -p "$o"
	make -s -C "$v" "O=$o/vmmctl" "$o/vmmctl/tests/control/emulator_test"
	gcc -std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -pthread "-I$v" \
		"-I$RANCHU_TOP/include/uapi" -o "$o/fb_copy_bench" \
		"$HERE/devices/fb_copy_bench.c" "$v/host/display.c" "$v/host/log.c" "$v/host/output.c"
}

# drivers_bound BOARD: how many of its drivers were seen at work.
drivers_bound() {
	local board driver test n=0

	while read -r board driver test; do
		[ "$board" = "$1" ] || continue
		if grep -q "^ok [0-9]* $test$" "$OUT/devices-$1.log.txt"; then
			n=$((n + 1))
		else
			echo "bench.sh: $1: $driver was not seen at work" >&2
		fi
	done <<< "$DRIVERS"
	echo "$n"
}

# Each board's devices by stock drivers, all that the tests say of a board in one file.
devices_at_work() {
	local log=$OUT/devices.log board test

	rm -f "$OUT"/devices-*.log.txt
	while read -r board test; do
		# shellcheck disable=SC2086 # a list of words
		long_step "devices of the $board board, $test" "$log" \
			"$RANCHU_TOP"/tools/ci/$test < /dev/null || missing=$((missing + 1))
		tr -d '\r' < "$log" >> "$OUT/devices-$board.log.txt"
	done <<< "$AT_WORK"
}

bench_devices() {
	local o=$OUT/devices ranchu virt pc

	mkdir -p "$OUT"
	"$RANCHU_TOP/tools/lab/fetch.sh"
	devices_build
	"$o/vmmctl/tests/control/emulator_test" > "$OUT/console.log" || missing=$((missing + 1))
	"$o/fb_copy_bench" > "$OUT/fb.log" || missing=$((missing + 1))
	cat "$OUT/fb.log"
	devices_at_work
	figure devices.idle_exits "$(cat "$OUT"/devices-*.log.txt |
		awk '/^# devices.idle_exits / { sum += $3; n++ } END { if (n == 3) print sum }')"
	figure devices.fb_copy_vs_memcpy "$(sed -n 's/^fb_copy_vs_memcpy //p' "$OUT/fb.log")"
	figure devices.console_commands \
		"$(sed -n 's/^# console commands answered: //p' "$OUT/console.log")"
	ranchu=$(drivers_bound ranchu)
	virt=$(drivers_bound virt)
	pc=$(drivers_bound pc)
	echo "Stock drivers that were seen at work: ranchu $ranchu, virt $virt, pc $pc"
	figure devices.drivers_bound "$(printf '%s\n' "$ranchu" "$virt" "$pc" | sort -n | head -n 1)"
}
