#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests the fleet's scripts with Debian's Slurm: a controller and two nodes, which are
# namespaces of one machine. KTAP on standard output.
#
#	tools/ci/fleet-test.sh [--shell]	clones of a stock guest, in an emulated arm64 host
#	tools/ci/fleet-test.sh --here		on this machine (needs root), where fleet-stand-in
#						is vmmctl and adb: Slurm is real, guests are not
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

# tree ARCH DIR: a Debian with Slurm and the scripts.
tree() {
	rm -rf "$2"
	GUEST_ARCH=$1 tools/lab/program.sh --tree "$2" slurmd-wlm
	mkdir -p "$2/usr/share/ranchu"
	cp -r userspace/fleet "$2/usr/share/ranchu/"
	cp tools/ci/fleet-in-debian.sh "$2/"
}

# The first of this machine's hierarchies of cgroups that Slurm can do with.
own_cgroup() {
	CGROUP=v1
	CGROUP_DIR=/sys/fs/cgroup/freezer/ranchu-fleet-$$
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		CGROUP=v2
		CGROUP_DIR=/sys/fs/cgroup/ranchu-fleet-$$
	fi
	mkdir -p "$CGROUP_DIR"
	trap 'find "$CGROUP_DIR" -depth -type d -exec rmdir {} +' EXIT
}

here() {
	local root=$RANCHU_BUILD/fleet/tree name

	[ "$(id -u)" -eq 0 ] || die "run as root: namespaces are made"
	tree "$(kernel_arch "$(uname -m)")" "$root"
	for name in vmmctl adb; do
		install -m 755 tools/ci/fleet-stand-in "$root/usr/bin/$name"
	done
	own_cgroup
	# All of it ends with the first process in there.
	# shellcheck disable=SC2016 # for the other shell
	unshare --mount --pid --net --uts --fork --kill-child sh -euc '
		mount --bind "$1" "$1"
		cd "$1"
		mount -t proc proc proc
		mount -t sysfs sys sys
		mount --bind "$3" sys/fs/cgroup
		mount -t tmpfs run run
		mount -t tmpfs tmp tmp
		mount -t tmpfs dev dev
		for name in null zero random urandom tty; do
			: > "dev/$name"
			mount --bind "/dev/$name" "dev/$name"
		done
		ln -s /proc/self/fd dev/fd
		ip link set lo up
		# getaddrinfo() gives no address to a machine that has only 127.0.0.1.
		ip addr add 10.9.0.1/24 dev lo
		exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 CGROUP="$2" \
			GUESTS=none chroot . bash /fleet-in-debian.sh' sh "$root" "$CGROUP" "$CGROUP_DIR"
}

cd "$RANCHU_TOP"
if [ "${1:-}" = --here ]; then
	here
	exit
fi

OVERLAY=$RANCHU_BUILD/lab/overlay-fleet
run=(tools/lab/run.sh --host arm64 --timeout 5400 --mem 4G --overlay "$OVERLAY")
tools/lab/host-overlay.sh arm64 "$OVERLAY" --guest
tools/lab/guest-vsock.sh "$OVERLAY/ranchu/guest/initrd.cpio" --adbd
tree arm64 "$OVERLAY/debian"
mv "$OVERLAY/bin/vmmctl" "$OVERLAY/debian/usr/bin/"
cp tools/ci/host-lib.sh tools/ci/fleet-in-host.sh "$OVERLAY/ranchu/"

if [ "${1:-}" = --shell ]; then
	say "the tests: sh /ranchu/fleet-in-host.sh"
	exec "${run[@]}" --shell
fi
exec "${run[@]}" -- sh /ranchu/fleet-in-host.sh
