#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The sanitizers' part inside the host (busybox's sh): the kselftests, then
# what they may have lost. Arguments are the tests to run, all without, and
# NAME=VALUE for their environment.
set -u

MODULES=/ranchu/modules
KCSAN=/sys/kernel/debug/kcsan
GCOV=/sys/kernel/debug/gcov
WATCH=/sys/kernel/debug/ranchu_watch

# Here each takes ten times as long; which pairs of ioctls, a seed says.
export RANCHU_KILLS=20 RANCHU_ORDERS=7 RANCHU_ROUNDS=30 RANCHU_FUZZ_PAIRS=12
for word; do
	shift
	case $word in
	*=*) export "${word?}" ;;
	*) set -- "$@" "$word" ;;
	esac
done
while read -r module; do
	insmod "$MODULES/$module.ko" || exit 1
done < $MODULES/order

# Only races that one of our functions is in; the others are the kernel's own. An
# emulated CPU does little while another waits for it to meddle: longer, and oftener.
if [ -e $KCSAN ]; then
	echo 1000 > /sys/module/kcsan/parameters/udelay_task
	echo 200 > /sys/module/kcsan/parameters/udelay_interrupt
	echo 1000 > /sys/module/kcsan/parameters/skip_watch
	echo whitelist > $KCSAN
	while read -r module; do
		awk -v m="[$module]" '$4 == m && tolower($2) == "t" && $3 !~ /^\$/ {
			print "!" $3 }' /proc/kallsyms
	done < $MODULES/order | while read -r function; do
		echo "$function" > $KCSAN
	done
	echo on > $KCSAN
fi

# Which long sleeps may be; then that no function is gone that the watch goes by.
if [ -e $WATCH ]; then
	sed -n '/^[a-z]/s/[[:space:]]*[[:space:]]-[[:space:]].*//p' /ranchu/sleeps-allowed.txt |
	while read -r row; do
		echo "$row" > $WATCH/allowed || echo "lab: cannot allow $row" > /dev/kmsg
	done
	{
		cat $WATCH/names
		cut -d ' ' -f 3- $WATCH/allowed | tr ' ' '\n'
	} | awk 'FNR == NR { wanted[$1] = 1; next }
		{ sub(/\..*/, "", $3) }
		$3 in wanted { delete wanted[$3] }
		END { for (name in wanted) print "lab: cannot find the function " name }' \
		- /proc/kallsyms > /dev/kmsg
fi

cd /ranchu/tests || exit 1
RANCHU_MODULES=$MODULES sh ./run_all.sh "$@"
code=$?
# What a run without a report is worth.
[ ! -e $KCSAN ] || grep -E '^(setup_watchpoints|data_races|report_races):' $KCSAN | sed 's/^/# kcsan: /'

if [ -e $WATCH ]; then
	awk '{ n[$1] = $2 }
		END {
			printf "# watch: %d sleeps seen, %d over the bound", \
				n["vcpu"] + n["worker"] + n["close"], n["over"]
			printf " (vcpu %d, worker %d, close %d; %d allowed; the longest %d ms)\n", \
				n["vcpu"], n["worker"], n["close"], n["allowed"], n["longest_ms"]
			printf "# watch: %d sleeps of all tasks, %d lost, %d without a slot, %d switches missed\n", \
				n["all"], n["lost"], n["crowded"], n["missed"]
			exit !n["all"] || n["lost"] || n["crowded"] || n["over"]
		}' $WATCH/status || code=1
	sed 's/^/# watch: allowed: /' $WATCH/allowed
fi

# While our functions still have names in a report, and again when nothing in
# the modules' own data can point at what is lost.
host-leaks
if ! tac $MODULES/order | xargs rmmod; then
	echo "Bail out! a module does not unload"
	code=1
fi
host-leaks

# Of modules that are gone, too. Files there have no size: they are to be read.
if find $GCOV -name '*.gcda' 2>/dev/null | head -n 1 | grep -q .; then
	find $GCOV -name '*.gcda' | while read -r file; do
		to=/tmp/gcov/${file#$GCOV/}
		mkdir -p "${to%/*}"
		cat "$file" > "$to"
	done
	tar -C /tmp/gcov -cz . | base64 | sed 's/^/# gcov: /'
fi
exit "$code"
