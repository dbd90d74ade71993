#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Lays programs of Debian's for arm64, with the libraries that they need, into the
# root file system DIR of a host or a guest. They come from bookworm-backports where
# that has them: adb and adbd of bookworm itself are too old or not there.
#
#	tools/lab/program.sh DIR NAME...	names: see PROGRAMS
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$RANCHU_TOP/tools/lab/apt.sh"

# Package, and the program's file there; it becomes DIR/bin/NAME.
PROGRAMS="
adb		usr/lib/android-sdk/platform-tools/adb
adbd		usr/lib/android-sdk/platform-tools/adbd
socat		usr/bin/socat
qemu-system-arm	usr/bin/qemu-system-aarch64
fio		usr/bin/fio
dmsetup		sbin/dmsetup
"
LIBRARIES=(lib/aarch64-linux-gnu usr/lib/aarch64-linux-gnu usr/lib/aarch64-linux-gnu/android
	   usr/lib/aarch64-linux-gnu/ceph)
LOADER=lib/ld-linux-aarch64.so.1

# unpack_program PACKAGE DIR: with everything it depends on.
unpack_program() {
	local package=$1 root=$2 deb

	mkdir -p "$root/archives/partial"
	long_step "downloading $package" "$LOGS/download.log" \
		apt_run backports apt-get install -y --download-only \
		--no-install-recommends -t bookworm-backports \
		-o "Dir::Cache::archives=$root/archives" -o Debug::NoLocking=1 "$package"
	for deb in "$root"/archives/*.deb; do
		dpkg-deb -x "$deb" "$root"
	done
	rm -rf "${root:?}/archives" "$root/usr/share"
}

# Sets UNPACKED to where the package $1 is in the cache.
fetch_program() {
	[ -d "$RANCHU_CACHE/program-$1-arm64" ] || [ -d "$RANCHU_CACHE/apt-backports" ] ||
		apt_setup backports arm64 bookworm-backports
	unpack_once "program-$1" arm64 unpack_program "$1"
}

# Where the library $2 is below $1.
find_library() {
	local dir

	for dir in "${LIBRARIES[@]}"; do
		if [ -e "$1/$dir/$2" ]; then
			echo "$dir/$2"
			return
		fi
	done
	die "nothing in Debian's packages has $2"
}

# copy_libraries ROOT DIR FILE: what FILE of ROOT needs, and what that needs.
copy_libraries() {
	local root=$1 dir=$2 file=$3 name library

	while read -r name; do
		library=$(find_library "$root" "$name")
		[ ! -e "$dir/$library" ] || continue
		mkdir -p "$dir/${library%/*}"
		cp -L "$root/$library" "$dir/$library"
		copy_libraries "$root" "$dir" "$library"
	done < <(readelf -d "$root/$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
}

add_program() {
	local dir=$1 name=$2 package file

	while read -r package file; do
		[ "${file##*/}" = "$name" ] || continue
		fetch_program "$package"
		[ -e "$UNPACKED/$file" ] || die "package $package has no $file"
		mkdir -p "$dir/bin" "$dir/lib"
		cp -L "$UNPACKED/$file" "$dir/bin/$name"
		cp -L "$UNPACKED/$LOADER" "$dir/$LOADER"
		copy_libraries "$UNPACKED" "$dir" "$file"
		return
	done <<<"$PROGRAMS"
	die "no program '$name'"
}

[ $# -ge 2 ] || die "usage: program.sh DIR NAME..."
DIR=$1
shift
mkdir -p "$LOGS"
exec 9>"$RANCHU_CACHE/lock"
flock 9
for name; do
	add_program "$DIR" "$name"
done
