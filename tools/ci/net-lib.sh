# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Shared by the scripts that test devices which others serve, in an emulated host
# (busybox's sh): the host's network, and what moves data over it. Sourced, never run.

. /ranchu/host-lib.sh

# guest COMMANDS OPTION...: runs net-in-guest with each of COMMANDS.
guest() {
	boot_each net-in-guest "$@"
}

# same: what the guest sent in each of its turns is what the host got. Behind the sum
# there may be something of the kernel's.
same() {
	sed -n 's/^out: sent \([0-9a-f]*\).*/\1/p' "$console" > /tmp/sent
	sed -n 's/^out: got \([0-9a-f]*\).*/\1/p' "$console" > /tmp/got
	[ -s /tmp/sent ] && cmp /tmp/sent /tmp/got
}

# The host's end for all guests: tap0 is there.
network_up() {
	ip addr add 10.0.2.2/24 dev tap0
	ip link set tap0 up
	head -c 4000000 /dev/urandom > /tmp/data
	nc -ll -p 7001 -e cat /tmp/data &
	nc -ll -p 7002 -e sha256sum &
}

# host_ends: unloads what was loaded, and says how it went.
host_ends() {
	killall nc
	unload_modules || failed=1
	rmmod vhost_net || failed=1
	[ "$failed" -eq 0 ]
}
