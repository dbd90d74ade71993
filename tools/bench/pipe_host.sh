#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs in the emulated host: the bare guest, then a Linux guest that is served
# by the kernel and by the controller in turn. Prints what they print and,
# after each Linux guest, the controller's snapshots:
#
#	BENCH-GUEST kernel|user
#	...
#	BENCH-STATS kernel|user <a line of JSON>
cd /bench || exit 2
. ./host-lib.sh
failed=0

insmod ranchu.ko && insmod vhost_goldfish_pipe.ko && insmod ranchu_copy_bench.ko ||
	exit 1
./pipe_bare_bench || failed=1

# guest MODE COMMAND: counts as failed unless the guest says it went well.
guest() {
	echo "BENCH-GUEST $1"
	./vmmctl run --random-seed off --kernel Image --initrd guest.cpio --cpus 1 --memory 512M \
		--append "$linux_args ranchu.run=\"$2\"" \
		--pipe "$1" --no-reboot --stats="/tmp/stats" --stats-at RANCHU-MARK \
		</dev/null >/tmp/console 2>&1 || failed=1
	cat /tmp/console
	grep -q 'GUEST-EXIT: 0' /tmp/console || failed=1
	sed "s/^/BENCH-STATS $1 /" /tmp/stats
}

guest kernel "pipe_guest bench 2"
guest user "pipe_guest bench 2"
guest kernel "pipe_guest bench 2 && pipe_guest pipes 600"
guest user "pipe_guest bench 2"
exit $failed
