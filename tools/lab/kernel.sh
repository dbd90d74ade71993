#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds a host's kernel of our own from Debian's source: allnoconfig, and on
# top of it the fragments base, ARCH and VARIANT in tools/lab/configs. Or finds
# it in the cache, where each stays until one of its inputs changes.
#
#	tools/lab/kernel.sh [--configure|--prepare] VARIANT ARCH
#
# Prints the directory, against which modules can be built; "vmlinuz" in it is
# for run.sh. --configure stops at a valid .config, --prepare where modules can be
# compiled, but not linked.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

STOP_AT=
case ${1:-} in
--configure|--prepare) STOP_AT=${1#--}; shift ;;
esac
[ $# -eq 2 ] || die "usage: kernel.sh [--configure|--prepare] VARIANT ARCH"
VARIANT=$1
ARCH=$(kernel_arch "$2")
CONFIGS=$RANCHU_TOP/tools/lab/configs
FRAGMENTS=("$CONFIGS/base.config" "$CONFIGS/$ARCH.config" "$CONFIGS/$VARIANT.config")
SOURCE=$(readlink -f "$RANCHU_CACHE/linux-source")
PREFIX=$(cross_prefix "$ARCH")
CC=${PREFIX}gcc
! grep -qs CONFIG_CC_IS_CLANG=y "${FRAGMENTS[2]}" || CC=clang

case $ARCH in
arm64) IMAGE=arch/arm64/boot/Image ;;
x86_64) IMAGE=arch/x86/boot/bzImage ;;
esac
[ -e "$CONFIGS/$VARIANT.config" ] || die "no variant '$VARIANT' in tools/lab/configs"
[ -d "$SOURCE" ] || die "no kernel source in the cache: run tools/lab/fetch.sh"

kmake() {
	nice -n 10 make -s -C "$SOURCE" "O=$OUT" "ARCH=$ARCH" \
		"CROSS_COMPILE=$PREFIX" "CC=$CC" "$@"
}

# Every line of the fragments must have come true. Kconfig drops without a word
# what does not exist or whose dependencies are not met.
check_config() {
	local line missing=

	while read -r line; do
		case $line in
		'# CONFIG_'*' is not set')
			line=${line#\# }
			! grep -q "^${line%% *}=" "$OUT/.config" ||
				missing+=" ${line%% *}=n"
			;;
		CONFIG_*)
			grep -qxF "$line" "$OUT/.config" || missing+=" $line"
			;;
		esac
	done < "$OUT/fragment"
	[ -z "$missing" ] || die "$VARIANT, $ARCH: this kernel cannot have:$missing"
}

configure() {
	cat "${FRAGMENTS[@]}" > "$OUT/fragment"
	kmake "KCONFIG_ALLCONFIG=$OUT/fragment" allnoconfig >&2
	check_config
}

build() {
	local target=${IMAGE##*/}

	long_step "building the $VARIANT kernel for $ARCH (once)" "$OUT/log" \
		kmake "-j$(nproc)" KBUILD_BUILD_USER=lab KBUILD_BUILD_HOST=ranchu \
		"$target" modules
	ln -sfn "$IMAGE" "$OUT/vmlinuz"
}

prepare() {
	long_step "preparing the $VARIANT kernel for $ARCH (once)" "$OUT/log" \
		kmake "-j$(nproc)" modules_prepare
	# Our Kbuild looks there whether task_work_add is exported.
	ln -sfn "$RANCHU_CACHE/kdir-$ARCH/Module.symvers" "$OUT/Module.symvers"
}

# What made the kernel what it is.
key=$({
	cat "${FRAGMENTS[@]}" "$0"
	echo "${SOURCE##*/source-}"
	"$CC" --version | head -n 1
	echo "${STOP_AT#configure}"
} | sha256sum | cut -c 1-12)
DIR=$RANCHU_CACHE/kernel-$VARIANT-$ARCH/${SOURCE##*/source-}-$key
OUT=$DIR

mkdir -p "$DIR"
exec 9>"${DIR%/*}/lock"
flock -n 9 || { say "another build is under way, waiting"; flock 9; }
if [ -e "$DIR/built" ]; then
	say "the $VARIANT kernel for $ARCH is reused, $(cat "$DIR/built")"
else
	configure
	start=$SECONDS
	case $STOP_AT in
	configure)
		say "the $VARIANT kernel for $ARCH can be configured"
		exit
		;;
	prepare) prepare ;;
	*) build ;;
	esac
	echo "built $(date -u '+%Y-%m-%d %H:%M UTC') in $((SECONDS - start)) s" > "$DIR/built"
	say "the $VARIANT kernel for $ARCH was $(cat "$DIR/built")"
fi
# Others of its kind go when nobody has asked for them for days.
touch "$DIR"
find "${DIR%/*}" -mindepth 1 -maxdepth 1 -type d ! -path "$DIR" -mtime +2 -exec rm -rf {} +
echo "$DIR"
