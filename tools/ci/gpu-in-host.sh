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
echo "1..17"

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

# shows NUMBER: the screen has that of gpu_guest's pictures, or gets it: the guest does not
# wait until the host has drawn.
shows() {
	gpu_guest rows "$1" $width $height > /tmp/want
	# Nothing of the picture before, should there be no screenshot.
	rm -f /tmp/shot.png /tmp/have
	tries=20
	until vmmctl screenshot gpu /tmp/shot.png &&
	      pixels /tmp/shot.png $width $height > /tmp/have && cmp -s /tmp/have /tmp/want; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || break
		sleep 1
	done
	wc -c /tmp/shot.png /tmp/have /tmp/want | sed 's/^/# /'
	cmp /tmp/have /tmp/want
}

# pictures PREFIX: four are drawn, and shown as they are.
pictures() {
	waits_for 1 FIRST-READY $vmm
	shows 0
	result "$1a_picture" $?
	go
	waits_for 1 SECOND-READY $vmm
	shows 1
	result "$1a_page_flip" $?
	go
	waits_for 1 PATCHED-READY $vmm
	shows 2
	result "$1a_part_that_has_changed" $?
	go
	waits_for 1 POINTED-READY $vmm
	shows 3
	result "$1a_cursor" $?
	go
}

stat_of() {
	vmmctl stats gpu | sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" | head -n 1
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
before=$(stat_of userspace_exits)
# Until there are some, and then no more.
tries=60
seen=$frames
until [ "$seen" -gt "$frames" ] && [ "$(stat_of gpu_frames)" -eq "$seen" ]; do
	seen=$(stat_of gpu_frames)
	tries=$((tries - 1))
	[ $tries -gt 0 ] || break
	sleep 1
done
after=$(stat_of userspace_exits)
echo "# gpu.exits_per_frame $((after - before)) / 60, updates $((seen - frames))"
! printed '^gpu: 60 flips' && [ "$seen" -gt "$frames" ] && [ "$before" -gt 0 ] &&
	[ "$((after - before))" -eq 0 ]
result frames_do_not_exit $?

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
	sed -n "/^gl: by $1/,/^gl: error/s/^gl: frame .* sum //p" "$console"
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
appears 6 '^gl: frame .: 0 of 19200 pixels wrong' && appears 2 '^gl: error 0' &&
	[ "$(sums virgl)" = "$(sums softpipe)" ] && [ -n "$(sums virgl)" ]
result each_pixel_is_as_it_should_be $?

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
