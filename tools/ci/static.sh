#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The static gates. Each is silent and ends with 0, or says what is wrong.
#
#	tools/ci/static.sh checkpatch|warnings|kdoc|uapi|steps
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

SCRIPTS=$RANCHU_CACHE/linux-source/scripts
cd "$RANCHU_TOP"

[ -e "$SCRIPTS/checkpatch.pl" ] ||
	die "no kernel source in the cache: run tools/lab/fetch.sh"

# Every file of ours below the directories "$@" whose name fits.
sources() {
	local dir

	for dir; do
		[ ! -d "$dir" ] || find "$dir" -type f \
			\( -name '*.[chS]' -o -name Kconfig -o -name Makefile \)
	done | sort
}

gate_checkpatch() {
	local rc=0 kernel_only

	check_files "" < <(sources drivers include | grep -v '^include/trace/'
			   ls Kbuild Makefile) || rc=1
	# Tracepoint headers follow a layout of their own.
	check_files OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT \
		< <(sources include/trace) || rc=1
	# What stands in for a newer kernel's headers has their shapes.
	check_files MACRO_ARG_REUSE < <(sources compat) || rc=1
	# Advice to use what only the kernel's own headers have; names that C11
	# gives (_Static_assert); macros that stand in for the kernel's.
	kernel_only=BIT_MACRO,ARRAY_SIZE,PREFER_DEFINED_ATTRIBUTE_MACRO,VOLATILE
	check_files "$kernel_only,CAMELCASE,MACRO_ARG_REUSE" \
		< <(sources userspace tools | grep -v '/shim/\|/compat/') || rc=1
	# What stands in for the kernel's macros has their shapes: arguments that
	# it has no use for, labels of the caller's, barriers by themselves.
	check_files "$kernel_only,CAMELCASE,MACRO_ARG_REUSE,MACRO_ARG_UNUSED,NEW_TYPEDEFS,MEMORY_BARRIER,COMPLEX_MACRO,SPACING,MACRO_WITH_FLOW_CONTROL" \
		< <(sources userspace tools | grep '/shim/\|/compat/') || rc=1
	rm -f .checkpatch-camelcase.*
	return "$rc"
}

# check_files IGNORED-TYPES: checks the files named on standard input.
check_files() {
	local files

	mapfile -t files
	[ ${#files[@]} -gt 0 ] || return 0
	perl "$SCRIPTS/checkpatch.pl" --no-tree --strict --terse --no-summary \
		--show-types --ignore "$1" -f "${files[@]}"
}

# gate_modules GATE ARCHITECTURES ARGUMENT...: they differ in what a type or a
# barrier is.
gate_modules() {
	local gate=$1 archs=$2 arch rc=0

	shift 2
	for arch in $archs; do
		tools/ci/modules.sh "$arch" "$RANCHU_CACHE/kdir-$arch" \
			"$RANCHU_BUILD/$arch/$gate" "$@" || rc=1
	done
	return "$rc"
}

# gcc's warnings and sparse's at once: both read the same headers of the kernel.
gate_warnings() {
	local cc kernel level way what

	# sparse looks at what is compiled, so everything has to be.
	find "$RANCHU_BUILD"/*/warnings -name '*.o' -delete 2>/dev/null || true
	gate_modules warnings x86_64 W=1 KCFLAGS=-Werror C=1 CF="-Wsparse-error -Wcontext"
	# The kernel's own this_cpu_dec() truncates there: x86_64 looks for that.
	gate_modules warnings arm64 W=1 KCFLAGS=-Werror C=1 \
		CF="-Wsparse-error -Wcontext -Wno-cast-truncate"
	# Debian's headers are configured for gcc. Objects are all that is wanted: there is
	# no kernel whose symbols such modules could be resolved with.
	kernel=$(tools/lab/kernel.sh --prepare clang arm64)
	tools/ci/modules.sh arm64 "$kernel" "$RANCHU_BUILD/arm64/clang" W=1 KCFLAGS=-Werror \
		CC=clang MODPOST=/bin/true KBUILD_MODPOST_NOFINAL=1
	# gcc's warnings depend on the level, and level 2 is everybody's here; clang's come from
	# its front end.
	for way in "gcc 0 tests" "gcc 3" "clang 2 tests"; do
		read -r cc level what <<<"$way"
		make -s -C userspace/vmmctl CC="$cc" CFLAGS="-O$level -g" \
			O="$RANCHU_BUILD/warnings/vmmctl-$cc-O$level" "${what:-all}"
	done
}

gate_kdoc() {
	local files

	mapfile -t files < <(sources drivers include compat | grep '\.[ch]$')
	"$SCRIPTS/kernel-doc" -none -Wall -Werror "${files[@]}"
}

# check_drawing HEADER: the drawing at its top has each address and port that it defines.
check_drawing() {
	awk '
	/^ \*/ { drawing = drawing $0 "\n" }
	/^#define [A-Z0-9_]*_(BASE|PORT)[ \t]/ {
		value = tolower($3)
		sub(/^0x0*/, "", value)
		sub(/u*l*$/, "", value)
		want = $2 ~ /_PORT$/ ? 4 : 8
		while (length(value) < want)
			value = "0" value
		text = ""
		while (length(value) > 4) {
			text = "_" substr(value, length(value) - 3) text
			value = substr(value, 1, length(value) - 4)
		}
		text = value text
		if (!index(drawing, text)) {
			print FILENAME ": " $2 ", " text ", is not in the drawing"
			bad = 1
		}
	}
	END { exit bad }' "$1"
}

# Each uapi header compiles alone, as C99, for 64 and 32 bits, and its structs
# have one size everywhere.
gate_uapi() {
	local header dir=$RANCHU_BUILD/uapi name target

	mkdir -p "$dir"
	for header in include/uapi/linux/ranchu*.h; do
		check_drawing "$header"
	done
	for header in include/uapi/linux/*.h; do
		name=$(basename "$header" .h)
		{
			echo "#include <linux/$name.h>"
			sed -n 's/^struct \([a-z0-9_]*\) {$/char size_of_\1[sizeof(struct \1)];/p' \
				"$header"
			echo "char size_of_nothing[1];"
		} > "$dir/$name.c"
		for target in 64 32 arm64; do
			local cc=(gcc "-m$target")

			# The 32-bit headers of the kernel are the 64-bit ones.
			[ "$target" != 32 ] ||
				cc+=(-idirafter "/usr/include/$(gcc -print-multiarch)")
			[ "$target" != arm64 ] || cc=(aarch64-linux-gnu-gcc)
			# Freestanding: there is no C library for 32 bits.
			"${cc[@]}" -std=c99 -ffreestanding -Wall -Wextra -Wpadded -Werror \
				-fno-common -Iinclude/uapi -c -o "$dir/$name.$target.o" \
				"$dir/$name.c"
			nm -S "$dir/$name.$target.o" |
				awk '/ size_of_/ { sub("^0*", "", $2); print $2, $4 }' |
				sort > "$dir/$name.$target.sizes"
			cmp -s "$dir/$name.64.sizes" "$dir/$name.$target.sizes" || {
				diff "$dir/$name.64.sizes" "$dir/$name.$target.sizes" >&2
				die "$header: sizes differ between 64 bits and $target"
			}
		done
	done
}

# The documentation's tables have each step of check.sh.
gate_steps() {
	awk -f tools/ci/steps.awk tools/ci/check.sh Documentation/testing.md
}

case ${1:-} in
checkpatch|warnings|kdoc|uapi|steps) "gate_$1" ;;
*) die "usage: static.sh checkpatch|warnings|kdoc|uapi|steps" ;;
esac
