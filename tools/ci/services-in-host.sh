#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The host's part of services-test.sh (busybox's sh).
set -u

. /ranchu/host-lib.sh

export XDG_RUNTIME_DIR=/tmp/runtime HOME=/tmp/home
dir=$XDG_RUNTIME_DIR/ranchu/gs
mkdir -p "$XDG_RUNTIME_DIR" "$HOME"
load_modules
ip link set lo up
echo "1..19"

vmmctl run --name gs --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio \
	--memory 256M --emulator-console 5554 --guest-services \
	--append "$linux_args ranchu.run=services-in-guest" \
	</dev/null > "$console" 2>&1 &
vmm=$!

# As adb prints it.
emu() {
	adb -s emulator-5554 emu "$@" | tr -d '\r'
}

status() {
	vmmctl status gs | sed -n 's/.*"guest-services": "\(.*\)".*/\1/p'
}

# serve OPTION...: ranchu-services in the background.
serve_guest() {
	ranchu-services gs "$@" > /tmp/services 2>&1 &
	services=$!
}

# What the guest opens before ranchu-services is there waits for it.
waits_for 1 FIRST-READY $vmm
sleep 2
before=$(status)
{ echo '{"execute":"qmp_capabilities"}'; sleep 500; } |
	socat -t 5 - UNIX-CONNECT:$dir/control.sock > /tmp/events &
events=$!
serve_guest --property qemu.sf.lcd_density=160 --property a=b
waits_for 1 'misc: bootcomplete OK' $vmm
[ "$before" = waiting ] && [ "$(status)" = served ] && printed '^misc: heartbeat OK'
result an_open_waits_for_the_service $?

printed '^misc: nonsense KO' && printed '^misc: random numbers are different'
result misc_pipe_answers $?

n=0
until grep -q '"event": *"BOOT_COMPLETED"' /tmp/events || [ $n -eq 60 ]; do
	sleep 1
	n=$((n + 1))
done
grep -E 'BOOT' /tmp/events | sed 's/^/# /'
grep -q '"event": *"BOOT_COMPLETED"' /tmp/events && grep -q '"by": *"guest"' /tmp/events &&
	vmmctl status gs | grep -q '"booted": true'
result bootcomplete_is_an_event $?

emu avd heartbeat > /tmp/emu
sed 's/^/# /' /tmp/emu
grep -q '^heartbeat: 2$' /tmp/emu && grep -q '^OK$' /tmp/emu
result heartbeats_are_counted $?

waits_for 1 SENSORS-READY $vmm
printed '^property: qemu.sf.lcd_density=160' && printed '^property: a=b' && printed '^properties end'
result boot_properties_are_listed $?

vmmctl device gs guest lights > /tmp/lights
sed 's/^/# /' /tmp/lights
printed '^light: 077' && grep -q '^lcd_backlight = 77$' /tmp/lights
result lights_are_set $?

emu sensor set acceleration 1:2:3 > /tmp/emu
emu sensor get acceleration >> /tmp/emu
emu sensor set nose 1 >> /tmp/emu
sed 's/^/# /' /tmp/emu
waits_for 1 GPS-READY $vmm
printed '^sensors: mask 133119' && printed '^sensors: acceleration:1:2:3' &&
	printed '^sensors: awake' && [ "$(grep -c '^OK$' /tmp/emu)" -eq 2 ] &&
	grep -q '^acceleration = 1:2:3$' /tmp/emu && grep -q '^KO: unknown sensor name: nose' /tmp/emu
result adb_emu_sets_a_sensor $?

# From here on the guest's device stands on its right side.
emu rotate > /tmp/emu
emu sensor get acceleration >> /tmp/emu
sed 's/^/# /' /tmp/emu
[ "$(grep -c '^OK$' /tmp/emu)" -eq 2 ] && grep -q '^acceleration = -9.81:0:0$' /tmp/emu
result adb_emu_rotates $?

emu geo fix 8.5417 47.3769 408 > /tmp/emu
emu geo fix 181 0 >> /tmp/emu
# shellcheck disable=SC2016 # a sentence begins so
emu geo nmea '$GPGSA,A,1' >> /tmp/emu
sed 's/^/# /' /tmp/emu
waits_for 1 FINGER-READY $vmm
printed '^gps: \$GPGGA,[0-9]*,4722.6140,N,00832.5020,E,1,06,,408.0,M,0.,M,,\*' &&
	printed '^gps: \$GPRMC,[0-9]*,A,4722.6140,N,00832.5020,E,' && printed '^gps: \$GPGSA,A,1' &&
	grep -q '^KO: Longitude must be between -180 and 180.' /tmp/emu
result adb_emu_sends_a_position $?

emu finger touch 5 > /tmp/emu
sleep 1
emu finger remove >> /tmp/emu
waits_for 1 CLIPBOARD-READY $vmm
printed '^finger: on:5' && printed '^finger: off' && [ "$(grep -c '^OK$' /tmp/emu)" -eq 2 ]
result adb_emu_touches_the_fingerprint_sensor $?

n=0
until cmp -s $dir/logcat /tmp/want || [ $n -eq 60 ]; do
	printf 'first line of the log\nsecond line\n' > /tmp/want
	sleep 1
	n=$((n + 1))
done
sed 's/^/# /' $dir/logcat
cmp $dir/logcat /tmp/want
result the_log_is_a_file $?

n=0
until [ "$(vmmctl device gs clipboard get)" = "from the guest" ] || [ $n -eq 60 ]; do
	sleep 1
	n=$((n + 1))
done
copied=$(vmmctl device gs clipboard get)
vmmctl device gs clipboard set "from the host"
waits_for 1 DISPLAYS-READY $vmm
[ "$copied" = "from the guest" ] && printed '^clipboard: from the host' &&
	grep -q '"event": *"CLIPBOARD"' /tmp/events
result the_clipboard_goes_both_ways $?

emu multidisplay add 2 640 480 160 0 > /tmp/emu
emu multidisplay del 2 >> /tmp/emu
sed 's/^/# /' /tmp/emu
waits_for 1 'camera: stop' $vmm
printed '^display: length 21, add 2: 640x480' && printed '^display: length 21, delete 2: 0x0' &&
	[ "$(grep -c '^OK$' /tmp/emu)" -eq 2 ]
result screens_come_and_go $?

# 3 + 640 x 480 in NV21, in four bytes a pixel, and a time.
printed '^camera: ok:name=testpicture channel=0 pix=876758866 dir=back framedims=640x480' &&
	printed '^camera: start ok' &&
	printed '^camera: frame ok 1689611 bytes, pixels 235 16, preview 255,255,255' &&
	printed '^camera: wrong size ko' && printed '^camera: stop ok'
result a_camera_sends_a_picture $?

waits_for 1 HANGUP-READY $vmm
printed '^rotating camera: -9.81 0 0, 0 22 -43, 0 0 0'
result the_rotating_camera_is_told_how_it_is_held $?
[ "$(grep -c '^refused: .*: error' "$console")" -eq 4 ]
result what_is_wrong_is_hung_up $?

# All of the program is in the sandbox; then it is killed.
grep -q "^Seccomp:.2" /proc/$services/status && grep -q "^NoNewPrivs:.1" /proc/$services/status
confined=$?
kill -KILL $services
waits_for 1 AGAIN-READY $vmm
[ $confined -eq 0 ] && printed '^hangup: error' && printed '^nobody: refused' &&
	[ "$(status)" = gone ] && printed 'vmmctl: ranchu-services has ended'
result killed_it_is_the_guests_hang_up $?

# It comes again, with the values that there are.
vmmctl device gs sensors set magnetic-field 4:5:6
serve_guest
waits_for 1 IDLE-READY $vmm
printed '^again: misc: heartbeat OK' && printed '^sensors: magnetic:4:5:6' && [ "$(status)" = served ]
result it_comes_again $?

exits() {
	vmmctl stats gs | sed -n 's/.*"userspace_exits": \([0-9]*\).*/\1/p' | head -n 1
}
sleep 3
before=$(exits)
sleep 5
after=$(exits)
echo "# $((after - before)) exits of an idle guest in 5 s"
waits_for 1 'GUEST-EXIT: 0' $vmm && wait $vmm
rc=$?
n=0
while kill -0 $services 2>/dev/null && [ $n -lt 60 ]; do
	sleep 1
	n=$((n + 1))
done
wait $services
[ $? -eq 0 ] && [ $rc -eq 0 ] && [ "$before" -gt 0 ] && [ "$((after - before))" -eq 0 ] &&
	[ ! -e $dir ]
result it_ends_with_the_vm $?

kill $events
unload_modules || failed=1
[ "$failed" -eq 0 ]
