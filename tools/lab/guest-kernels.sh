#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Brings kernels that guests.txt names into the cache, with their modules:
#
#	tools/lab/guest-kernels.sh NAME...
#
# They are below $RANCHU_CACHE/guests/NAME: vmlinuz, modules, and kdir, the headers to build
# modules with. What is there stays as it is.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$RANCHU_TOP/tools/lab/apt.sh"

# row NAME: sets PATTERN and FLAVOUR ("" or "-rt").
row() {
	local name flavour

	while read -r name PATTERN flavour; do
		[ "$name" = "$1" ] || continue
		FLAVOUR=
		[ "$flavour" = - ] || FLAVOUR=-$flavour
		return
	done < <(sed 's/#.*//' "$RANCHU_TOP/tools/lab/guests.txt")
	die "guests.txt has no kernel '$1'"
}

newest() {
	apt_run amd64 apt-cache search --names-only "^linux-image-$PATTERN$FLAVOUR-amd64-unsigned\$" |
		sed -n "s/^linux-image-\(.*\)-amd64-unsigned .*/\1/p" | sort -V | tail -n 1
}

unpack_kernel() {
	local release=$1 root=$2 deb

	deb=$(get_deb amd64 "linux-image-$release-amd64-unsigned")
	dpkg-deb -x "$deb" "$root"
	rm "$deb"
	depmod -b "$root" "$release-amd64" 2>/dev/null || die "depmod failed on $release"
}

# needed PACKAGE PATTERN: what fits the pattern in what PACKAGE depends on.
needed() {
	apt_run amd64 apt-cache show "$1" | sed -n 's/^Depends: //p' | head -n 1 |
		grep -oE "$2" | head -n 1
}

unpack_headers() {
	local package=linux-headers-$1-amd64 root=$2

	dpkg-deb -x "$(get_deb amd64 "$package")" "$root"
	dpkg-deb -x "$(get_deb amd64 "$(needed "$package" 'linux-headers-[^ ]*-common[^ ,]*')")" \
		"$root"
	dpkg-deb -x "$(get_deb "$(dpkg --print-architecture)" \
		"$(needed "$package" 'linux-kbuild-[^ ,]*')")" "$root"
	relocate_headers "$root/usr/src/$package"
}

fetch() {
	local dir=$RANCHU_CACHE/guests/$1 release

	[ ! -e "$dir/vmlinuz" ] || [ ! -e "$dir/kdir" ] || return 0
	row "$1"
	release=$(newest)
	[ -n "$release" ] || die "Debian has no kernel '$1' ($PATTERN$FLAVOUR) any more"
	say "Debian's newest $1 is $release"
	unpack_once "guest-$1" "$release" unpack_kernel "$release"
	mkdir -p "$dir"
	ln -sfn "$UNPACKED/lib/modules/$release-amd64" "$dir/modules"
	ln -sfn "$UNPACKED/boot/vmlinuz-$release-amd64" "$dir/vmlinuz"
	unpack_once "guest-headers-$1" "$release" unpack_headers "$release"
	ln -sfn "$UNPACKED/usr/src/linux-headers-$release-amd64" "$dir/kdir"
}

[ $# -ge 1 ] || die "usage: guest-kernels.sh NAME..."
mkdir -p "$LOGS"
exec 9>"$RANCHU_CACHE/lock"
flock 9
[ -d "$RANCHU_CACHE/apt-amd64" ] || die "the cache has no package lists: run tools/lab/fetch.sh"
for name; do
	fetch "$name"
done
