#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs the fuzz targets, two at a time, and prints KTAP. Each target first goes
# through corpus/TARGET.hex and regress/TARGET.hex, which must pass; what makes
# it fail later is left in build/fuzz/work/TARGET. The last case plants a bug,
# which must be found. With 0 seconds only what is kept is gone through.
#
#	tools/fuzz/run.sh SECONDS [TARGET...]
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
OUT=$HERE/../../build/fuzz
LENGTH=600
ALL=(vq_split vq_packed vq_indirect mem_table vhost_ioctl vsock_adb pipe_ring
     pipe_wire control console options mmio pc pci device_state words vhost_user
     gpu gpu_ring gpu_socket snapshot services guest_link gles avd vnc sound)

[ $# -ge 1 ] || { echo "usage: run.sh SECONDS [TARGET...]" >&2; exit 2; }
LIMIT=$1
shift
TARGETS=("$@")
[ $# -gt 0 ] || TARGETS=("${ALL[@]}")

# fuzz PROGRAM TARGET DIR SECONDS: what it says is in DIR/log.
fuzz() {
	local program=$1 target=$2 dir=$3 limit=$4

	mkdir -p "$dir/found" "$dir/corpus" "$dir/regress"
	"$HERE/corpus.pl" unpack "$HERE/corpus/$target.hex" "$dir/corpus"
	"$HERE/corpus.pl" unpack "$HERE/regress/$target.hex" "$dir/regress"
	"$program" -runs=0 "-artifact_prefix=$dir/" "$dir/corpus" "$dir/regress" \
		> "$dir/log" 2>&1 || return 1
	[ "$limit" -gt 0 ] || return 0
	"$program" "-max_total_time=$limit" "-max_len=$LENGTH" -timeout=10 \
		"-artifact_prefix=$dir/" "$dir/found" "$dir/corpus" > "$dir/log" 2>&1
}

# A target passes if it finds nothing.
clean() {
	if fuzz "$OUT/$1" "$1" "$OUT/work/$1" "$LIMIT"; then
		echo "$1: $(grep -c . < <(ls "$OUT/work/$1/found")) new inputs" \
			> "$OUT/work/$1/result"
	else
		echo "failed" > "$OUT/work/$1/failed"
	fi
}

# The length of a buffer is not held against its region any more.
planted() {
	local dir=$OUT/planted

	rm -rf "$dir"
	mkdir -p "$dir/ranchu"
	cp "$HERE"/../../drivers/virt/ranchu/*.[ch] "$dir/ranchu/"
	sed -i 's/(u64)len - 1 > last - offset/false/' "$dir/ranchu/vq.h"
	! cmp -s "$dir/ranchu/vq.h" "$HERE/../../drivers/virt/ranchu/vq.h" || return 1
	make -s -C "$HERE" "O=$dir" "ENGINE_DIR=$dir/ranchu" "$dir/vq_split" || return 1
	! fuzz "$dir/vq_split" vq_split "$dir/work" 60 || return 1
	grep -q "not so: iov->iov_len && in_region" "$dir/work/log"
}

report() {
	local number=$1 name=$2 ok=$3 log=$4

	if [ "$ok" -eq 0 ]; then
		echo "ok $number fuzz.$name"
	else
		tail -n 40 "$log" | sed 's/^/# /'
		echo "not ok $number fuzz.$name"
	fi
}

echo "1..$((${#TARGETS[@]} + 1))"
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)
make -s -j2 -C "$HERE" "O=$OUT" "${TARGETS[@]/#/$OUT/}"
rm -rf "$OUT/work"
for target in "${TARGETS[@]}"; do
	mkdir -p "$OUT/work/$target"
	while [ "$(jobs -rp | wc -l)" -ge 2 ]; do
		wait -n
	done
	clean "$target" &
done
wait

rc=0
number=0
for target in "${TARGETS[@]}"; do
	number=$((number + 1))
	if [ -e "$OUT/work/$target/result" ]; then
		echo "# $(cat "$OUT/work/$target/result")"
		report "$number" "$target" 0 /dev/null
	else
		report "$number" "$target" 1 "$OUT/work/$target/log"
		rc=1
	fi
done
if planted; then
	report $((number + 1)) planted 0 /dev/null
else
	report $((number + 1)) planted 1 "$OUT/planted/work/log"
	rc=1
fi
exit $rc
