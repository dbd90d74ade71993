#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Brings kernels that guests.txt names into the cache, with their modules:
#
#	tools/lab/guest-kernels.sh NAME...
#
# They are below $RANCHU_CACHE/guests/NAME: vmlinuz, modules. What is there stays as it is.
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

fetch() {
	local dir=$RANCHU_CACHE/guests/$1 release

	[ ! -e "$dir/vmlinuz" ] || return 0
	row "$1"
	release=$(newest)
	[ -n "$release" ] || die "Debian has no kernel '$1' ($PATTERN$FLAVOUR) any more"
	say "Debian's newest $1 is $release"
	unpack_once "guest-$1" "$release" unpack_kernel "$release"
	mkdir -p "$dir"
	ln -sfn "$UNPACKED/lib/modules/$release-amd64" "$dir/modules"
	ln -sfn "$UNPACKED/boot/vmlinuz-$release-amd64" "$dir/vmlinuz"
}

[ $# -ge 1 ] || die "usage: guest-kernels.sh NAME..."
mkdir -p "$LOGS"
exec 9>"$RANCHU_CACHE/lock"
flock 9
[ -d "$RANCHU_CACHE/apt-amd64" ] || die "the cache has no package lists: run tools/lab/fetch.sh"
for name; do
	fetch "$name"
done
