#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The host's part of gles-test.sh (busybox's sh).
set -u

. /ranchu/host-lib.sh
. /ranchu/screen-lib.sh

export XDG_RUNTIME_DIR=/tmp/runtime
mkdir -p "$XDG_RUNTIME_DIR"
load_modules
width=160
height=120
log=/tmp/gles.log
: > "$log"
echo "1..16"

mkfifo /tmp/typed
exec 3<>/tmp/typed

# draws: a ranchu-gles, which waits for the VM.
draws() {
	ranchu-gles --pipe-socket /tmp/pipe --sync-socket /tmp/sync --screen-socket /tmp/screen \
		>> "$log" 2>&1 &
	gles=$!
}

go() {
	echo go >&3
}

# shows NAME NUMBER: checks once that the screen shows this picture of gles_guest. The delay is
# for ranchu-gles, which does not report when it has posted a picture.
shows() {
	gles_guest rows "$2" $width $height > /tmp/want
	# Nothing of the picture before, should there be no screenshot.
	rm -f /tmp/shot.png /tmp/have
	sleep 5
	vmmctl screenshot gles /tmp/shot.png && pixels /tmp/shot.png $width $height > /tmp/have
	compares "$1" /tmp/have /tmp/want $width $height
}

# exits NAME: accesses of the pipe and of the sync device that came to userspace between its
# marks.
exits() {
	for device in pipe sync; do
		counted "MARK begin $1" $device
		counted "MARK end $1" $device
	done | awk '{ n = $1 + $2 - n; if (NR % 2 == 0) { sum += n; n = 0 } }
		END { if (NR == 4) print sum; else print "?" }'
}

# pictures PREFIX TIMES: three are drawn, shown as they are, and read back as they are.
pictures() {
	waits_for "$2" FIRST-READY $vmm
	shows "$1a_picture" 0
	result "$1a_picture" $?
	go
	waits_for "$2" SECOND-READY $vmm
	shows "$1another_buffer" 1
	result "$1another_buffer" $?
	go
	waits_for "$2" CHANGED-READY $vmm
	shows "$1a_part_that_has_changed" 2 && [ "$(grep -c '^gles: picture [012], 19200 pixels, wrong 0' "$console")" \
		-eq $((3 * $2)) ]
	result "$1a_part_that_has_changed" $?
	go
}

draws
vmmctl run --name gles --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio \
	--memory 256M --cpus 2 --screen-width $width --screen-height $height \
	--pipe-socket /tmp/pipe --sync-socket /tmp/sync --screen-socket /tmp/screen \
	--stats=/tmp/stats --stats-at MARK \
	--append "$linux_args ranchu.run=gles-in-guest" </tmp/typed > "$console" 2>&1 &
vmm=$!

waits_for 1 LIFE-READY $vmm
echo first >&3
pictures "" 1
grep -q "^Seccomp:.2" /proc/$gles/status && grep -q "^NoNewPrivs:.1" /proc/$gles/status
result it_is_in_its_sandbox $?

waits_for 1 ENDLESS-READY $vmm
echo "# exits of 100 frames and 5000 commands: $(exits frames), of 40 fences: $(exits fences)"
[ "$(exits frames)" = 0 ] && printed '^gles: 100 frames'
result frames_do_not_exit $?
[ "$(exits fences)" = 0 ] && printed '^gles: fences 40, waits 40, increments 40, wrong 0'
result fences_are_signalled_and_do_not_exit $?

printed '^gles: wrong 7 of 7, pipes 64 of 70, buffers 256, then version 1' &&
	[ "$(grep -c "the guest's command 2114 of pipe:opengles is of OpenGL" "$log")" -eq 1 ] &&
	[ "$(grep -c 'the guest sent a wrong ' "$log")" -eq 1 ] &&
	[ "$(grep -c 'holds 256 colour buffers' "$log")" -eq 1 ] &&
	[ "$(grep -c 'has 64 pipes open' "$log")" -eq 1 ]
result what_is_wrong_ends_its_pipe_and_is_said_once $?

sleep 1
kill -KILL $gles
wait $gles
waits_for 1 AGAIN-READY $vmm
shows a_last_frame 0 && printed '^endless: ended' && printed '^nobody: refused' &&
	[ "$(grep -c 'the program that draws has ended: its last frame stays' "$console")" -eq 1 ]
result killed_its_last_frame_stays_and_is_said_once $?

draws
tries=0
until [ "$(grep -c 'the guest is served' "$log")" -eq 2 ] || [ $tries -eq 60 ]; do
	sleep 1
	tries=$((tries + 1))
done
go
pictures again_ 2

# Nothing of a guest that was reset is on the screen, and ranchu-gles goes on.
waits_for 2 LIFE-READY $vmm
gles_guest rows 0 $width $height > /tmp/want
tries=20
until vmmctl screenshot gles /tmp/shot.png &&
      pixels /tmp/shot.png $width $height > /tmp/have && ! cmp -s /tmp/have /tmp/want; do
	tries=$((tries - 1))
	[ $tries -gt 0 ] || break
	sleep 1
done
! cmp -s /tmp/have /tmp/want && kill -0 $gles
result a_reset_takes_the_picture_away $?
echo second >&3
pictures after_a_reset_ 3

waits_for 1 'GUEST-EXIT: 0' $vmm
ended=$?
# Pixels that the guest has read back.
sed -n 's/^gles: picture \([012]\), \([0-9]*\) pixels, wrong \([0-9]*\).*/\1 \2 wrong \3/p' \
	"$console" | sed 's/^/# pixels read_/'
wait $vmm
rc=$?
wait $gles
served=$?
sed 's/^/# ranchu-gles: /' "$log"
[ $ended -eq 0 ] && [ $rc -eq 0 ] && [ $served -eq 0 ] && printed '^guest: lives again' &&
	! printed GUEST-SPLAT && ! printed 'a bug of vmmctl' &&
	! [ -e /tmp/pipe ] && ! [ -e /tmp/sync ] && ! [ -e /tmp/screen ]
result it_ends_with_the_vm $?

unload_modules || failed=1
[ "$failed" -eq 0 ]
