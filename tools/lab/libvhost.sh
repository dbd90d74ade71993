#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Fetches QEMU's libvhost-user from Debian's source package into the cache and
# prints where it is, or says why it cannot.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

DIR=$RANCHU_CACHE/libvhost-user
APT=$RANCHU_CACHE/apt-source

# A private apt, as tools/lab/fetch.sh has one for packages.
apt_run() {
	"$@" -o "Dir::Etc::sourcelist=$APT/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o "Dir::State=$APT" -o "Dir::State::status=$APT/status" \
		-o "Dir::Cache=$APT/cache" -o APT::Sandbox::User=root >&2
}

fetch() {
	local list=$RANCHU_CACHE/apt-amd64/sources.list

	[ -e "$list" ] || die "no package lists in the cache: run tools/lab/fetch.sh"
	mkdir -p "$APT/lists/partial" "$APT/cache/archives/partial"
	: > "$APT/status"
	sed 's/^deb /deb-src /; s/ arch=[a-z0-9]*//' "$list" > "$APT/sources.list"
	apt_run apt-get -q update
	rm -rf "$DIR.partial"
	mkdir -p "$DIR.partial"
	cd "$DIR.partial"
	apt_run apt-get -q source --download-only qemu
	tar -xJf qemu_*.orig.tar.xz --strip-components=1 --wildcards \
		'*/subprojects/libvhost-user' '*/include/standard-headers' \
		'*/include/qemu/atomic.h' '*/include/qemu/compiler.h'
	rm -f ./qemu_*
	mv -T "$DIR.partial" "$DIR"
}

[ -d "$DIR" ] || fetch
echo "$DIR/subprojects/libvhost-user"
