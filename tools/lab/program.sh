#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Lays programs of Debian's for arm64, with the libraries that they need, into the
# root file system DIR of a host or a guest. They come from bookworm-backports where
# that has them: adb and adbd of bookworm itself are too old or not there. Some come
# from trixie, with its libraries: bookworm's are too old or not there in any suite.
# One DIR has programs of one of the two.
#
#	tools/lab/program.sh DIR NAME...	names: see PROGRAMS
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$RANCHU_TOP/tools/lab/apt.sh"

# Package, the program's file there, and where the package is from; the program
# becomes DIR/bin/NAME.
PROGRAMS="
adb		usr/lib/android-sdk/platform-tools/adb	backports
adbd		usr/lib/android-sdk/platform-tools/adbd	backports
socat		usr/bin/socat				backports
qemu-system-arm	usr/bin/qemu-system-aarch64		backports
fio		usr/bin/fio				backports
dmsetup		sbin/dmsetup				backports
iperf3		usr/bin/iperf3				trixie
iproute2	usr/sbin/vdpa				trixie
passt		usr/bin/passt				trixie
qemu-utils	usr/bin/qemu-storage-daemon		trixie
qemu-utils	usr/bin/qemu-img			trixie
virtiofsd	usr/libexec/virtiofsd			trixie
"
# What apt calls them.
declare -A SUITES=([backports]=bookworm-backports [trixie]=trixie)
LIBRARIES=(lib/aarch64-linux-gnu usr/lib/aarch64-linux-gnu usr/lib/aarch64-linux-gnu/android
	   usr/lib/aarch64-linux-gnu/ceph)
LOADER=lib/ld-linux-aarch64.so.1	# trixie's is below usr

# unpack_program PACKAGE FROM DIR: with everything it depends on.
unpack_program() {
	local package=$1 from=$2 root=$3 deb

	mkdir -p "$root/archives/partial"
	long_step "downloading $package" "$LOGS/download.log" \
		apt_run "$from" apt-get install -y --download-only \
		--no-install-recommends -t "${SUITES[$from]}" \
		-o "Dir::Cache::archives=$root/archives" -o Debug::NoLocking=1 "$package"
	for deb in "$root"/archives/*.deb; do
		dpkg-deb -x "$deb" "$root"
	done
	rm -rf "${root:?}/archives" "$root/usr/share"
}

# fetch_program PACKAGE FROM: sets UNPACKED to where the package is in the cache.
fetch_program() {
	[ -d "$RANCHU_CACHE/program-$1-arm64" ] || [ -d "$RANCHU_CACHE/apt-$2" ] ||
		apt_setup "$2" arm64 "${SUITES[$2]}"
	unpack_once "program-$1" arm64 unpack_program "$1" "$2"
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

# copy_libraries ROOT DIR FILE: what FILE of ROOT needs, and what that needs, and what
# the C library loads by itself when a thread is cancelled.
copy_libraries() {
	local root=$1 dir=$2 file=$3 name library

	while read -r name; do
		library=$(find_library "$root" "$name")
		[ ! -e "$dir/$library" ] || continue
		mkdir -p "$dir/${library%/*}"
		cp -L "$root/$library" "$dir/$library"
		copy_libraries "$root" "$dir" "$library"
	done < <(readelf -d "$root/$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
		echo libgcc_s.so.1)
}

add_program() {
	local dir=$1 name=$2 package file from

	while read -r package file from; do
		[ "${file##*/}" = "$name" ] || continue
		fetch_program "$package" "$from"
		[ -e "$UNPACKED/$file" ] || die "package $package has no $file"
		mkdir -p "$dir/bin" "$dir/lib"
		cp -L "$UNPACKED/$file" "$dir/bin/$name"
		cp -L "$UNPACKED/$LOADER" "$dir/$LOADER" 2>/dev/null ||
			cp -L "$UNPACKED/usr/$LOADER" "$dir/$LOADER"
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
