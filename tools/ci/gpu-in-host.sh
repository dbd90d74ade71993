#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The host's part of gpu-test.sh (busybox's sh).
set -u

. /ranchu/host-lib.sh
. /ranchu/screen-lib.sh
. /ranchu/mesa-lib.sh

export XDG_RUNTIME_DIR=/tmp/runtime
mkdir -p "$XDG_RUNTIME_DIR"
load_modules
modprobe -a crc32c_generic ext4
width=160
height=120
log=/tmp/gpu.log
: > "$log"
echo "1..18"

mkfifo /tmp/typed
exec 3<>/tmp/typed

# serves SOCKET COMMAND...: a process, which serves one connection.
serves() {
	at=$1
	shift
	rm -f "$at"
	"$@" >> "$log" 2>&1 &
	gpu=$!
	# It takes its socket away when a VM has connected, and one may wait for it.
	tries=0
	while [ ! -S "$at" ] && [ $tries -lt 600 ]; do
		usleep 100000
		tries=$((tries + 1))
	done
}

# start SOCKET COMMAND OPTION...: a guest that runs it.
start() {
	at=$1
	run=$2
	shift 2
	vmmctl run --name gpu --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio \
		--screen-width $width --screen-height $height "$@" \
		--vhost-user "gpu,socket=$at" --append "$linux_args ranchu.run=\"$run\"" \
		</tmp/typed > "$console" 2>&1 &
	vmm=$!
}

go() {
	echo go >&3
}

stat_of() {
	vmmctl stats gpu | sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" | head -n 1
}

# settles MORE SECONDS: waits until there was no update for SECONDS, and with MORE=1 at least one
# new update before that, because the guest does not wait for the host. Sets $seen to their number.
seen=0
settles() {
	before=$seen
	still=0
	tries=90
	while [ $tries -gt 0 ]; do
		now=$(stat_of gpu_frames)
		[ "$now" = "$seen" ] && still=$((still + 1)) || still=0
		seen=$now
		[ $still -lt "$2" ] || [ "$seen" -lt $((before + $1)) ] || break
		sleep 1
		tries=$((tries - 1))
	done
	[ $tries -gt 0 ]
}

# shows NAME NUMBER: checks once that the screen shows this picture of gpu_guest, after the
# guest's updates have arrived. A cursor (picture 3) is no update.
shows() {
	gpu_guest rows "$2" $width $height > /tmp/want
	# Nothing of the picture before, should there be no screenshot.
	rm -f /tmp/shot.png /tmp/have
	settles $(($2 < 3)) 3
	vmmctl screenshot gpu /tmp/shot.png && pixels /tmp/shot.png $width $height > /tmp/have
	compares "$1" /tmp/have /tmp/want $width $height
}

# pictures PREFIX: four are drawn, and shown as they are.
pictures() {
	seen=0
	waits_for 1 FIRST-READY $vmm
	shows "$1a_picture" 0
	result "$1a_picture" $?
	go
	waits_for 1 SECOND-READY $vmm
	shows "$1a_page_flip" 1
	result "$1a_page_flip" $?
	go
	waits_for 1 PATCHED-READY $vmm
	shows "$1a_part_that_has_changed" 2
	result "$1a_part_that_has_changed" $?
	go
	waits_for 1 POINTED-READY $vmm
	shows "$1a_cursor" 3
	result "$1a_cursor" $?
	go
}

serves /tmp/gpu ranchu-gpu --socket-path /tmp/gpu
start /tmp/gpu gpu-in-guest --memory 512M
waits_for 1 FIRST-READY $vmm
printed '^gpu: driver virtio_gpu' &&
	printed "^gpu: connectors 1, connected 1, modes 1, ${width}x${height}" &&
	printed '^edid: 128'
result stock_driver_finds_one_screen_of_one_mode $?
pictures ""

waits_for 1 FLIPS-READY $vmm
go
sleep 3
frames=$(stat_of gpu_frames)
first=$(stat_of userspace_exits)
seen=$frames
settles 1 4
after=$(stat_of userspace_exits)
# All flips came before that if there was no update since; one update can stand for several.
! printed '^gpu: .* flips' && waits_for 1 FLIPPED-READY $vmm &&
	[ "$(stat_of gpu_frames)" -eq "$seen" ] && [ "$seen" -gt "$frames" ] && [ "$first" -gt 0 ]
all=$?
flips=$(sed -n 's/^gpu: \([0-9]*\) flips.*/\1/p' "$console")
echo "# updates $((seen - frames)) of $flips flips"
[ $all -ne 0 ] || echo "# exits flips $((after - first)) / $flips"
[ $all -eq 0 ] && [ "$flips" -eq 60 ] && [ "$((after - first))" -eq 0 ]
result frames_do_not_exit $?
go

waits_for 1 KILL-READY $vmm
sleep 2
before=$(stat_of gpu_frames)
sleep 2
after=$(stat_of gpu_frames)
echo "# frames while it is killed: $before, $after"
kill -9 $gpu
wait $gpu
sleep 3
vmmctl screenshot gpu /tmp/last.png
last=$?
go
waits_for 1 '^guest: lives' $vmm
lives=$?
grep 'virtio-gpu' "$console" | sed 's/^/# /'
[ "$after" -gt "$before" ] && [ $last -eq 0 ] && [ $lives -eq 0 ] && kill -0 $vmm &&
	appears 1 'vmmctl: virtio-gpu: nobody serves /tmp/gpu any more'
result server_killed_in_mid_frame $?

serves /tmp/gpu ranchu-gpu --socket-path /tmp/gpu
waits_for 1 'virtio-gpu: /tmp/gpu is served again' $vmm
result another_server_is_taken $?

# The VM ends in order, although the guest's driver has lost its device.
go
waits_for 1 'GUEST-EXIT: 0' $vmm && wait $vmm && wait $gpu
code=$?
sed 's/^/# ranchu-gpu: /' "$log"
[ $code -eq 0 ] && [ ! -s "$log" ] && ! printed GUEST-SPLAT && ! printed 'a bug of vmmctl'
result all_end_in_order $?

# ---- with virglrenderer, and Debian's Mesa in the guest ----

# sums WHO: of the frames that were drawn by it.
sums() {
	sed -n "/^gl: by $1/,/^gl: error/s/^gl: frame .* sum \([0-9a-f]*\).*/\1/p" "$console"
}

losetup -r /dev/loop0 /ranchu/mesa
libraries_from /dev/loop0
: > "$log"
serves /tmp/gpu ranchu-gpu-dynamic --renderer virgl --socket-path /tmp/gpu
start /tmp/gpu gl-in-guest --memory 1G --disk /dev/loop0,readonly
waits_for 1 FIRST-READY $vmm
printed 'features: +virgl' && printed 'features: +context_init' && printed 'number of cap sets: 2'
result stock_driver_has_3d $?
pictures virgl_
waits_for 1 '^gl: by softpipe' $vmm
printed '^gl: renderer virgl'
result mesa_draws_by_virgl $?
waits_for 1 '^gl: killed' $vmm
sed -n 's/^gl: /# &/p' "$console"
sed -n 's/^gl: frame \([0-9]*\): \([0-9]*\) of \([0-9]*\) pixels wrong.*/\1 \3 wrong \2/p' \
	"$console" | sed 's/^/# pixels gl_frame_/'
# A frame with a different sum counts as one wrong pixel.
sums virgl > /tmp/virgl
sums softpipe > /tmp/softpipe
differ=$(awk 'NR == FNR { sum[FNR] = $1; next } $1 != sum[FNR] { n++ } END { print n + 0 }' \
	/tmp/virgl /tmp/softpipe)
[ "$(wc -l < /tmp/softpipe)" -eq 3 ] && echo "# pixels gl_sums $((3 * width * height)) wrong $differ"
appears 6 '^gl: frame .: 0 of 19200 pixels wrong' && appears 2 '^gl: error 0' &&
	[ "$differ" -eq 0 ] && [ "$(wc -l < /tmp/virgl)" -eq 3 ]
result each_pixel_is_as_it_should_be $?

# Frames of OpenGL with their fences, without output on the console.
waits_for 1 GL-COUNT-READY $vmm
sleep 3
first=$(stat_of userspace_exits)
sleep 20
after=$(stat_of userspace_exits)
go
waits_for 1 GL-KILL-READY $vmm
frames=$(sed -n 's/^gl: frames \([0-9]*\).*/\1/p' "$console")
[ -z "$frames" ] || [ "$frames" -eq 0 ] || echo "# exits virgl $((after - first)) / $frames"
[ "${frames:-0}" -gt 0 ] && [ "$first" -gt 0 ] && [ "$((after - first))" -eq 0 ]
result frames_of_virgl_do_not_exit $?

waits_for 1 GL-KILL-READY $vmm
kill -0 $gpu && kill -9 $gpu
wait $gpu
go
waits_for 1 'guest: lives on' $vmm && wait $vmm && printed 'GUEST-EXIT: 0' &&
	appears 1 'vmmctl: virtio-gpu: nobody serves /tmp/gpu any more' && ! printed GUEST-SPLAT
code=$?
sed 's/^/# ranchu-gpu: /' "$log"
result renderer_killed_while_it_draws $code

exec 3>&-
umount /mesa
losetup -d /dev/loop0
unload_modules || failed=1
[ "$failed" -eq 0 ]
