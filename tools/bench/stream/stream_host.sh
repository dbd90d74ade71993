#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs in the emulated host: the bare guest, then a Linux guest whose pipe is
# served by the kernel and by the controller in turn, with the same services
# behind it. Prints as pipe_host.sh does.
cd /bench || exit 2
failed=0

insmod ranchu.ko && insmod vhost_goldfish_pipe.ko || exit 1
./stream_bare_bench || failed=1
./dma_bench || failed=1
for kind in echo sink parse; do
	./pipe_peer $kind /tmp/$kind &
	./pipe_peer ring-$kind /tmp/services ring-$kind &
done

# guest MODE: counts as failed unless the guest says it went well.
guest() {
	echo "BENCH-GUEST $1"
	./vmmctl run --random-seed off --kernel Image --initrd guest.cpio --cpus 1 --memory 512M \
		--append "console=ttyAMA0 quiet panic=-1 ranchu.run=\"pipe_guest stream 2\"" \
		--pipe "$1" --pipe-service echo=unix:/tmp/echo --pipe-service sink=unix:/tmp/sink \
		--pipe-service parse=unix:/tmp/parse --pipe-socket /tmp/services \
		--no-reboot --stats="/tmp/stats" --stats-at RANCHU-MARK \
		</dev/null >/tmp/console 2>&1 || failed=1
	cat /tmp/console
	grep -q 'GUEST-EXIT: 0' /tmp/console || failed=1
	sed "s/^/BENCH-STATS $1 /" /tmp/stats
}

guest kernel
guest user
guest kernel
guest user
exit $failed
