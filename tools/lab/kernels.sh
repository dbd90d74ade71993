#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Brings the kernels that kernels.txt names into the cache, beside the lab's own, with
# the compiler that each was built with:
#
#	tools/lab/kernels.sh [--update] headers|boot NAME...
#
#	headers	headers and compiler, to build modules for NAME
#	boot	these, and an arm64 kernel with its modules, for run.sh --debian NAME
#
# Below $RANCHU_CACHE/kernels/NAME (ARCH: arm64, x86_64):
#
#	release		such as 6.1.0-57
#	kdir-ARCH	cc-ARCH		vmlinuz-arm64	modules-arm64
#
# The flavour 16k, with pages of 16 KiB, is arm64's alone.
#
# What is there stays as it is; --update asks Debian for newer releases.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$RANCHU_TOP/tools/lab/apt.sh"

USAGE="usage: kernels.sh [--update] headers|boot NAME..."
SUITES="bookworm-backports trixie trixie-security trixie-backports"
# Raise when what is below kernels/NAME changes.
LAYOUT=1
# What programs of a newer suite load on this machine.
LIBRARIES="libc6 libelf1t64 libgmp10 libisl23 libmpc3 libmpfr6 libzstd1 zlib1g"
BUILD=$(dpkg --print-architecture)

setup() {
	local arch

	for arch in arm64 amd64; do
		[ "$UPDATE" -eq 0 ] && [ -d "$RANCHU_CACHE/apt-kernels-$arch" ] && continue
		# shellcheck disable=SC2086 # one word for each
		apt_setup "kernels-$arch" "$arch" $SUITES
	done
	UPDATE=0
}

# row NAME: sets PATTERN, FLAVOUR ("" or "-rt") and ARCHES, Debian's names of those that
# have such a kernel.
row() {
	local name flavour

	while read -r name PATTERN flavour _; do
		[ "$name" = "$1" ] || continue
		FLAVOUR=
		[ "$flavour" = - ] || FLAVOUR=-$flavour
		ARCHES="arm64 amd64"
		[ "$flavour" != 16k ] || ARCHES=arm64
		return
	done < <(sed 's/#.*//' "$RANCHU_TOP/tools/lab/kernels.txt")
	die "kernels.txt has no kernel '$1'"
}

# suffix ARCH: what names of packages and of a release's directories have behind the release.
suffix() {
	case $FLAVOUR in
	-16k) echo "-$1$FLAVOUR" ;;
	*) echo "$FLAVOUR-$1" ;;
	esac
}

# The newest release that all of ARCHES have.
newest() {
	local arch end

	for arch in $ARCHES; do
		end=$(suffix "$arch")
		apt_run "kernels-$arch" apt-cache search --names-only \
			"^linux-headers-$PATTERN$end\$" |
			sed -n "s/^linux-headers-\(.*\)$end .*/\1/p" | sort -u
	done | sort | uniq -c | awk -v n="$(wc -w <<<"$ARCHES")" '$1 == n { print $2 }' |
		sort -V | tail -n 1
}

# needed ARCH PACKAGE PATTERN: what fits the pattern in what PACKAGE depends on.
needed() {
	apt_run "kernels-$1" apt-cache show "$2" | sed -n 's/^Depends: //p' | head -n 1 |
		grep -oE "$3" | head -n 1
}

# unpack_package APT PACKAGE DIR: what is unpacked is not kept a second time.
unpack_package() {
	local deb

	deb=$(get_deb "$1" "$2")
	dpkg-deb -x "$deb" "$3"
	rm "$deb"
}

unpack_libraries() {
	local package

	for package in $LIBRARIES; do
		unpack_package "kernels-$BUILD" "$package" "$1"
	done
	rm -rf "$1/usr/share"
}

# wrap PROGRAM...: a newer suite's programs run with that suite's libraries beside this
# machine's. A program stays what it is if this machine's C library is new enough.
wrap() {
	local program lib needs has newest UNPACKED

	has=$(getconf GNU_LIBC_VERSION)
	for program; do
		needs=$(objdump -T "$program" 2>/dev/null | grep -o 'GLIBC_2\.[0-9]*' |
			sort -V | tail -n 1 || true)
		newest=$(printf '%s\n' "2.${needs##*.}" "${has#* }" | sort -V | tail -n 1)
		if [ -z "$needs" ] || [ "$newest" = "${has#* }" ]; then
			continue
		fi
		unpack_once kernels-libraries "$LAYOUT" unpack_libraries
		lib=$UNPACKED/usr/lib/$(gcc -print-multiarch)
		mv "$program" "$program.elf"
		printf '#!/bin/sh\nexec "%s" --library-path "%s" "$0.elf" "$@"\n' \
			"$(echo "$lib"/ld-linux*)" "$lib" > "$program"
		chmod +x "$program"
	done
}

unpack_headers() {
	local release=$1 root=$2 arch package programs

	for arch in $ARCHES; do
		package=linux-headers-$release$(suffix "$arch")
		unpack_package "kernels-$arch" "$package" "$root"
		relocate_headers "$root/usr/src/$package"
	done
	unpack_package "kernels-$arch" \
		"$(needed "$arch" "$package" 'linux-headers-[^ ]*-common[^ ,]*')" "$root"
	unpack_package "kernels-$BUILD" \
		"$(needed "$arch" "$package" 'linux-kbuild-[^ ,]*')" "$root"
	mapfile -t programs < <(find "$root/usr/lib" -type f -perm -u+x)
	wrap "${programs[@]}"
}

unpack_kernel() {
	local release=$1 root=$2 name

	name=$release$(suffix arm64)
	if apt_run kernels-arm64 apt-cache show "linux-binary-$name" >/dev/null 2>&1; then
		unpack_package kernels-arm64 "linux-binary-$name" "$root"
		unpack_package kernels-arm64 "linux-modules-$name" "$root"
		# What is built in, since 7.3.
		! apt_run kernels-arm64 apt-cache show "linux-base-$name" >/dev/null 2>&1 ||
			unpack_package kernels-arm64 "linux-base-$name" "$root"
		# depmod looks there.
		[ -e "$root/lib" ] || ln -s usr/lib "$root/lib"
	else
		unpack_package kernels-arm64 "linux-image-$name-unsigned" "$root"
	fi
	depmod -b "$root" "$name" 2>/dev/null || die "depmod failed on $name"
}

# A compiler of a newer suite. Assembler and linker are this machine's.
unpack_gcc() {
	local version=$1 root=$2 package target programs

	for target in aarch64 x86_64; do
		for package in cpp gcc; do
			unpack_package "kernels-$BUILD" \
				"$package-$version-${target//_/-}-linux-gnu" "$root"
		done
		mkdir -p "$root/tools/$target"
		for package in as ld; do
			ln -s "/usr/bin/$target-linux-gnu-$package" "$root/tools/$target/$package"
		done
		printf '#!/bin/sh\nexec "${0%%/*}/usr/bin/%s" -B"${0%%/*}/tools/%s/" "$@"\n' \
			"$target-linux-gnu-gcc-$version" "$target" > "$root/$target-gcc"
		chmod +x "$root/$target-gcc"
	done
	rm -rf "$root/usr/share"
	mapfile -t programs < <(find "$root/usr/libexec" -name cc1
		ls "$root"/usr/bin/*-gcc-"$version")
	wrap "${programs[@]}"
}

# compiler ARCH KDIR: prints the path of the compiler that KDIR's kernel was built with.
compiler() {
	local target=${1/arm64/aarch64} version

	version=$(sed -n 's/^CONFIG_GCC_VERSION=\([0-9]*\)[0-9]\{4\}$/\1/p' "$2/.config")
	[ -n "$version" ] || die "$2 does not say which gcc it is for"
	if command -v "$target-linux-gnu-gcc-$version"; then
		return
	fi
	setup
	unpack_once "gcc-$version" "$LAYOUT" unpack_gcc "$version"
	echo "$UNPACKED/$target-gcc"
}

link() {
	ln -sfn "$1" "$2"
}

headers() {
	local name=$1 dir=$RANCHU_CACHE/kernels/$1 release arch cc

	[ "$UPDATE" -eq 1 ] || [ ! -e "$dir/headers-$LAYOUT" ] || return 0
	setup
	row "$name"
	release=$(newest)
	[ -n "$release" ] || die "Debian has no kernel '$name' ($PATTERN) any more"
	say "Debian's newest $name is $release$FLAVOUR"
	mkdir -p "$dir"
	rm -f "$dir"/{headers,boot}-*
	echo "$release$FLAVOUR" > "$dir/release"
	unpack_once "kernels-headers-$name" "$release" unpack_headers "$release"
	for arch in $ARCHES; do
		link "$UNPACKED/usr/src/linux-headers-$release$(suffix "$arch")" \
			"$dir/kdir-$(kernel_arch "$arch")"
	done
	for arch in $ARCHES; do
		arch=$(kernel_arch "$arch")
		cc=$(compiler "$arch" "$dir/kdir-$arch")
		printf '#!/bin/sh\nexec "%s" "$@"\n' "$cc" > "$dir/cc-$arch"
		chmod +x "$dir/cc-$arch"
	done
	touch "$dir/headers-$LAYOUT"
}

boot() {
	local name=$1 dir=$RANCHU_CACHE/kernels/$1 release kernel

	headers "$name"
	[ ! -e "$dir/boot-$LAYOUT" ] || return 0
	setup
	row "$name"
	release=$(cat "$dir/release")
	release=${release%"$FLAVOUR"}
	kernel=$release$(suffix arm64)
	unpack_once "kernels-boot-$name" "$release" unpack_kernel "$release"
	link "$UNPACKED/lib/modules/$kernel" "$dir/modules-arm64"
	if [ -e "$UNPACKED/boot/vmlinuz-$kernel" ]; then
		link "$UNPACKED/boot/vmlinuz-$kernel" "$dir/vmlinuz-arm64"
	else
		link "$UNPACKED/lib/modules/$kernel/vmlinuz" "$dir/vmlinuz-arm64"
	fi
	touch "$dir/boot-$LAYOUT"
}

# What remains of older releases once the links point at newer ones.
remove_old() {
	local entry

	for entry in "$RANCHU_CACHE"/kernels-{headers,boot}-*; do
		[ -d "$entry" ] || continue
		find "$RANCHU_CACHE/kernels" -type l -printf '%l\n' | grep -qF "$entry/" ||
			rm -rf "$entry"
	done
}

UPDATE=0
if [ "${1:-}" = --update ]; then
	UPDATE=1
	shift
fi
[ $# -ge 2 ] || die "$USAGE"
WHAT=$1
shift
case $WHAT in
headers|boot) ;;
*) die "$USAGE" ;;
esac
mkdir -p "$LOGS"
exec 9>"$RANCHU_CACHE/lock"
flock 9
for name; do
	"$WHAT" "$name"
done
remove_old
