#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Plants the mistakes of table.txt, one at a time, in a copy of the tree, and runs the tests
# that ought to notice each. Prints a line for each mistake, and at the end
#
#	FIGURE mutants.tried=N
#	FIGURE mutants.survived=N
#
#	tools/mutants/run.sh [REGEX]	all, or those whose name fits
#
# What was found is kept in build/mutants/results and is not tried again, unless its line or its
# file has changed: a run that was broken off goes on. First every test must pass on the
# tree as it is. A mistake that does not apply or does not compile is an error.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

cd "$RANCHU_TOP"
HERE=$RANCHU_TOP/tools/mutants
OUT=$RANCHU_BUILD/mutants
TREE=$OUT/tree
RESULTS=$OUT/results
# So many mistakes share one emulated host; one that takes the host with it costs a boot.
BATCH=12
SANITIZE="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"
declare -A FILE_OF OLD_OF NEW_OF TESTS_OF KEY_OF
NAMES=()

read_table() {
	local line name rest

	while IFS= read -r line; do
		[[ $line == *" @@ "* && $line != "#"* ]] || continue
		name=${line%% @@ *}
		[[ $name =~ ${1:-.} ]] || continue
		rest=${line#* @@ }
		FILE_OF[$name]=${rest%% @@ *}
		rest=${rest#* @@ }
		OLD_OF[$name]=${rest%% @@ *}
		rest=${rest#* @@ }
		NEW_OF[$name]=${rest%% @@ *}
		TESTS_OF[$name]=${rest#* @@ }
		KEY_OF[$name]=$( (echo "$line"; cat "${FILE_OF[$name]}") | md5sum | cut -c 1-16)
		NAMES+=("$name")
	done < "$HERE/table.txt"
	[ ${#NAMES[@]} -gt 0 ] || die "no mistake of that name"
}

# What git knows, or all but build/ if this is no repository, without touching what is the same.
copy_tree() {
	local list=$OUT/files file

	if [ -e .git ]; then
		git ls-files --cached --others --exclude-standard
	else
		find . -path ./build -prune -o -type f -printf '%P\n'
	fi > "$list"
	mkdir -p "$TREE"
	while IFS= read -r file; do
		[ -e "$file" ] || continue
		cmp -s "$file" "$TREE/$file" || { mkdir -p "$TREE/$(dirname "$file")" &&
			cp "$file" "$TREE/$file"; }
	done < "$list"
}

found() {
	grep -q "^${KEY_OF[$1]} .* found" "$RESULTS" 2>/dev/null
}

# verdict NAME WORDS: for this run and for later ones.
verdict() {
	echo "${KEY_OF[$1]} $1 $2" >> "$RESULTS"
	echo "$1: $2"
}

plant() {
	OLD=${OLD_OF[$1]} NEW=${NEW_OF[$1]} perl -0777 -pi -e '
		BEGIN { s/\\n/\n/g for $ENV{OLD}, $ENV{NEW} }
		$n = () = /\Q$ENV{OLD}\E/g;
		die "it is there $n times\n" if $n != 1;
		s/\Q$ENV{OLD}\E/$ENV{NEW}/' "$TREE/${FILE_OF[$1]}"
}

# With a date of now, so that it is built again.
restore() {
	cp "${FILE_OF[$1]}" "$TREE/${FILE_OF[$1]}"
}

# build_here TEST: sets PROGRAM.
build_here() {
	local name=${1#*:} o=$TREE/build/mutants

	case $1 in
	native:*)
		PROGRAM=$o/native/${name}_test
		make -s -C "$TREE/tools/testing/native" "O=$o/native" "$PROGRAM"
		;;
	unit:*)
		PROGRAM=$o/vmmctl/tests/${name}_test
		make -s -j2 -C "$TREE/userspace/vmmctl" "O=$o/vmmctl" "CFLAGS=$SANITIZE" "$PROGRAM"
		;;
	*) die "a test is native:NAME, unit:ROOM/NAME or host:NAME, and not $1" ;;
	esac
}

run_here() {
	(cd "$TREE" && timeout -k 5 200 "$PROGRAM") > "$OUT/log" 2>&1 < /dev/null
}

baseline_here() {
	local test

	for test in $(for name in "$@"; do echo "${TESTS_OF[$name]}"; done | tr ' ' '\n' | sort -u); do
		build_here "$test" || die "$test does not compile"
		run_here || { cat "$OUT/log"; die "$test fails on the tree as it is"; }
	done
}

try_here() {
	local test words=survived

	plant "$1" || die "$1 does not fit ${FILE_OF[$1]}"
	for test in ${TESTS_OF[$1]}; do
		if ! build_here "$test" > "$OUT/log" 2>&1; then
			words="does not compile"
			break
		fi
		run_here || { words="found by $test"; break; }
	done
	restore "$1"
	verdict "$1" "$words"
}

# keep_modules NAME: as they are now.
keep_modules() {
	local modules=$TREE/build/arm64/modules module

	rm -rf "$OUT/modules/$1"
	mkdir -p "$OUT/modules/$1"
	while read -r module; do
		[[ $module = /* ]] || module=$modules/$module
		"$(cross_prefix arm64)strip" -g -o "$OUT/modules/$1/$(basename "${module%.*}").ko" \
			"${module%.*}.ko"
		basename "${module%.*}" >> "$OUT/modules/$1/order"
	done < "$modules/modules.order"
}

build_modules() {
	make -s -C "$TREE" ARCH=arm64 "KDIR=$RANCHU_CACHE/kdir-arm64" modules
}

# in_host NAME...: "none" is the tree as it is, on which all tests must pass.
in_host() {
	local stage=$OUT/stage name

	rm -rf "$stage"
	mkdir -p "$stage/ranchu/mutants"
	cp "$HERE/in-host.sh" "$RANCHU_TOP/tools/lab/splats.txt" "$stage/ranchu/mutants/"
	for name; do
		cp -r "$OUT/modules/$name" "$stage/ranchu/mutants/$name"
		echo "$name" "${TESTS_OF[$name]}" | sed 's/host://g' >> "$stage/ranchu/mutants/list"
	done
	"$TREE/tools/lab/run.sh" --host arm64 --quiet --timeout 1800 --overlay "$OUT/overlay" \
		--overlay "$stage" -- sh /ranchu/mutants/in-host.sh > "$OUT/host.log" 2>&1 || true
}

try_in_host() {
	local pending=() batch name words

	build_modules || die "the modules do not compile"
	"$TREE/tools/lab/host-overlay.sh" arm64 "$OUT/overlay"
	keep_modules none
	TESTS_OF[none]=$(for name in "$@"; do echo "${TESTS_OF[$name]}"; done | tr ' ' '\n' |
		sort -u | tr '\n' ' ')
	in_host none
	grep -q '^none survived' "$OUT/host.log" ||
		{ tail -n 60 "$OUT/host.log"; die "a test fails on the tree as it is"; }
	for name; do
		plant "$name" || die "$name does not fit ${FILE_OF[$name]}"
		if build_modules > "$OUT/log" 2>&1; then
			keep_modules "$name"
			pending+=("$name")
		else
			verdict "$name" "does not compile"
		fi
		restore "$name"
	done
	while [ ${#pending[@]} -gt 0 ]; do
		batch=("${pending[@]:0:BATCH}")
		in_host "${batch[@]}"
		pending=("${pending[@]:BATCH}")
		for name in "${batch[@]}"; do
			words=$(sed -n "s/^$name \(survived\|found.*\)$/\1/p" "$OUT/host.log" | tr -d '\r')
			if [ -z "$words" ] && grep -q "^$name begins" "$OUT/host.log"; then
				words="found: it takes the host with it"
			fi
			# The host was gone before its turn.
			[ -n "$words" ] || { pending=("$name" "${pending[@]}"); continue; }
			verdict "$name" "$words"
		done
		[ "${pending[*]}" != "${batch[*]}" ] || die "the host does not boot: $OUT/host.log"
	done
}

read_table "${1:-}"
mkdir -p "$OUT"
copy_tree
"$RANCHU_TOP/tools/lab/fetch.sh"
here=()
host=()
for name in "${NAMES[@]}"; do
	if found "$name"; then
		grep "^${KEY_OF[$name]} " "$RESULTS" | tail -n 1 | sed 's/^[^ ]* \([^ ]*\) /\1: /'
	elif [[ ${TESTS_OF[$name]} == host:* ]]; then
		host+=("$name")
	else
		here+=("$name")
	fi
done
if [ ${#here[@]} -gt 0 ]; then
	baseline_here "${here[@]}"
	for name in "${here[@]}"; do
		try_here "$name"
	done
fi
[ ${#host[@]} -eq 0 ] || try_in_host "${host[@]}"

survived=0
for name in "${NAMES[@]}"; do
	found "$name" || survived=$((survived + 1))
done
echo "FIGURE mutants.tried=${#NAMES[@]}"
echo "FIGURE mutants.survived=$survived"
[ "$survived" -eq 0 ]
