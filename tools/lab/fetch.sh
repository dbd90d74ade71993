#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Brings everything that building and testing ranchu needs onto a Debian 12
# machine: packages through apt-get, and into the cache directory Debian's
# kernels, headers, kernel source and busybox for both architectures, and the
# libraries that arm64 programs are linked with.
#
#	tools/lab/fetch.sh [--update]
#
# A complete cache is left alone; --update asks for newer kernels. What the
# rest of the tree uses, all below $RANCHU_CACHE:
#
#	vmlinuz-ARCH	modules-ARCH/	kdir-ARCH/	(ARCH: arm64, x86_64)
#	busybox-ARCH	linux-source/	libfdt-arm64/usr/	libraries-arm64/usr/
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$RANCHU_TOP/tools/lab/apt.sh"

PACKAGES=$RANCHU_TOP/tools/lab/packages.txt
# Raise when the layout that unpack_all makes changes.
LAYOUT=1
# The same for unpack_libraries, which a cache that was complete without them gets
# alone: an older fetch.sh still finds its own cache complete.
LIBRARIES_LAYOUT=2
LIBRARIES="libjansson-dev zlib1g-dev libseccomp-dev libcap-ng-dev libasound2-dev libasound2"

install_packages() {
	local missing

	# shellcheck disable=SC2016 # dpkg's own substitutions
	missing=$(awk -v arch="$(dpkg --print-architecture)" '
		{ sub(/#.*/, "") }
		NF == 1 || $2 == arch { print $1 }' "$PACKAGES" | xargs -r dpkg-query -W \
		-f '${db:Status-Status} ${Package}\n' 2>&1 |
		awk '/no packages found matching/ { print $NF; next }
		     $1 != "installed" { print $2 }' || true)
	[ -n "$missing" ] || return 0
	[ "$(id -u)" -eq 0 ] ||
		die "run as root once, to install: ${missing//$'\n'/ }"

	export DEBIAN_FRONTEND=noninteractive
	long_step "apt-get update" "$LOGS/apt-update.log" apt-get update
	# shellcheck disable=SC2086
	long_step "installing" "$LOGS/apt-install.log" apt-get install -y \
		--no-install-recommends -o APT::Sandbox::User=root $missing
}

# The newest kernel release that both architectures have, such as
# 6.12.117+deb12. Old ones vanish from the archive, so nothing is pinned.
newest_release() {
	local arch

	for arch in arm64 amd64; do
		apt_run "$arch" apt-cache search --names-only \
			"^linux-image-6\.12\..*\+deb12-$arch-unsigned\$" |
			sed -n "s/^linux-image-\(.*\)-$arch-unsigned .*/\1/p" |
			sort -u
	done | sort | uniq -d | sort -V | tail -n 1
}

unpack_headers() {
	local release=$1 root=$2 arch

	for arch in arm64 amd64; do
		dpkg-deb -x "$(get_deb "$arch" "linux-headers-$release-$arch")" "$root"
	done
	dpkg-deb -x "$(get_deb amd64 "linux-headers-$release-common")" "$root"
	# The build machine's own: its programs run here for both targets.
	dpkg-deb -x "$(get_deb "$(dpkg --print-architecture)" \
		"linux-kbuild-$release")" "$root"

	for arch in arm64 amd64; do
		relocate_headers "$root/usr/src/linux-headers-$release-$arch"
	done
}

unpack_kernel() {
	local release=$1 arch=$2 root=$3 deb

	deb=$(get_deb "$arch" "linux-image-$release-$arch-unsigned")
	dpkg-deb -x "$deb" "$root"
	depmod -b "$root" "$release-$arch" 2>/dev/null ||
		die "depmod failed on $release-$arch"
}

link() {
	ln -sfnr "$1" "$RANCHU_CACHE/$2"
}

unpack_deb() {
	dpkg-deb -x "$1" "$2"
}

unpack_source() {
	local deb=$1 root=$2

	dpkg-deb --fsys-tarfile "$deb" |
		tar -xO --wildcards './usr/src/linux-source-6.12.tar.xz' |
		tar -xJ --strip-components=1 -C "$root"
}

unpack_all() {
	local release=$1 arch karch deb dir

	unpack_once headers "$release-$LAYOUT" unpack_headers "$release"
	dir=$UNPACKED
	for arch in arm64 amd64; do
		link "$dir/usr/src/linux-headers-$release-$arch" \
			"kdir-$(kernel_arch "$arch")"
	done

	for arch in arm64 amd64; do
		karch=$(kernel_arch "$arch")
		unpack_once "kernel-$karch" "$release-$LAYOUT" \
			unpack_kernel "$release" "$arch"
		link "$UNPACKED/boot/vmlinuz-$release-$arch" "vmlinuz-$karch"
		link "$UNPACKED/lib/modules/$release-$arch" "modules-$karch"

		deb=$(get_deb "$arch" busybox-static)
		unpack_once "busybox-pkg-$karch" \
			"$(dpkg-deb -f "$deb" Version | tr : .)" unpack_deb "$deb"
		link "$UNPACKED/bin/busybox" "busybox-$karch"
	done

	deb=$(get_deb arm64 libfdt-dev)
	unpack_once libfdt-pkg "$(dpkg-deb -f "$deb" Version)" unpack_deb "$deb"
	mkdir -p "$RANCHU_CACHE/libfdt-arm64"
	link "$UNPACKED/usr" libfdt-arm64/usr

	deb=$(get_deb amd64 linux-source-6.12)
	unpack_once source "$(dpkg-deb -f "$deb" Version)" unpack_source "$deb"
	link "$UNPACKED" linux-source
}

unpack_debs() {
	local root=${*: -1}

	while [ $# -gt 1 ]; do
		unpack_deb "$1" "$root"
		shift
	done
}

# The libraries of vmmctl beside libfdt: the -dev packages have static ones. ALSA's, of
# ranchu-sound, is a shared one. One directory has all of them, named by all versions.
unpack_libraries() {
	local package deb version='' debs=()

	for package in $LIBRARIES; do
		deb=$(get_deb arm64 "$package")
		debs+=("$deb")
		version+=${version:+_}$(dpkg-deb -f "$deb" Version | tr : .)
	done
	unpack_once libraries-pkg "$version" unpack_debs "${debs[@]}"
	mkdir -p "$RANCHU_CACHE/libraries-arm64"
	link "$UNPACKED/usr" libraries-arm64/usr
}

# What remains of older versions once the links point at newer ones.
remove_old() {
	local name entry keep

	for name in headers kernel-arm64 kernel-x86_64 source libfdt-pkg \
			libraries-pkg busybox-pkg-arm64 busybox-pkg-x86_64; do
		for entry in "$RANCHU_CACHE/$name-"[0-9]*; do
			keep=$(find "$RANCHU_CACHE" -maxdepth 2 -type l \
				-printf '%l\n' | grep -cF "${entry##*/}" || true)
			[ "$keep" -gt 0 ] || rm -rf "$entry"
		done
	done
}

# Everything but the libraries, of the newest release.
fetch_kernels() {
	local ready=$1 release

	release=$(newest_release)
	[ -n "$release" ] || die "Debian offers no 6.12 kernel for both architectures"
	say "Debian's newest 6.12 kernel is $release"
	rm -f "$RANCHU_CACHE"/ready-*
	rm -rf "$RANCHU_CACHE"/debs/partial.* "$RANCHU_CACHE"/program-* \
		"$RANCHU_CACHE/apt-backports"
	unpack_all "$release"
	touch "$ready"
}

main() {
	local update=0 arch ready=$RANCHU_CACHE/ready-$LAYOUT
	local libraries=$RANCHU_CACHE/libraries-ready-$LIBRARIES_LAYOUT

	case ${1:-} in
	'') ;;
	--update) update=1 ;;
	*) die "usage: fetch.sh [--update]" ;;
	esac

	mkdir -p "$LOGS"
	# Several makes may want the cache at once; the first one fills it.
	exec 9>"$RANCHU_CACHE/lock"
	flock 9

	install_packages
	if [ "$update" -eq 0 ] && [ -e "$ready" ] && [ -e "$libraries" ] &&
			[ -e "$RANCHU_CACHE/libraries-arm64/usr/include/alsa" ]; then
		return 0
	fi
	for arch in arm64 amd64; do
		apt_setup "$arch" "$arch"
	done
	if [ "$update" -eq 1 ] || [ ! -e "$ready" ]; then
		fetch_kernels "$ready"
	fi
	unpack_libraries
	remove_old
	touch "$libraries"
	say "the cache is complete: $(du -sh "$RANCHU_CACHE" | cut -f1) in $RANCHU_CACHE"
}

main "$@"
