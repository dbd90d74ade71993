#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs in the emulated host: a Linux guest whose pipe and sync device are served by the kernel
# and by the controller in turn, with ranchu-gles and its parser behind. Prints as
# pipe_host.sh does.
cd /bench || exit 2
failed=0

insmod ranchu.ko && insmod vhost_goldfish_pipe.ko && insmod vhost_goldfish_sync.ko || exit 1
./gles_sink alone 400 || failed=1
./gles_sink socket /tmp/gl-socket &

# guest MODE: counts as failed unless the guest says it went well.
guest() {
	echo "BENCH-GUEST $1"
	rm -f /tmp/pipe /tmp/sync /tmp/screen
	./gles_sink ring /tmp/pipe gl-ring &
	./ranchu-gles --pipe-socket /tmp/pipe --sync-socket /tmp/sync \
		--screen-socket /tmp/screen &
	./vmmctl run --random-seed off --kernel Image --initrd guest.cpio --cpus 1 --memory 512M \
		--append "console=ttyAMA0 quiet panic=-1 ranchu.run=\"guest-load && gles_bench 2\"" \
		--screen-width 64 --screen-height 64 --screen-socket /tmp/screen \
		--pipe "$1" --pipe-service gl-socket=unix:/tmp/gl-socket --pipe-socket /tmp/pipe \
		--sync "$1" --sync-socket /tmp/sync --no-reboot --stats="/tmp/stats" \
		--stats-at RANCHU-MARK </dev/null >/tmp/console 2>&1 || failed=1
	cat /tmp/console
	grep -q 'GUEST-EXIT: 0' /tmp/console || failed=1
	sed "s/^/BENCH-STATS $1 /" /tmp/stats
}

guest kernel
guest user
guest kernel
guest user
exit $failed
