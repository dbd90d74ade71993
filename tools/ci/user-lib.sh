# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Shared by the scripts that test devices which Debian's programs serve, in an emulated
# host (busybox's sh). Sourced, never run.

# qsd EXPORT...: qemu-storage-daemon, with the image /tmp/q.
qsd() {
	qemu-storage-daemon --blockdev driver=file,node-name=file,filename=/tmp/q \
		--blockdev driver=qcow2,node-name=disk,file=file \
		--export "$1,id=e,node-name=disk,writable=on" > /tmp/qsd.log 2>&1 &
	qsd_pid=$!
}

qsd_socket() {
	rm -f /tmp/qsd
	qsd type=vhost-user-blk,addr.type=unix,addr.path=/tmp/qsd
	waits_until [ -S /tmp/qsd ]
}

# waits_until COMMAND...: that it succeeds.
waits_until() {
	tries=100
	until "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		usleep 100000
	done
}

# image_sum: of what is in the image.
image_sum() {
	qemu-img convert -O raw /tmp/q /tmp/raw && sum /tmp/raw
	rm -f /tmp/raw
}
