#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Packs the emulated host's base system: busybox, host-init, -leaks and -vm, and of
# the kernel's modules in the directory MODULES those named in modules.txt with what they
# depend on. Without MODULES none: for a kernel that is not Debian's and needs none. For
# x86_64 there is inject.ko as well, see tools/lab/inject/.
#
#	tools/lab/host-initrd.sh ARCH OUT [MODULES]
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# -ge 2 ] || die "usage: host-initrd.sh ARCH OUT [MODULES]"
ARCH=$(kernel_arch "$1")
OUT=$2
MODULES=${3:-}
HERE=$RANCHU_TOP/tools/lab
BUSYBOX=$(readlink -f "$RANCHU_CACHE/busybox-$ARCH")

for input in ${MODULES:+"$MODULES"} "$BUSYBOX"; do
	[ -e "$input" ] || die "the cache has no ${input##*/}: run tools/lab/fetch.sh"
done

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

mkdir -p "$stage"/{bin,dev,proc,sys,tmp,run,root,lab,etc} "$stage/sbin"
cp "$BUSYBOX" "$stage/bin/busybox"
install -m 755 "$HERE/host-init" "$stage/init"
install -m 755 "$HERE/host-leaks" "$stage/bin/host-leaks"
"$(cross_prefix "$ARCH")gcc" -static -O2 -Wall -Werror -o "$stage/bin/host-vm" "$HERE/host-vm.c"

release=${MODULES##*/}
: > "$stage/lab/load"
while read -r arch name how; do
	if [ "$arch" != "$ARCH" ] || [ -z "$MODULES" ] || module_builtin "$MODULES" "$name"; then
		continue
	fi
	# Not every kernel has all that tests use.
	if [ "$how" = have ] && ! module_there "$MODULES" "$name"; then
		say "$release has no module $name"
		continue
	fi
	files=$(module_files "$MODULES" "$name")
	for file in $files; do
		target=lib/modules/$release/${file%.xz}
		if [ ! -e "$stage/$target" ]; then
			mkdir -p "$stage/${target%/*}"
			# busybox's insmod cannot decompress.
			case $file in
			*.xz) xz -dc "$MODULES/$file" > "$stage/$target" ;;
			*) cp "$MODULES/$file" "$stage/$target" ;;
			esac
		fi
		[ "$how" != load ] || echo "/$target" >> "$stage/lab/load"
	done
done < <(sed 's/#.*//' "$HERE/modules.txt")
if [ "$ARCH" = x86_64 ] && [ -n "$MODULES" ]; then
	"$HERE/module.sh" inject "$ARCH" "$RANCHU_CACHE/kdir-$ARCH" "$RANCHU_BUILD/lab/inject"
	cp "$RANCHU_BUILD/lab/inject/inject.ko" "$stage/lab/"
fi
if [ -d "$stage/lib/modules" ]; then
	cp "$MODULES"/modules.{order,builtin,builtin.modinfo} "$stage/lib/modules/$release"
	depmod -b "$stage" "$release"
fi

mkdir -p "$(dirname "$OUT")"
(cd "$stage" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) > "$OUT.partial"
mv "$OUT.partial" "$OUT"
