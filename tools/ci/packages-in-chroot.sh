#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# packages.sh's part inside a chroot: lines "ok WHAT" and "not ok WHAT".
#
#	packages-in-chroot.sh build
#		/stage/tree is built twice; the packages stay in /stage/debs
#	packages-in-chroot.sh install KERNEL LATER
#		what becomes of /stage/debs here, with headers of KERNEL, and then of LATER
#
# What has to work for the tests themselves ends the script if it fails.
set -euo pipefail

ARCH=$(dpkg --print-architecture)
OURS="ranchu ranchu-tools ranchu-dkms libranchu-pipe-dev"
MODULES="ranchu vhost_goldfish_pipe vhost_vsock_adb vhost_ranchu_blk vhost_goldfish_sync"
NODES="vhost-goldfish-pipe vhost-goldfish-sync vhost-vsock-adb vhost-ranchu-blk"
FAILED=0

# check WHAT COMMAND...
check() {
	local what=$1

	shift
	echo "# $what: $*"
	if "$@"; then
		echo "ok $what"
	else
		echo "not ok $what"
		FAILED=1
	fi
}

install() {
	apt-get install -y --no-install-recommends "$@"
}

build_twice() {
	local round

	apt-get update
	install lintian cpio ca-certificates gcc libc6-dev
	apt-get build-dep -y --no-install-recommends /stage/tree
	for round in first second; do
		cp -r /stage/tree "/tmp/$round"
		make -C "/tmp/$round" deb
	done
	mkdir /stage/debs
	cp /tmp/first/build/*/deb/*.deb /stage/debs/
}

same_bytes() {
	(cd /tmp/first/build/*/deb && sha256sum -- *.deb) > /tmp/sums
	(cd /tmp/second/build/*/deb && sha256sum -c /tmp/sums)
}

# Tags that an override names have a comment there which says why.
lintian_is_silent() {
	lintian --allow-root --fail-on error,warning --tag-display-limit 0 /stage/debs/*.deb
}

# newest PATTERN: the headers' package of the newest release that fits.
newest() {
	apt-cache search --names-only "^linux-headers-$1-$ARCH\$" | cut -d ' ' -f 1 |
		sort -V | tail -n 1
}

# headers PATTERN: installs these, and sets KERNEL to the kernel that they are of.
headers() {
	local package

	package=$(newest "$1")
	[ -n "$package" ] || { echo "no headers of $1"; exit 1; }
	KERNEL=${package#linux-headers-}
	install "$package"
}

# A package of DIR that says it is 0.0.
older() {
	local deb=$1 version=$2 dir=/tmp/older

	rm -rf "$dir"
	dpkg-deb -R "$deb" "$dir"
	sed -i "s/\b${version//./\\.}\b/0.0/g" "$dir"/DEBIAN/* \
		"$dir"/usr/src/ranchu-*/dkms.conf 2>/dev/null || true
	[ ! -d "$dir/usr/src" ] || mv "$dir/usr/src/ranchu-$version" "$dir/usr/src/ranchu-0.0"
	(cd "$dir" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' |
		xargs -0 md5sum > DEBIAN/md5sums)
	dpkg-deb -b "$dir" /tmp/debs-older/
}

# All modules for KERNEL are there, of this kernel, signed, and no others of ours.
modules_of() {
	local module file

	dkms status
	for module in $MODULES; do
		file=$(ls "/lib/modules/$1/updates/dkms/$module".ko*) || return 1
		[ "$(modinfo -F vermagic "$file" | cut -d ' ' -f 1)" = "$1" ] || return 1
		[ -n "$(modinfo -F signer "$file")" ] || { echo "$file is not signed"; return 1; }
	done
	[ "$(ls "/lib/modules/$1/updates/dkms" | wc -l)" -eq "$(wc -w <<<"$MODULES")" ]
}

no_modules() {
	! dkms status | grep ranchu && ! find /lib/modules -name '*ranchu*' | grep . &&
		! ls -d /usr/src/ranchu-* 2>/dev/null
}

only_version() {
	dkms status
	[ "$(dkms status | grep -c ranchu)" -eq "$(dkms status | grep -c "ranchu/$1,")" ]
}

vmmctl_is_whole() {
	vmmctl --version && vmmctl run --help > /dev/null || return 1
	vmmctl doctor || [ $? -eq 1 ] || return 1
	[ -s /usr/share/man/man1/vmmctl.1.gz ] &&
		[ -s /usr/share/bash-completion/completions/vmmctl ] &&
		bash -n /usr/share/bash-completion/completions/vmmctl
}

# A VM that is not there is a failure, a command line that is wrong another.
vnc_is_whole() {
	local rc=0

	ranchu-vnc none || rc=$?
	[ "$rc" -eq 1 ] && [ -s /usr/share/man/man1/ranchu-vnc.1.gz ]
}

sound_is_whole() {
	local rc=0

	ranchu-sound --nothing || rc=$?
	[ "$rc" -eq 2 ] && [ -s /usr/share/man/man1/ranchu-sound.1.gz ]
}

gpu_is_whole() {
	local rc=0

	ranchu-gpu --nothing || rc=$?
	[ "$rc" -eq 2 ] && [ -s /usr/share/man/man1/ranchu-gpu.1.gz ]
}

gles_is_whole() {
	local rc=0

	ranchu-gles --nothing || rc=$?
	[ "$rc" -eq 2 ] && [ -s /usr/share/man/man1/ranchu-gles.1.gz ]
}

services_are_whole() {
	local rc=0

	ranchu-services --nothing || rc=$?
	[ "$rc" -eq 2 ] && [ -s /usr/share/man/man1/ranchu-services.1.gz ]
}

nodes_are_kvms() {
	local rules

	rules=$(cat /usr/lib/udev/rules.d/*ranchu*.rules) && getent group kvm &&
		[ "$(grep -c 'GROUP="kvm", MODE="0660"' <<<"$rules")" -eq \
			"$(wc -w <<<"$NODES")" ] &&
		grep -qx vhost_goldfish_pipe /usr/lib/modules-load.d/ranchu.conf
}

# systemd's own judgement, without a complaint: at most 2 of 10 is what it calls OK.
unit_is_hardened() {
	local unit

	unit=$(ls /usr/lib/systemd/system/ranchu@.service /lib/systemd/system/ranchu@.service \
		2>/dev/null | head -n 1)
	cp "$unit" /tmp/ranchu@one.service
	mkdir -p /tmp/ranchu@one.service.d
	cp /usr/share/doc/ranchu/examples/limits.conf /tmp/ranchu@one.service.d/
	systemd-analyze verify --man=no /tmp/ranchu@one.service > /tmp/verify 2>&1 || return 1
	cat /tmp/verify
	! grep ranchu /tmp/verify &&
		systemd-analyze security --offline=true --threshold=20 /tmp/ranchu@one.service
}

# The scripts say what is wrong with a command line, and the examples are beside them.
fleet_is_whole() {
	local dir=/usr/share/ranchu/fleet rc=0

	"$dir/submit" || rc=$?
	[ "$rc" -eq 2 ] && rc=0
	"$dir/collect" /nowhere || rc=$?
	[ "$rc" -eq 2 ] && rc=0
	"$dir/node" nothing || rc=$?
	[ "$rc" -eq 1 ] && bash -n "$dir/shard" &&
		ls "$dir"/{slurm,gres,cgroup,slurmd}.conf
}

example_builds() {
	gcc -Wall -Werror -o /tmp/example \
		/usr/share/doc/libranchu-pipe-dev/examples/ranchu_pipe_example.c \
		-lranchu_pipe -pthread
}

# What is on the disk, but for logs, caches and what a system keeps of each package; /run is
# gone with the next boot. DKMS keeps its key, the system its groups, and depmod its lists of a kernel's modules.
files() {
	find / -xdev \( -path /proc -o -path /sys -o -path /stage -o -path /tmp -o -path /run -o -path /var/cache \
		-o -path /var/log -o -path /var/lib/apt -o -path /var/lib/dpkg \
		-o -path /var/lib/dkms/mok.\* \) -prune -o -print |
		grep -vE '^/etc/((group|gshadow)-?|\.pwd\.lock)$|^/usr/lib/modules(/[^/]+(/modules\.[^/]+)?)?$|^/var/lib/dkms$' |
		sort
}

packages() {
	dpkg-query -W -f '${binary:Package}\n' | sort
}

leaves_nothing() {
	diff /tmp/files-before <(files)
}

life() {
	local version later=$2 needed

	apt-get update
	install dkms openssl systemd gcc libc6-dev
	headers "$1"
	version=$(dpkg-deb -f /stage/debs/ranchu-dkms_*.deb Version)
	mkdir -p /tmp/debs-older
	for deb in /stage/debs/*.deb; do
		needed=$(dpkg-deb -f "$deb" Depends)
		apt-get satisfy -y --no-install-recommends "$needed"
		older "$deb" "$version"
	done
	packages > /tmp/packages-before
	files > /tmp/files-before

	check "an older version installs" install /tmp/debs-older/*.deb
	check "DKMS builds for $KERNEL" modules_of "$KERNEL"
	check "an upgrade" install /stage/debs/*.deb
	check "the upgrade replaces the modules for $KERNEL" modules_of "$KERNEL"
	check "the upgrade leaves one version" only_version "$version"
	check "vmmctl, its page and its completion" vmmctl_is_whole
	check "ranchu-vnc and its page" vnc_is_whole
	check "ranchu-sound and its page" sound_is_whole
	check "ranchu-gpu and its page" gpu_is_whole
	check "ranchu-gles and its page" gles_is_whole
	check "ranchu-services and its page" services_are_whole
	check "nodes are the group kvm's, modules are loaded at boot" nodes_are_kvms
	check "the fleet's scripts and examples" fleet_is_whole
	check "the unit is valid and hardened" unit_is_hardened
	check "the example of libranchu-pipe-dev builds" example_builds
	headers "$later"
	check "DKMS builds for $KERNEL, which came later" modules_of "$KERNEL"
	check "remove" apt-get remove -y $OURS
	check "remove takes the modules away" no_modules
	check "an install again" install /stage/debs/*.deb
	check "the install again builds for $KERNEL" modules_of "$KERNEL"
	apt-get remove -y --purge "linux-headers-$KERNEL"
	check "purge" apt-get purge -y $OURS
	check "purge takes the modules away" no_modules
	# What has come with the headers, too: autoremove would leave the newest kernel.
	comm -13 /tmp/packages-before <(packages) | xargs -r apt-get remove -y --purge
	check "purge leaves nothing" leaves_nothing
}

case $1 in
build)
	build_twice
	check "two builds are the same" same_bytes
	check "lintian is silent" lintian_is_silent
	;;
install)
	life "$2" "$3"
	;;
esac
exit "$FAILED"
