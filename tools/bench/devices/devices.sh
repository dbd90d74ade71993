# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The area "devices" of bench.sh: what goldfish devices cost, and what the emulator's
# console knows. Sourced, never run.

FLOORS[devices.idle_exits]="0, exactly"
FLOORS[devices.fb_copy_vs_memcpy]="<= 1.3"
FLOORS[devices.console_commands]=">= 40"
FLOORS[devices.drivers_bound]=">= 12"

# Stock drivers, the test that needs each, of goldfish-test.sh or of pci-test.sh, and the
# board, where it is on one only.
DRIVERS="goldfish_battery adb_emu_drives_the_battery
goldfish_events events_arrive_in_order
goldfishfb a_screenshot_has_the_pixels
rtc-goldfish rtc_tells_time_and_alarms x86_64
goldfish_pipe pipe_by_its_stock_driver
virtio_blk disks_of_the_kernels
virtio_net network_by_vhost_net
vmw_vsock_virtio_transport adb_by_our_vsock
virtio-rng rng
virtio_console console
virtio_input multitouch
virtio_balloon balloon
gpio-keys power_button_is_a_key arm64"

devices_build() {
	local v=$RANCHU_TOP/userspace/vmmctl o=$OUT/devices

	mkdir -p "$o"
	make -s -C "$v" "O=$o/vmmctl" "$o/vmmctl/tests/control/emulator_test"
	gcc -std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -pthread "-I$v" \
		"-I$RANCHU_TOP/include/uapi" -o "$o/fb_copy_bench" \
		"$HERE/devices/fb_copy_bench.c" "$v/host/display.c" "$v/host/log.c" "$v/host/output.c"
}

# drivers_bound ARCH: how many of them have passed.
drivers_bound() {
	local driver test board n=0

	while read -r driver test board; do
		[ -z "$board" ] || [ "$board" = "$1" ] || continue
		if grep -q "^ok [0-9]* $test$" "$OUT/devices-$1.log.txt"; then
			n=$((n + 1))
		else
			echo "bench.sh: $1: $driver was not seen at work" >&2
		fi
	done <<< "$DRIVERS"
	echo "$n"
}

# devices_at_work ARCH: each device of the board by its stock driver.
devices_at_work() {
	local log=$OUT/devices-$1.log

	long_step "goldfish devices, driven from outside, $1" "$log" \
		"$RANCHU_TOP/tools/ci/goldfish-test.sh" "$1" || missing=$((missing + 1))
	tr -d '\r' < "$log" > "$log.txt"
	long_step "virtio devices, all at once, $1" "$log" \
		"$RANCHU_TOP/tools/ci/pci-test.sh" "$1" || missing=$((missing + 1))
	tr -d '\r' < "$log" >> "$log.txt"
}

bench_devices() {
	local o=$OUT/devices arm64 x86_64

	mkdir -p "$OUT"
	"$RANCHU_TOP/tools/lab/fetch.sh"
	devices_build
	"$o/vmmctl/tests/control/emulator_test" > "$OUT/console.log" || missing=$((missing + 1))
	"$o/fb_copy_bench" > "$OUT/fb.log" || missing=$((missing + 1))
	cat "$OUT/fb.log"
	devices_at_work arm64
	devices_at_work x86_64
	figure devices.idle_exits "$(cat "$OUT"/devices-*.log.txt |
		awk '/^# devices.idle_exits / { sum += $3; n++ } END { if (n == 2) print sum }')"
	figure devices.fb_copy_vs_memcpy "$(sed -n 's/^fb_copy_vs_memcpy //p' "$OUT/fb.log")"
	figure devices.console_commands \
		"$(sed -n 's/^# console commands answered: //p' "$OUT/console.log")"
	arm64=$(drivers_bound arm64)
	x86_64=$(drivers_bound x86_64)
	echo "Stock drivers that were seen at work: arm64 $arm64, x86_64 $x86_64"
	figure devices.drivers_bound "$((arm64 < x86_64 ? arm64 : x86_64))"
}
