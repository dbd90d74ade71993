#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Proves that vq_diff can fail: plants one mistake at a time in a copy of the
# engine and expects each to be noticed. Prints KTAP.
#
#	mutants.sh OUTPUT-DIR [MAKE [ENGINE-DIR]]
set -euo pipefail
cd "$(dirname "$0")"

OUT=$1/mutants
MAKE=${2:-make}
ENGINE=${3:-../../../../drivers/virt/ranchu}
CHAINS=100000

# What is wrong, the file, and the sed command that makes it so.
MUTANTS=(
	"split: a wrong length	vq_split.c	s/id | (u64)len << 32/id | (u64)(len + 1) << 32/"
	"split: a batch is lost	vq_split.c	s/split_from_cpu(vq->next_used), idx/split_from_cpu(vq->next_used - vq->pushed + 1), idx/"
	"split: the event index is one off	vq_split.c	s/u16 old = vq->next_used - vq->pushed - vq->uncalled;/u16 old = vq->next_used - vq->pushed - vq->uncalled + 1;/"
	"split: kicks are enabled without a look	vq_split.c	s/return split_look(vq);/return 0;/"
	"split: put back too little	vq_split.c	s/vq->next_avail--;/;/"
	"split: a descriptor is read twice	vq_split.c	s/^\tif (!vq_only_buffer(vq, chain, &desc,/\t(void)!vq_get_desc(table + head, \&desc);\n&/"
	"split: a linked descriptor is read twice	vq_split.c	s/^\t\tif (unlikely(vq_get_desc(table + i, desc)))/\t\t(void)!vq_get_desc(table + i, desc);\n&/"
	"split: a link of the table's size	vq_split.c	s/i >= vq->num/i > vq->num/"
	"packed: the wrap counter stays	vq_packed.c	s/\*wrap = !\*wrap;/;/"
	"packed: a wrong length	vq_packed.c	s/u64 word = written |/u64 word = written \/ 2 * 2 |/"
	"packed: the first is not held back	vq_packed.c	s/if (!vq->pushed) {/if (!vq->pushed \&\& vq->in_order) {/"
	"packed: calls only when asked for each	vq_packed.c	s/return vring_need_event(where, new, new - uncalled);/return where == (u16)(new - 1);/"
	"packed: kicks are enabled without a look	vq_packed.c	s/return packed_peek(vq, &desc);/return 0 * packed_peek(vq, \&desc);/"
	"packed: a whole ring is put back wrongly	vq_packed.c	s/ || chain->slots == vq->num//"
	"packed: slots in flight are miscounted	vq_packed.c	s/vq->inflight += chain->slots;/vq->inflight += chain->slots + (chain->slots > 2);/"
	"in order: a short chain inside a batch	vq_split.c	s/vq->pushed \&\& !vq->held_full/false/"
	"in order, packed: the same	vq_packed.c	s/vq->pushed \&\& !vq->held_full/false/"
	"any order of buffers	vq.c	s/if (walk->in \&\& !write)/if (false)/"
	"a buffer one byte over its region	vq.h	s/(u64)len - 1 > last - offset/(u64)len - 2 > last - offset/"
	"an indirect table of any length	vq_indirect.c	s/!len || len % sizeof(struct vring_desc) ||/!len ||/"
	"indirect: the last descriptor is left out	vq_indirect.c	s/i < table->n; i++/i + 1 < table->n; i++/"
	"memory is found one byte off	mem_table.c	s/offset = gpa - region->first;/offset = gpa - region->first + (n == 1);/"
)

# Copies the engine and changes it; false if there was nothing to change.
plant() {
	rm -rf "$OUT/engine"
	mkdir -p "$OUT/engine"
	cp "$ENGINE"/*.[ch] "$OUT/engine/"
	sed -i "$2" "$OUT/engine/$1"
	! cmp -s "$ENGINE/$1" "$OUT/engine/$1"
}

# The mistake must be noticed by a case that fails, not by chance.
noticed() {
	"$MAKE" -s O="$OUT" ENGINE_DIR="$OUT/engine" all >"$OUT/log" 2>&1 || return 1
	if timeout 120 "$OUT/vq_diff" --chains "$CHAINS" >"$OUT/log" 2>&1; then
		return 1
	fi
	grep -q '^not ok ' "$OUT/log"
}

mkdir -p "$OUT"
echo "1..${#MUTANTS[@]}"
n=0
bad=0
for mutant in "${MUTANTS[@]}"; do
	IFS=$'\t' read -r name file change <<<"$mutant"
	n=$((n + 1))
	if plant "$file" "$change" && noticed; then
		echo "ok $n noticed: $name"
	else
		sed 's/^/# /' "$OUT/log" 2>/dev/null | tail -n 5
		echo "not ok $n noticed: $name"
		bad=1
	fi
done
exit "$bad"
