#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The host's part of goldfish-test.sh (busybox's sh), with the board's name.
set -u

. /ranchu/host-lib.sh
. /ranchu/screen-lib.sh

export XDG_RUNTIME_DIR=/tmp/runtime HOME=/tmp/home
mkdir -p "$XDG_RUNTIME_DIR" "$HOME" /tmp/shots
load_modules
ip link set lo up
# The store is the pc board's.
if [ "$(uname -m)" = x86_64 ]; then
	echo "1..17"
else
	echo "1..14"
fi

# Five seconds of what goldfish audio records: 8000 Hz, one channel, 16 bits.
{
	printf 'RIFF\244\070\001\000WAVEfmt \020\000\000\000\001\000\001\000'
	printf '\100\037\000\000\200\076\000\000\002\000\020\000data\200\070\001\000'
	head -c 80000 /dev/urandom
} > /tmp/record.wav

# Its other devices, of which nobody wants anything: the guest is to be idle with all of them.
truncate -s 16M /tmp/disk
socat UNIX-LISTEN:/tmp/touch,fork PIPE &
touch=$!
until [ -S /tmp/touch ]; do
	sleep 1
done

vmmctl run --name gf --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio \
	--memory 512M --screen-width 160 --screen-height 120 --emulator-console 5554 \
	--screenshots /tmp/shots \
	--disk /tmp/disk --device sound --device multitouch,socket=/tmp/touch \
	--vsock auto --adb off --vsock-uds /tmp/uds \
	--board "$1" --sound wav=/tmp/play.wav --sound record=/tmp/record.wav \
	--append "$linux_args fbcon=map:0 ranchu.run=goldfish-in-guest" \
	</dev/null > "$console" 2>&1 &
vmm=$!

# As adb prints it, who says OK or KO; where there is no adb, vmmctl does the same.
emu() {
	if [ -e /bin/adb ]; then
		adb -s emulator-5554 emu "$@" | tr -d '\r'
	elif vmmctl emu gf "$@" 2>/tmp/ko; then
		echo OK
	else
		sed 's/^vmmctl: gf/KO/' /tmp/ko
	fi
}

waits_for 1 BATTERY-READY $vmm
printed '^battery: Charging Good 1 100 5000000 250' && printed '^ac: 1'
result battery_as_it_starts $?

[ -n "$(find "$HOME" -name .emulator_console_auth_token -perm 600)" ] &&
	[ "$(emu avd name)" = "gf
OK" ] && [ "$(emu avd status | head -n 1)" = "virtual device is running" ]
result adb_emu_knows_the_vm $?

emu power status discharging > /tmp/emu
emu power capacity 42 >> /tmp/emu
emu power ac off >> /tmp/emu
sed 's/^/# /' /tmp/emu
waits_for 1 INPUT-READY $vmm
[ "$(grep -c '^OK$' /tmp/emu)" -eq 3 ] && printed '^battery: Discharging 42, ac: 0' &&
	printed '^battery interrupts: [1-9]'
result adb_emu_drives_the_battery $?

emu power capacity 101 > /tmp/emu
emu gsm list >> /tmp/emu
sed 's/^/# /' /tmp/emu
[ "$(grep -c '^KO: ' /tmp/emu)" -eq 2 ]
result what_there_is_not_is_refused $?

# As far as a stock keypad driver goes: it ends a report behind each event.
emu event send EV_KEY:KEY_A:1 EV_KEY:KEY_A:0 EV_SYN:SYN_REPORT:0 > /tmp/emu
vmmctl device gf events mouse 80 60 0 1
vmmctl device gf events mouse 80 60 0 0
vmmctl emu gf event text B
vmmctl device gf events send EV_KEY:KEY_POWER:1 EV_KEY:KEY_POWER:0 EV_SYN:SYN_REPORT:0
# More than the guest's program keeps back.
i=0
while [ $i -lt 60 ] && ! grep -q '^seen:' "$console"; do
	vmmctl device gf events send EV_REL:REL_X:1 EV_KEY:KEY_HOME:1 EV_KEY:KEY_HOME:0
	i=$((i + 1))
done
waits_for 1 EVENTS-READY $vmm
printed '^events: keys 10, axes 6f3800000000007, switches 14'
result events_has_its_capabilities $?
printed '^seen:.* 0001 001e 0001 0000;.* 0001 001e 0000 0000;.* 0003 0039 0000 0000;.* 0003 0035 40[0-9a-f]* 0000;.* 0003 0039 ffff ffff;.* 0001 002a 0001 0000;.* 0001 0030 0001 0000;.* 0001 0074 0001 0000;'
result events_arrive_in_order $?

# Six seconds, of which the guest has the device take the last two buffers at once.
waits_for 1 SOUND-READY $vmm
rate=$(sed -n 's/^eac: \([0-9]*\) bytes a second.*/\1/p' "$console")
want=$(sed -n 's/^sound: \([0-9a-f]*\).*/\1/p' "$console")
have=$(tail -c +45 /tmp/play.wav | sha256sum | cut -c 1-64)
echo "# $rate bytes a second of 176400, played $have, wanted $want"
[ -n "$rate" ] && [ "$rate" -ge 172872 ] && [ "$rate" -le 179928 ] && [ "$have" = "$want" ]
result audio_plays_what_it_is_given_at_its_pace $?
rate=$(sed -n 's/^heard: .* \([0-9]*\) bytes a second.*/\1/p' "$console")
want=$(tail -c +45 /tmp/record.wav | sha256sum | cut -c 1-64)
echo "# $rate bytes a second of 16000"
[ -n "$rate" ] && [ "$rate" -ge 15680 ] && [ "$rate" -le 16320 ] &&
	printed "^heard: 80000 $want" &&
	refuses "has another format than 8000 Hz" --sound record=/tmp/play.wav
result audio_records_the_file_at_its_pace $?

if [ "$(uname -m)" = x86_64 ]; then
	waits_for 1 ROTARY-READY $vmm
	vmmctl device gf rotary turn 3
	waits_for 1 ROTARY-OVER $vmm
	printed '^rotary: goldfish_rotary, types 7, wheels 100' &&
		printed '^turned:.* 0002 0008 0003 0000;.* 0000 0000 0000 0000;'
	result a_turn_of_the_wheel_arrives $?
fi

waits_for 1 PICTURE-READY $vmm
printed '^fb: .*160,240 16, interrupts [1-9]'
result fb_is_bound $?

# bar COUNT RGB: rows of one colour, a byte in front of each.
bar() {
	row=0
	while [ $row -lt "$1" ]; do
		printf '\0'
		pixel=0
		while [ $pixel -lt 160 ]; do
			# shellcheck disable=SC2059 # an escape sequence
			printf "$2"
			pixel=$((pixel + 1))
		done
		row=$((row + 1))
	done
}

{ bar 30 '\0\0\0'; bar 30 '\377\377\377'; bar 30 '\030\343\377'; bar 30 '\255\125\122'; } \
	> /tmp/want
vmmctl screenshot gf /tmp/shot.png && pixels /tmp/shot.png 160 120 > /tmp/have
wc -c /tmp/shot.png /tmp/have /tmp/want | sed 's/^/# /'
cmp /tmp/have /tmp/want
result a_screenshot_has_the_pixels $?

emu screenrecord screenshot > /tmp/emu
sed 's/^/# /' /tmp/emu
shot=$(sed -n '1s,^\(/tmp/shots/Screenshot_[0-9]*\.png\)$,\1,p' /tmp/emu)
[ "$(grep -c '^OK$' /tmp/emu)" -eq 1 ] && pixels "$shot" 160 120 > /tmp/have &&
	cmp /tmp/have /tmp/want
result adb_emu_takes_a_picture $?

# A PC's board has a goldfish one, the others a PL031.
case $arch in
x86_64) clock=goldfish_rtc ;;
*) clock=rtc-pl031 ;;
esac
printed "^rtc: $clock.*, off by [01] s, rang: yes, interrupts [1-9]"
result rtc_tells_time_and_alarms $?

vmmctl device gf battery set capacity 43
waits_for 1 BLANK-READY $vmm
vmmctl screenshot gf /tmp/blank.png && pixels /tmp/blank.png 160 120 > /tmp/have
bar 120 '\0\0\0' > /tmp/want
cmp /tmp/have /tmp/want
result blank_is_black $?
vmmctl device gf battery set capacity 44

waits_for 1 IDLE-READY $vmm
emu power status full > /dev/null
emu power ac on > /dev/null
exits() {
	vmmctl stats gf | sed -n 's/.*"userspace_exits": \([0-9]*\).*/\1/p' | head -n 1
}
sleep 4
before=$(exits)
sleep 10
after=$(exits)
echo "# devices.idle_exits $((after - before))"
bound=0
for driver in virtio_blk virtio_input virtio_snd vmw_vsock_virtio_transport; do
	! printed "^bound: $driver" || bound=$((bound + 1))
done
[ $bound -eq 4 ] && printed '^drivers are content' && [ "$before" -gt 0 ] &&
	[ "$((after - before))" -eq 0 ] && waits_for 1 'GUEST-EXIT: 0' $vmm && wait $vmm
result idle_guest_does_not_exit $?

# The guest panics, vmmctl boots it again, and it ends by itself.
if [ "$(uname -m)" = x86_64 ]; then
	timeout 400 vmmctl run --name ps --kernel /ranchu/guest/Image \
		--initrd /ranchu/guest/initrd.cpio --memory 512M --pstore /tmp/store \
		--append "$linux_args panic=-1 ranchu.run=pstore-in-guest" \
		</dev/null > "$console" 2>&1
	vmm=$?
	boot=$(sed -n 's/^\([0-9a-f]\{8\}-[0-9a-f-]*\).*/\1/p' "$console" | head -n 1)
	[ -n "$boot" ] && printed "the last words of $boot" && printed '^the store is empty' &&
		printed '^GUEST-EXIT: 0' && [ "$vmm" -eq 0 ]
	result a_panic_is_kept_over_the_reset $?
	vmmctl run --name ps --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio \
		--memory 512M --pstore /tmp --append "$linux_args" </dev/null > "$console" 2>&1
	[ $? -ne 0 ] && printed '^vmmctl: --pstore: cannot open /tmp: Is a directory'
	result a_store_that_is_no_file_is_refused $?
fi

kill $touch
unload_modules || failed=1
[ "$failed" -eq 0 ]
