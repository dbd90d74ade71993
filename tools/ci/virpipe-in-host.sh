#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The host's part of virpipe-test.sh (busybox's sh).
set -u

. /ranchu/host-lib.sh
. /ranchu/mesa-lib.sh

export XDG_RUNTIME_DIR=/tmp/runtime
mkdir -p "$XDG_RUNTIME_DIR" /tmp/gl
load_modules
modprobe -a crc32c_generic ext4
pixels=19200
log=/tmp/gl.log
: > "$log"
echo "1..16"

mkfifo /tmp/typed
exec 3<>/tmp/typed

go() {
	echo go >&3
}

# confines PROGRAM OPTION...: as the server is.
confines() {
	program=$1
	shift
	rm -f /tmp/gl/virgl
	virgl_confine --socket /tmp/gl/virgl --read /mesa "$@" "$program" >> "$log" 2>&1 &
	launcher=$!
	tries=0
	while [ ! -S /tmp/gl/virgl ] && [ $tries -lt 600 ]; do
		usleep 100000
		tries=$((tries + 1))
	done
}

# child_of PID: the newest.
child_of() {
	awk '{ print $NF }' "/proc/$1/task/$1/children"
}

# connections: how many processes the server has for them.
connections() {
	wc -w < "/proc/$server/task/$server/children"
}

stat_of() {
	vmmctl stats virpipe | sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" | head -n 1
}

# frames NAME: the lines about the frames of this name.
frames() {
	sed -n "/^gl: $1/,/^gl: end/s/^gl: frame //p" "$console" | tr -d '\r'
}

# equal NAME: prints how many pixels of three frames are wrong, for bench.sh, and fails if any
# are. A frame whose sum is not that of softpipe's frame counts as one wrong pixel.
equal() {
	frames "$1" > /tmp/frames
	name=$prefix$(echo "$1" | tr ' ' _)
	sed 's/^\([0-9]*\): \([0-9]*\) of \([0-9]*\) pixels wrong.*/# pixels '"$name"'_\1 \3 wrong \2/' \
		/tmp/frames
	[ "$(wc -l < /tmp/frames)" -eq 3 ] && [ "$(wc -l < /tmp/softpipe)" -eq 3 ] || return 1
	sed 's/.* sum //' /tmp/frames > /tmp/sums
	differ=$(awk 'NR == FNR { sum[FNR] = $1; next } $1 != sum[FNR] { n++ } END { print n + 0 }' \
		/tmp/softpipe /tmp/sums)
	echo "# pixels ${name}_sums $((3 * pixels)) wrong $differ"
	[ "$differ" -eq 0 ] && [ "$(grep -c "^.: 0 of $pixels pixels wrong" /tmp/frames)" -eq 3 ]
}

# refused: the host said once that nobody listened when the guest opened the pipe.
refused() {
	if [ -n "$ring" ]; then
		[ "$(grep -c '^virgl_ring: /tmp/gl/virgl does not accept: ' /tmp/ring.log)" -eq 1 ]
	else
		appears 1 "^vmmctl: the guest's pipe:virgl is refused: /tmp/gl/virgl does not accept"
	fi
}

# transport PREFIX WORD OPTION...: a guest that draws through the pipe, which vmmctl serves by
# these options; WORD is for its script. $ring is the process that serves rings, or empty.
transport() {
	prefix=$1
	run="virpipe-in-guest $2"
	shift 2
	vmmctl run --name virpipe --kernel /ranchu/guest/Image --initrd /ranchu/guest/initrd.cpio \
		--memory 1G --disk /dev/loop0,readonly "$@" \
		--append "$linux_args ranchu.run=\"$run\"" </tmp/typed > "$console" 2>&1 &
	vmm=$!

	waits_for 1 COUNT-READY $vmm
	sed -n 's/^gl: /# &/p' "$console"
	if [ "$run" != "virpipe-in-guest " ]; then
		frames "by softpipe" | sed 's/.* sum //' > /tmp/softpipe
		equal "by softpipe"
		result mesa_draws_as_it_should_by_softpipe $?
	fi
	printed '^gl: renderer virgl (softpipe)'
	result "${prefix}mesa_draws_by_virgl" $?
	equal "by virpipe"
	result "${prefix}each_pixel_is_as_by_softpipe" $?

	# Frames without output on the console.
	sleep 3
	first=$(stat_of userspace_exits)
	sleep 20
	after=$(stat_of userspace_exits)
	go
	waits_for 1 KILL-READY $vmm
	frames=$(sed -n 's/^gl: frames \([0-9]*\).*/\1/p' "$console")
	[ -z "$frames" ] || [ "$frames" -eq 0 ] ||
		echo "# exits ${prefix}virpipe $((after - first)) / $frames"
	[ "${frames:-0}" -gt 0 ] && [ "$first" -gt 0 ] && [ "$after" -eq "$first" ]
	result "${prefix}frames_do_not_exit" $?

	# Only the process that draws for this program.
	server=$(child_of $launcher)
	draws=$(child_of "$server")
	grep -q '^Seccomp:.2' "/proc/$draws/status" && grep -q '^NoNewPrivs:.1' "/proc/$draws/status" &&
		kill -KILL "$draws"
	killed=$?
	go
	waits_for 1 STOP-READY $vmm
	[ $killed -eq 0 ] && printed '^gl: killed: ended with [1-9]' && equal again &&
		[ "$(child_of $launcher)" = "$server" ]
	result "${prefix}who_draws_is_killed_in_mid_frame" $?

	# All of it.
	kill -TERM $launcher
	wait $launcher
	code=$?
	go
	waits_for 1 NOBODY-READY $vmm
	nobody=$?
	! kill -0 "$server" 2>/dev/null
	gone=$?
	confines /mesa/bin/virgl_test_server
	go

	# More pipes than the server takes.
	server=$(child_of $launcher)
	waits_for 1 FLOOD-READY $vmm
	held=$(connections)
	threads=
	[ -z "$ring" ] || threads=$(find "/proc/$ring/task" -mindepth 1 -maxdepth 1 | wc -l)
	go
	waits_for 1 CLOSED-READY $vmm
	tries=0
	while [ "$(connections)" -gt 0 ] && [ $tries -lt 60 ]; do
		sleep 1
		tries=$((tries + 1))
	done
	left=$(connections)
	echo "# flood: $held connections, then $left; threads of the rings: ${threads:-none}"
	go
	waits_for 1 'GUEST-EXIT: 0' $vmm
	[ "$held" -gt 0 ] && [ "$held" -le 8 ] && [ "$left" -eq 0 ] && [ "${threads:-1}" -le 65 ] &&
		[ "$(child_of $launcher)" = "$server" ]
	result "${prefix}pipes_beyond_the_limit_are_refused" $?

	[ $code -eq 0 ] && [ $nobody -eq 0 ] && [ $gone -eq 0 ] &&
		printed '^gl: stopped: ended with [1-9]' &&
		printed '^gl: nobody: ended with [1-9]' && refused && printed '^gl: error 0' &&
		equal anew
	result "${prefix}server_is_stopped_and_another_is_taken" $?

	wait $vmm
	code=$?
	[ $code -eq 0 ] && printed '^guest: lives' && ! printed GUEST-SPLAT &&
		! printed 'a bug of vmmctl'
	code=$?
	if [ -n "$ring" ]; then
		wait "$ring" || code=1
	fi
	result "${prefix}it_ends_with_the_vm" $code
}

losetup -r /dev/loop0 /ranchu/mesa
libraries_from /dev/loop0
confines /bin/virgl_probe --clients 2
wait $launcher
code=$?
sed 's/^/# /' "$log"
result what_the_server_may_not_do_fails $code
: > "$log"

confines /mesa/bin/virgl_test_server
ring=
transport socket_ softpipe --pipe-service virgl=unix:/tmp/gl/virgl
: > "$console"
virgl_ring /tmp/services /tmp/gl/virgl 2> /tmp/ring.log &
ring=$!
transport ring_ "" --pipe-socket /tmp/services
kill -TERM $launcher
wait $launcher
sed 's/^/# server: /' "$log"

exec 3>&-
umount /mesa
losetup -d /dev/loop0
unload_modules || failed=1
[ "$failed" -eq 0 ]
