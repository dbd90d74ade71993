#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds the guest's goldfish_pipe.ko: mainline's unmodified driver out of
# Debian's kernel source, against Debian's headers of GUEST_ARCH (arm64, or x86_64 in
# the environment). Debian's own kernel
# has goldfish switched off, so it ships no such module. With a second argument,
# builds that driver instead: a single file of mainline's, named from its drivers/ on, or
# one of ours for what mainline's cannot do. It may use what each MODULE exports, which
# was built before by this script. GUEST_KDIR names the headers of another kernel than the
# lab's.
#
#	tools/lab/guest-module.sh OUT.ko [SOURCE.c | drivers/...c [MODULE...]]
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# -ge 1 ] || die "usage: guest-module.sh OUT.ko [SOURCE.c | drivers/...c [MODULE...]]"
OUT=$1
OURS=${2-}
shift
[ $# -eq 0 ] || shift
NAME=$(basename "${OURS:-goldfish_pipe.c}" .c)
SOURCE=$RANCHU_CACHE/linux-source/drivers/platform/goldfish
ARCH=$(kernel_arch "${GUEST_ARCH:-arm64}")
KDIR=$(readlink -f "${GUEST_KDIR:-$RANCHU_CACHE/kdir-${GUEST_ARCH:-arm64}}")
DIR=$RANCHU_BUILD/guest/${GUEST_ARCH:-arm64}/${GUEST_KDIR:+${KDIR##*/}/}$NAME

[ -d "$SOURCE" ] || die "no kernel source in the cache: run tools/lab/fetch.sh"

SYMBOLS=
for module; do
	SYMBOLS="$SYMBOLS $RANCHU_BUILD/guest/${GUEST_ARCH:-arm64}/$module/Module.symvers"
done
HEADERS=
mkdir -p "$DIR" "$(dirname "$OUT")"
exec 9>"$DIR/lock"
flock 9
if [ -n "$OURS" ] && [ "${OURS#drivers/}" != "$OURS" ]; then
	cp --preserve=timestamps "$RANCHU_CACHE/linux-source/$OURS" "$DIR/"
	HEADERS=$RANCHU_CACHE/linux-source/$(dirname "$OURS")
elif [ -n "$OURS" ]; then
	cp --preserve=timestamps "$OURS" "$DIR/"
	[ ! -e "${OURS%.c}.h" ] || cp --preserve=timestamps "${OURS%.c}.h" "$DIR/"
	# Under a name that no header of the kernel's has.
	for abi in goldfish_pipe goldfish_sync; do
		cp --preserve=timestamps "$RANCHU_TOP/include/uapi/linux/$abi.h" \
			"$DIR/${abi}_abi.h"
	done
else
	cp --preserve=timestamps "$SOURCE/goldfish_pipe.c" "$SOURCE/goldfish_pipe_qemu.h" "$DIR/"
fi
if [ "$(cat "$DIR/kdir" 2>/dev/null)" != "$KDIR" ]; then
	rm -f "$DIR"/*.o "$DIR"/*.ko
	echo "$KDIR" > "$DIR/kdir"
fi
{
	echo "obj-m := $NAME.o"
	[ -z "$HEADERS" ] || echo "ccflags-y := -iquote $HEADERS"
} > "$DIR/Makefile"
make -s -C "$KDIR" M="$DIR" ARCH="$ARCH" CROSS_COMPILE="$(cross_prefix "$ARCH")" \
	KBUILD_EXTRA_SYMBOLS="$SYMBOLS" CONFIG_DEBUG_INFO_BTF_MODULES= modules >"$DIR/log" 2>&1 || {
	cat "$DIR/log" >&2
	die "the guest's $NAME.ko does not build"
}
cp "$DIR/$NAME.ko" "$OUT"
