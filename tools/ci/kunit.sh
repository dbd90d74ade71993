#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs the KUnit suites under User Mode Linux, in a hard-linked copy of
# Debian's kernel source with this tree laid over it. Ends with kunit.py's exit
# code; the KTAP that the kernel printed is on standard output at the end.
set -euo pipefail
. "$(dirname "$0")/../lab/lib.sh"

SOURCE=$(readlink -f "$RANCHU_CACHE/linux-source")
TREE=$RANCHU_CACHE/kunit/tree-${SOURCE##*/source-}
OUT=$RANCHU_CACHE/kunit/build-${SOURCE##*/source-}
CONFIG=${KUNITCONFIG:-$RANCHU_TOP/drivers/virt/ranchu/.kunitconfig}

[ -d "$SOURCE" ] || die "no kernel source in the cache: run tools/lab/fetch.sh"
[ -e "$CONFIG" ] || die "no $CONFIG"

# Both live in the cache: a kernel takes minutes to build for the first time.
mkdir -p "$RANCHU_CACHE/kunit"
exec 9>"$RANCHU_CACHE/kunit/lock"
flock -n 9 || { say "another run is under way, waiting"; flock 9; }
if [ ! -d "$TREE" ]; then
	rm -rf "$RANCHU_CACHE"/kunit/{tree,build}-*
	cp -al "$SOURCE" "$TREE.partial"
	mv "$TREE.partial" "$TREE"
fi
"$RANCHU_TOP/tools/overlay.sh" "$TREE"

cd "$TREE"
# Of an interrupted build, what is left may be from another configuration.
rm -f .config "$OUT/test.log"
rc=0
long_step "KUnit under UML" "$RANCHU_CACHE/kunit/log" \
	timeout -k 5 1500 ./tools/testing/kunit/kunit.py run \
	--kunitconfig="$CONFIG" --build_dir="$OUT" --jobs="$(nproc)" || rc=$?
[ -e "$OUT/test.log" ] || exit 1
# From here on it is the suites that ran; what UML's own boot says is not ours.
tests=$(tr -d '\r' < "$OUT/test.log" | sed -n '/^ *KTAP version/,$p')
# kunit.py's own output has no KTAP, and with --raw_output it reports no failure.
grep -E '^ *(KTAP|[0-9]+\.\.|# |ok |not ok )' <<<"$tests" || rc=1
if grep -E -f "$RANCHU_TOP/tools/lab/splats.txt" <<<"$tests" >&2; then
	die "the kernel under test complained"
fi
exit "$rc"
