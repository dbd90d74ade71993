#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The fleet test's part inside the host (busybox's sh): /debian becomes the root file system
# of the machine that Slurm runs on.
set -u

. /ranchu/host-lib.sh

load_modules
# getaddrinfo() gives no address to a machine that has only 127.0.0.1.
ip addr add 10.9.0.1/24 dev lo
mount -o bind /debian /debian
mkdir -p /debian/ranchu
mount -o bind /ranchu /debian/ranchu
for dir in dev sys dev/pts; do
	mount -o bind /$dir /debian/$dir
done
mount -t proc proc /debian/proc
mount -t tmpfs run /debian/run
mount -t tmpfs tmp /debian/tmp
mount -t cgroup2 cgroup2 /debian/sys/fs/cgroup
chroot /debian /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
	linux_args="$linux_args" bash /fleet-in-debian.sh
code=$?
unload_modules && exit $code
