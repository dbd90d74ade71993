# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Shared by a host and its guest (busybox's sh): Debian's libraries on a disk. Sourced,
# never run.

# libraries_from DISK: those on it are where the loader looks.
libraries_from() {
	mkdir -p /mesa /lib /usr
	mount -t ext4 -o ro,noload "$1" /mesa
	ln -s /mesa/usr/lib /usr/lib
	ln -s /mesa/usr/share /usr/share
	ln -s /mesa/lib/* /lib/
	# Where x86_64's programs expect their loader.
	[ ! -d /mesa/lib64 ] || ln -s /mesa/lib64 /lib64
}
