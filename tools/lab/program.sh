#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Lays programs of Debian's for GUEST_ARCH (arm64, or x86_64 in the environment), with the
# libraries that they need, into the root file system DIR of a host or a guest. They come
# from bookworm-backports where that has them: adb and adbd of bookworm itself are too old
# or not there. Some come from trixie: bookworm's are too old or not there in any suite.
# Trixie's C library runs bookworm's programs as well, but not the other way round: a DIR
# with programs of both gets all of them by one call. What is no program, but a library that
# another one loads by name, or data, becomes the same file in DIR; "@" is the directory of
# the architecture.
#
#	tools/lab/program.sh DIR NAME...	names: see PROGRAMS
#	tools/lab/program.sh --here NAME	prints a command that runs it on this machine
#	tools/lab/program.sh --tree DIR NAME	DIR is a root file system with the program's whole
#			package and all that it depends on, for chroot
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
qemu-system-x86	usr/bin/qemu-system-x86_64		backports
fio		usr/bin/fio				backports
dmsetup		sbin/dmsetup				backports
alsa-utils	usr/bin/aplay				backports
alsa-utils	usr/bin/arecord				backports
alsa-utils	usr/bin/amixer				backports
libasound2	usr/lib/@/libasound.so.2		backports
nodejs		usr/bin/node				backports
iperf3		usr/bin/iperf3				trixie
iproute2	usr/sbin/vdpa				trixie
passt		usr/bin/passt				trixie
qemu-utils	usr/bin/qemu-storage-daemon		trixie
qemu-utils	usr/bin/qemu-img			trixie
virtiofsd	usr/libexec/virtiofsd			trixie
vncsnapshot	usr/bin/vncsnapshot			bookworm
xfsprogs	sbin/mkfs.xfs				bookworm
slurm		usr/sbin/slurmd-wlm			backports
mesa		usr/lib/@/libvirglrenderer.so.1		bookworm
mesa		usr/lib/@/libEGL.so.1			bookworm
mesa		usr/lib/@/libEGL_mesa.so.0		bookworm
mesa		usr/lib/@/libOpenGL.so.0		bookworm
mesa		usr/lib/@/dri/swrast_dri.so		bookworm
mesa		usr/lib/@/dri/virtio_gpu_dri.so		bookworm
mesa		usr/share/glvnd/egl_vendor.d/50_mesa.json bookworm
virgl-server	usr/bin/virgl_test_server		bookworm
virgl-server	usr/lib/@/libGLESv2.so.2		bookworm
"
# What is several packages.
declare -A PACKAGES_OF=(
	[mesa]="libvirglrenderer1 libegl1 libegl-mesa0 libgl1-mesa-dri libopengl0"
	[virgl-server]="virgl-server libgles2"
	[slurm]="slurmctld slurmd slurm-client munge adb bash coreutils findutils grep hostname
		dash libc-bin mawk mount sed util-linux")
# What apt calls them.
declare -A SUITES=([backports]=bookworm-backports [trixie]=trixie [bookworm]=bookworm)
case $(kernel_arch "${GUEST_ARCH:-arm64}") in
arm64)
	TRIPLET=aarch64-linux-gnu
	LOADER=lib/ld-linux-aarch64.so.1	# trixie's is below usr
	;;
x86_64)
	TRIPLET=x86_64-linux-gnu
	LOADER=lib64/ld-linux-x86-64.so.2
	;;
esac
ARCH=$(debian_arch "${GUEST_ARCH:-arm64}")
PROGRAMS=${PROGRAMS//@/$TRIPLET}
LIBRARIES=("lib/$TRIPLET" "usr/lib/$TRIPLET" "usr/lib/$TRIPLET/android" "usr/lib/$TRIPLET/ceph")
# What QEMU loads into a PC.
FIRMWARE="usr/share/seabios/bios-256k.bin usr/share/seabios/bios-microvm.bin
	usr/share/qemu/linuxboot_dma.bin usr/share/qemu/kvmvapic.bin"

# unpack_program PACKAGE APT SUITE DIR: with everything it depends on.
unpack_program() {
	local package=$1 apt=$2 suite=$3 root=$4 deb

	mkdir -p "$root/archives/partial"
	# shellcheck disable=SC2086 # some are several
	long_step "downloading $package" "$LOGS/download.log" \
		apt_run "$apt" apt-get install -y --download-only \
		--no-install-recommends -t "$suite" \
		-o "Dir::Cache::archives=$root/archives" -o Debug::NoLocking=1 \
		${PACKAGES_OF[$package]:-$package}
	for deb in "$root"/archives/*.deb; do
		dpkg-deb -x "$deb" "$root"
	done
	rm -rf "${root:?}/archives"
	find "$root/usr/share" -mindepth 1 -maxdepth 1 ! -name seabios ! -name qemu \
		! -name nodejs ! -name glvnd ! -name alsa -exec rm -rf {} +
}

# fetch_program PACKAGE FROM: sets UNPACKED to where the package is in the cache.
fetch_program() {
	local apt=$2

	[ "$ARCH" = arm64 ] || apt+=-$ARCH
	[ -d "$RANCHU_CACHE/program-$1-$ARCH" ] || [ -d "$RANCHU_CACHE/apt-$apt" ] ||
		apt_setup "$apt" "$ARCH" "${SUITES[$2]}"
	unpack_once "program-$1" "$ARCH" unpack_program "$1" "$apt" "${SUITES[$2]}"
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
	return 1
}

# copy_libraries ROOT DIR FILE: what FILE of ROOT needs, and what that needs, and what
# the C library loads by itself when a thread is cancelled.
copy_libraries() {
	local root=$1 dir=$2 file=$3 name library

	while read -r name; do
		# Another program's, maybe of the other suite.
		! find_library "$dir" "$name" > /dev/null || continue
		library=$(find_library "$root" "$name") || die "nothing in Debian's packages has $name"
		mkdir -p "$dir/${library%/*}"
		cp -L "$root/$library" "$dir/$library"
		copy_libraries "$root" "$dir" "$library"
	done < <(readelf -d "$root/$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
		echo libgcc_s.so.1)
}

# copy_data PACKAGE ROOT DIR: what a program loads that is no library.
copy_data() {
	local file files=

	case $1 in
	qemu-system-x86) files=$FIRMWARE ;;
	nodejs) files=usr/share/nodejs ;;
	libasound2) files=usr/share/alsa ;;
	esac
	for file in $files; do
		mkdir -p "$3/${file%/*}"
		cp -rL "$2/$file" "$3/$file"
	done
}

# suite_of NAME: where its package is from.
suite_of() {
	awk -v name="$1" '{ n = split($2, part, "/") } part[n] == name { print $3 }' <<<"$PROGRAMS"
}

add_program() {
	local dir=$1 name=$2 package file from to

	while read -r package file from; do
		[ "${file##*/}" = "$name" ] || continue
		fetch_program "$package" "$from"
		[ -e "$UNPACKED/$file" ] || die "package $package has no $file"
		to=bin/$name
		[[ $file != usr/lib/*.so* && $file != usr/share/* ]] || to=$file
		mkdir -p "$dir/${to%/*}" "$dir/${LOADER%/*}"
		cp -L "$UNPACKED/$file" "$dir/$to"
		[ -e "$dir/$LOADER" ] || cp -L "$UNPACKED/$LOADER" "$dir/$LOADER" 2>/dev/null ||
			cp -L "$UNPACKED/usr/$LOADER" "$dir/$LOADER"
		[[ $file = usr/share/* ]] || copy_libraries "$UNPACKED" "$dir" "$file"
		copy_data "$package" "$UNPACKED" "$dir"
		return
	done <<<"$PROGRAMS"
}

# here NAME: it runs where it is unpacked, with its own libraries.
here() {
	local package file from libraries

	while read -r package file from; do
		[ "${file##*/}" = "$1" ] || continue
		fetch_program "$package" "$from" >&2
		libraries=$(printf ':%s' "${LIBRARIES[@]/#/$UNPACKED/}")
		echo "$UNPACKED/$LOADER --library-path ${libraries#:} $UNPACKED/$file"
		[ "$package" != qemu-system-x86 ] ||
			echo "-L $UNPACKED/usr/share/qemu -L $UNPACKED/usr/share/seabios"
	done <<<"$PROGRAMS"
}

# tree NAME DIR: maintainers' scripts are not run, so links that these would make are made here.
tree() {
	local package file from name

	while read -r package file from; do
		[ "${file##*/}" = "$1" ] || continue
		fetch_program "$package" "$from" >&2
		mkdir -p "$2"
		cp -a "$UNPACKED/." "$2/"
		ln -sf mawk "$2/usr/bin/awk"
		for name in "$2"/usr/sbin/*-wlm; do
			[ ! -e "$name" ] || ln -sf "${name##*/}" "${name%-wlm}"
		done
	done <<<"$PROGRAMS"
}

[ $# -ge 2 ] || die "usage: program.sh DIR NAME..."
DIR=$1
shift
mkdir -p "$LOGS"
exec 9>"$RANCHU_CACHE/lock"
flock 9
if [ "$DIR" = --tree ]; then
	tree "$2" "$1"
	exit
fi
for name; do
	[ -n "$(suite_of "$name")" ] || die "no program '$name'"
done
if [ "$DIR" = --here ]; then
	here "$1"
	exit
fi
for suite in trixie backports bookworm; do
	for name; do
		[ "$(suite_of "$name")" != "$suite" ] || add_program "$DIR" "$name"
	done
done
