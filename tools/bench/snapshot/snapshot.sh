# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The area "snapshot" of bench.sh: what it costs to go on from a snapshot and to boot,
# how many clones there can be and what one takes, and whether what is no snapshot is
# refused. Sourced, never run. RANCHU_SNAP_CLONES is how many clones are tried,
# RANCHU_FUZZ_SECONDS how long the fuzz target runs, RANCHU_SNAP_PARTS some of "cost
# clones bad kills fleet" if not all are wanted; RANCHU_FLEET=--here takes stand-ins for
# the fleet's guests, which is a figure of its own.

FLOORS[snap.restore_vs_boot]=">= 10"
FLOORS[snap.restore_2g_vs_256m]="<= 1.2"
FLOORS[snap.clone_private_pct]="<= 15"
FLOORS[snap.clones]=">= 32"
FLOORS[snap.incremental_pct]="<= 10"
FLOORS[snap.bad_files_accepted]="0, exactly"
FLOORS[snap.lost]="0, exactly"
FLOORS[fleet.tests_lost]="0, exactly"
FLOORS[fleet.tests_lost_without_guests]="0, exactly"

SNAP_PARTS=${RANCHU_SNAP_PARTS:-cost clones bad kills fleet}

snapshot_stage() {
	local stage=$OUT/overlay-snapshot

	"$RANCHU_TOP/tools/lab/host-overlay.sh" arm64 "$stage" --guest
	make -s -C "$HERE/adb" "CROSS_COMPILE=$(cross_prefix arm64)" "OUTPUT=$OUT/adb"
	"$RANCHU_TOP/tools/lab/program.sh" "$stage" adb
	"$RANCHU_TOP/tools/lab/guest-vsock.sh" "$stage/ranchu/guest/initrd.cpio" --adbd
	cp "$OUT/adb/adb_timed" "$stage/bin/"
	cp "$RANCHU_TOP/tools/ci/host-lib.sh" "$RANCHU_TOP/tools/ci/snapshot-lib.sh" \
		"$HERE/snapshot/snapshot_host.sh" "$stage/ranchu/"
}

# in_snapshot_host LOG MEMORY SECONDS OPTION... -- WORD...: of snapshot_host.sh's.
in_snapshot_host() {
	local log=$1 mem=$2 seconds=$3 options=()

	shift 3
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	# What was measured before a failure still counts, figure by figure.
	long_step "snapshots in the lab: $*" "$log" \
		"$RANCHU_TOP/tools/lab/run.sh" --host arm64 --mem "$mem" --timeout "$seconds" \
		"${options[@]}" --overlay "$OUT/overlay-snapshot" -- \
		sh /ranchu/snapshot_host.sh "$@" || missing=$((missing + 1))
	plain_log "$log"
}

csv_snapshot() {
	echo "what,mib,instructions,idle,exits,wakeups"
	sed -n 's/^SNAP \([a-z]* [0-9]*\) \(ns=.*\)/\1 \2/p' "$1" | sed 's/[a-z]*=//g' | tr ' ' , |
		awk -F, -v OFS=, '{ $3 -= $4; print }'
}

# snapshot_cost WHAT MIB: instructions, of the round in the middle.
snapshot_cost() {
	awk -F, -v what="$1" -v mib="$2" '$1 == what && $2 == mib { print $3 }' \
		"$OUT/snapshot.csv" | sort -n |
		awk '{ cost[NR] = $1 } END { if (NR) print cost[int((NR + 1) / 2)] }'
}

table_snapshot() {
	local what mib

	printf '\nMillions of instructions, whole machine, from exec to a guest that answers adb:\n'
	printf '  %-10s %10s %10s\n' "" "256 MiB" "2 GiB"
	for what in boot restore; do
		printf '  %-10s' "$what"
		for mib in 256 2048; do
			printf ' %10s' "$(snapshot_cost "$what" "$mib" |
				awk '{ printf "%.1f", $1 / 1000000 }')"
		done
		echo
	done
	echo
}

snapshot_costs() {
	in_snapshot_host "$OUT/snapshot-cost.log" 4G 1800 --icount -- cost
	csv_snapshot "$OUT/snapshot-cost.log" > "$OUT/snapshot.csv"
	table_snapshot
	figure snap.restore_vs_boot \
		"$(ratio "$(snapshot_cost boot 256)" "$(snapshot_cost restore 256)")"
	figure snap.restore_2g_vs_256m \
		"$(ratio "$(snapshot_cost restore 2048)" "$(snapshot_cost restore 256)")"
}

# Percent, of the one that has most; nothing unless all 16 were looked at.
clone_private_pct() {
	awk '
	$1 == "touched_kib" { touched = $2 }
	$1 == "private_kib" { n++; if ($3 > most) most = $3 }
	END { if (n == 16 && touched) printf "%.1f", 100 * most / touched }' "$1"
}

snapshot_clones() {
	local log=$OUT/snapshot-clones.log

	in_snapshot_host "$log" 8G 3600 -- clones "${RANCHU_SNAP_CLONES:-40}"
	grep -E '^(touched_kib|private_kib|clones|saved_kib|bad_files|# with)' "$log" || true
	figure snap.clone_private_pct "$(clone_private_pct "$log")"
	figure snap.clones "$(sed -n 's/^clones //p' "$log")"
	figure snap.incremental_pct "$(awk '
		$1 == "saved_kib" { kib[$2] = $3 }
		END { if (kib["first"] && kib["second"]) printf "%.1f", 100 * kib["second"] / kib["first"] }' \
		"$log")"
}

snapshot_unit_test() {
	local o=$OUT/snapshot-vmmctl

	build_alone make -s -j2 -C "$RANCHU_TOP/userspace/vmmctl" "O=$o" \
		"CFLAGS=-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all" \
		"$o/tests/snapshot/snapshot_test" "$o/tests/snapshot/changes_test"
	"$o/tests/snapshot/snapshot_test"
	"$o/tests/snapshot/changes_test"
}

# Those of the test, of the lab (if it has run), and what makes vmmctl fail otherwise.
snapshot_bad() {
	local unit=$OUT/snapshot-unit.log fuzz=$OUT/snapshot-fuzz.log bad=

	long_step "what is no snapshot" "$unit" snapshot_unit_test || missing=$((missing + 1))
	"$RANCHU_TOP/tools/fuzz/run.sh" "${RANCHU_FUZZ_SECONDS:-600}" snapshot device_state \
		> "$fuzz" || true
	# Each of the three has to have counted.
	if [ "$(grep -c '^# bad files: ' "$unit")" -eq 2 ] && grep -q '^1\.\.' "$fuzz" &&
	   grep -q '^bad_files ' "$OUT/snapshot-clones.log"; then
		bad=$(cat "$unit" "$fuzz" "$OUT/snapshot-clones.log" | awk '
			/^# bad files: / { tried += $4; bad += $6 }
			/^bad_files / { tried += $2; bad += $3 }
			/^not ok .* fuzz\.(snapshot|device_state)/ { bad++ }
			END { printf "%d of %d", bad, tried }')
		echo "snapshots that are none, and were accepted: $bad, and those of the fuzzer's"
	fi
	figure snap.bad_files_accepted "${bad%% *}"
}

# Of at least 200 kills.
snapshot_kills() {
	local log=$OUT/snapshot-kills.log

	long_step "programs that are killed while they save and load" "$log" \
		"$RANCHU_TOP/tools/ci/snapshot-kills.sh" || missing=$((missing + 1))
	plain_log "$log"
	grep '^# kills: ' "$log" || true
	figure snap.lost "$(awk '
		/^# kills: / { kills += $3; lost += $5 }
		END { if (kills >= 200) print lost }' "$log")"
}

# Of the 64 shards of which a node goes, if all of it was as it should be.
snapshot_fleet() {
	local log=$OUT/snapshot-fleet.log key=fleet.tests_lost

	[ "${RANCHU_FLEET:-}" != --here ] || key=fleet.tests_lost_without_guests
	long_step "a fleet of which a node goes" "$log" "$RANCHU_TOP/tools/ci/fleet-test.sh" \
		${RANCHU_FLEET:+"$RANCHU_FLEET"} || missing=$((missing + 1))
	plain_log "$log"
	grep -E '^# (node1 goes|all shards|queued again)' "$log" || true
	figure "$key" "$(sed -n 's/^# suite: tests 128, .* lost \([0-9]*\)$/\1/p' "$log")"
}

bench_snapshot() {
	local part

	mkdir -p "$OUT"
	"$RANCHU_TOP/tools/lab/fetch.sh"
	long_step "packing guest and host" "$OUT/snapshot-stage.log" snapshot_stage
	for part in $SNAP_PARTS; do
		case $part in
		cost) snapshot_costs ;;
		clones) snapshot_clones ;;
		bad) snapshot_bad ;;
		kills) snapshot_kills ;;
		fleet) snapshot_fleet ;;
		*) die "no part '$part': cost clones bad kills fleet" ;;
		esac
	done
}
