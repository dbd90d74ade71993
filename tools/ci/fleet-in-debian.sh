#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The fleet test's part inside a Debian with Slurm, run by root: a controller, two nodes, and
# arrays of tests in clones of one guest. A node is a set of namespaces with a host name of
# its own, and its power goes when its process 1 is killed. In the environment: CGROUP is
# v2, or v1 with the freezer alone; with GUESTS=none fleet-stand-in is vmmctl and adb.
set -u

export CGROUP=${CGROUP:-v2}
GUESTS=${GUESTS:-stock}
# Seconds between two beats, minutes of a shard's time limit, seconds until a node is down,
# and how many times longer anything may take: an emulated machine is slow.
BEAT=30 LIMIT=10 DOWN=120 SLOW=5
[ "$GUESTS" = stock ] || BEAT=3 LIMIT=2 DOWN=40 SLOW=1

FLEET=/usr/share/ranchu/fleet
HOME_DIR="/home/tester"
SNAP="$HOME_DIR/a snapshot"
declare -A node

number=0 failed=0
# result NAME 0|1
result() {
	number=$((number + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $number $1"
		return
	fi
	sinfo -h -o '%N %t %E' | sed 's/^/# node: /'
	squeue -h -o '%i %t %N %r %S' | sed 's/^/# job: /'
	grep -hv 'pmix\|mpi/' /var/log/slurm/*.log | tail -n 40 | sed 's/^/# /'
	echo "not ok $number $1"
	failed=$((failed + 1))
}

# until_true SECONDS COMMAND...
until_true() {
	local end=$((SECONDS + $1 * SLOW))

	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.5
	done
}

user() {
	setpriv --reuid tester --regid tester --init-groups --reset-env \
		env PATH="$PATH" HOME="$HOME_DIR" FLEET_BEAT_SECONDS=$BEAT FLEET_START_SECONDS=600 bash -c 'cd && "$@"' bash "$@"
}

# accounts: those of the machine, the key of munge, and what may open the modules' nodes.
accounts() {
	cat > /etc/passwd <<-END
	root:x:0:0:root:/root:/bin/bash
	munge:x:101:101::/var/lib/munge:/bin/false
	slurm:x:102:102::/var/lib/slurm:/bin/false
	tester:x:1000:1000::$HOME_DIR:/bin/bash
	END
	cat > /etc/group <<-END
	root:x:0:
	munge:x:101:
	slurm:x:102:
	kvm:x:103:tester
	tester:x:1000:
	END
	printf '10.9.0.1 control node1 node2\n127.0.0.1 localhost\n' > /etc/hosts
	for dir in etc/munge var/lib/munge var/log/munge run/munge; do
		mkdir -p -m 755 "/$dir"
		chown munge: "/$dir"
	done
	mkdir -p /etc/slurm /etc/default /var/lib/slurm/slurmctld /var/log/slurm "$HOME_DIR"
	chown -R slurm: /var/lib/slurm /var/log/slurm
	chown tester: "$HOME_DIR"
	if [ "$GUESTS" = stock ]; then
		chgrp kvm /dev/kvm /dev/vhost-*
		chmod 660 /dev/kvm /dev/vhost-*
	else
		echo FLEET_DEVICES= > /etc/default/ranchu-fleet
	fi
	chmod 1777 /tmp
	chmod 666 /dev/null /dev/zero /dev/random /dev/urandom
}

# The examples, with what differs on this machine.
configuration() {
	sed -e 's|^SlurmctldHost=.*|SlurmctldHost=control(10.9.0.1)|' \
		-e "s|^SlurmdTimeout=.*|SlurmdTimeout=$DOWN|" \
		-e 's|^AuthType=.*|&\nAuthInfo=socket=/var/lib/munge/socket|' \
		-e "s|^PrologEpilogTimeout=.*|PrologEpilogTimeout=$((60 * SLOW))|" \
		-e 's|^SlurmdSpoolDir=.*|&-%n|' -e 's|^DefMemPerCPU=.*|DefMemPerCPU=400|' \
		-e 's|^SlurmdLogFile=.*|SlurmdLogFile=/var/log/slurm/%n.log|' -e '/^NodeName/d' \
		$FLEET/slurm.conf > /etc/slurm/slurm.conf
	echo "MessageTimeout=$((12 * SLOW))" >> /etc/slurm/slurm.conf
	echo "BatchStartTimeout=$((24 * SLOW))" >> /etc/slurm/slurm.conf
	for i in 1 2; do
		echo "NodeName=node$i NodeAddr=10.9.0.1 Port=1700$i CPUs=2 RealMemory=1000 Gres=guest:2"
	done >> /etc/slurm/slurm.conf
	sed 's/Count=32/Count=2/' $FLEET/gres.conf > /etc/slurm/gres.conf
	cp $FLEET/cgroup.conf /etc/slurm/
	if [ "$CGROUP" = v2 ]; then
		# There is no systemd here.
		echo IgnoreSystemd=yes >> /etc/slurm/cgroup.conf
		echo "+cpu +cpuset +memory" > /sys/fs/cgroup/cgroup.subtree_control
	else
		sed -i '/^Constrain/d; s/^CgroupAutomount=.*/CgroupPlugin=cgroup\/v1/' \
			/etc/slurm/cgroup.conf
		sed -i 's|^TaskPlugin=.*|TaskPlugin=task/none|' /etc/slurm/slurm.conf
	fi
}

# What a node's process 1 does: as systemd would with slurmd.conf.
cat > /node <<'END'
#!/bin/bash
mount -t proc proc /proc
mount -t tmpfs run /run
hostname "$1"
SERVICE=/sys/fs/cgroup/system.slice/slurmd.service
if [ "$CGROUP" = v2 ]; then
	umount /sys/fs/cgroup
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	# A cgroup with processes hands no controllers on.
	mkdir -p /sys/fs/cgroup/init "${SERVICE%/*}"
	echo $$ > /sys/fs/cgroup/init/cgroup.procs
	for dir in /sys/fs/cgroup "${SERVICE%/*}"; do
		echo "+cpu +cpuset +memory" > "$dir/cgroup.subtree_control"
	done
else
	mount -t tmpfs cgroup /sys/fs/cgroup
	mkdir /sys/fs/cgroup/freezer
	mount -t cgroup -o freezer cgroup /sys/fs/cgroup/freezer
fi
for ((;;)); do
	/usr/share/ranchu/fleet/node sweep
	(
		if [ "$CGROUP" = v2 ]; then
			[ ! -e "$SERVICE" ] || find "$SERVICE" -depth -type d -exec rmdir {} +
			mkdir "$SERVICE"
			echo $BASHPID > "$SERVICE/cgroup.procs"
		fi
		exec slurmd -D
	)
	echo "slurmd ended with $?"
	sleep 1
done
END
chmod +x /node

# power_on NAME: its process 1 alone is in the cgroup that becomes the node's root of cgroups.
power_on() {
	mkdir -p "/sys/fs/cgroup/$1"
	# shellcheck disable=SC2016 # for the other shell
	unshare --pid --mount --uts --fork --kill-child bash -c '
		echo 0 > "/sys/fs/cgroup/$1/cgroup.procs"
		exec unshare --cgroup /node "$1"' bash "$1" > "/var/log/slurm/$1.out" 2>&1 &
	node[$1]=$!
}

# power_off NAME
power_off() {
	kill -KILL "${node[$1]}"
	wait "${node[$1]}" 2>/dev/null
}

# inside NAME COMMAND...: on that node.
inside() {
	local status

	status=$(grep -ls "^PPid:.${node[$1]}\$" /proc/[0-9]*/status)
	status=${status%/status}
	shift
	nsenter --target "${status#/proc/}" --pid --mount --uts --root --wd -- "$@"
}

# running NAME PATTERN: some process on the node has such a command line. The pattern does
# not fit its own.
running() {
	inside "$1" sh -c "grep -qsa '$2' /proc/[0-9]*/cmdline"
}

state_is() {
	[[ $(sinfo -h -n "$1" -o %t) == "$2" ]]
}

no_jobs() {
	[ -z "$(squeue -h)" ]
}

# job_is JOB STATE
job_is() {
	scontrol -o show job "$1" 2>/dev/null | grep -q " JobState=$2 "
}

# clean NAME: nothing of a job is left on the node.
clean() {
	inside "$1" sh -c '! ls -A /run/ranchu-fleet 2>/dev/null | grep -q . &&
		! grep -qs "^Uid:.1000" /proc/[0-9]*/status'
}

clean_both() {
	until_true 120 no_jobs && until_true 60 clean node1 && until_true 60 clean node2
}

# submit NAME SHARDS [OPTION]...: results are in results-NAME.
submit() {
	local name=$1 shards=$2

	shift 2
	user $FLEET/submit "$SNAP" "$name" "results-$name" "$shards" "$@"
}

# collect NAME: leaves what it says in /tmp/said.
collect() {
	local rc

	user $FLEET/collect "results-$1" > /tmp/said
	rc=$?
	sed "s/^/# $1: /" /tmp/said
	return $rc
}

# logs NAME: for whoever wants to know why.
logs() {
	local log

	for log in "$HOME_DIR/results-$1"/logs/*/*.log; do
		tail -n 3 "$log" | sed "s|^|# ${log#*/logs/}: |"
	done
}

# starts NAME SHARD: which starts of it have got as far as a log, such as "0 1".
starts() {
	(cd "$HOME_DIR/results-$1/logs" && echo shard-"$2".* | sed "s/shard-$2\.//g")
}

echo "1..10"
hostname control
accounts
configuration
cat > "$HOME_DIR/a test" <<'END'
#!/bin/sh
case $1 in
hang\ once*) [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ] || { vmmctl pause shard; sleep 900; } ;;
hang*) vmmctl pause shard; sleep 900 ;;
slow*) sleep 900 ;;
alone*) [ "$(adb devices | grep -c 'device$')" -eq 1 ] && sleep 5 ;;
*) exec adb shell "$1" ;;
esac
END
chmod +x "$HOME_DIR/a test"

# ---- the guest, once ----

# A key of adb's, or all shards would make one at once.
user env XDG_RUNTIME_DIR="$HOME_DIR" adb start-server 2>/dev/null
user env XDG_RUNTIME_DIR="$HOME_DIR" vmmctl run --name source --kernel /ranchu/guest/Image \
	--initrd /ranchu/guest/initrd.cpio --memory 256M --vsock 42 \
	--append "${linux_args:-} ranchu.run=guest-adbd" > /tmp/source 2>&1 </dev/null &
user timeout $((300 * SLOW)) adb wait-for-device shell true && sleep 5 &&
	user env XDG_RUNTIME_DIR="$HOME_DIR" vmmctl snapshot save source "$SNAP"
result a_guest_is_saved $?
[ "$failed" -eq 0 ] || { cat /tmp/source; exit 1; }
user env XDG_RUNTIME_DIR="$HOME_DIR" vmmctl stop source
user adb kill-server
wait

# ---- the cluster ----

dd if=/dev/urandom of=/etc/munge/munge.key bs=1024 count=1 2>/dev/null
chmod 400 /etc/munge/munge.key
chown munge: /etc/munge/munge.key
setpriv --reuid munge --regid munge --clear-groups munged --socket=/var/lib/munge/socket
slurmctld
power_on node1
power_on node2
until_true 60 state_is node1 idle && until_true 60 state_is node2 idle
result two_nodes_are_there $?
[ "$failed" -eq 0 ] || exit 1

# ---- one node ----

printf 'alone %s\n' 1 2 > "$HOME_DIR/alone"
submit alone 2 --wait -w node1 --time=10 -- "./a test"
collect alone
rc=$?
clean_both || rc=1
[ $rc -eq 0 ] || logs alone
result jobs_of_one_user_do_not_meet $rc

# What a hostile job leaves, beside another job of the same user.
cat > "$HOME_DIR/hostile" <<'END'
#!/bin/bash
cd "/run/ranchu-fleet/$SLURM_JOB_ID"
ln -s /etc etc
ln -s / root
mkdir -p a/b
chmod 0 a
(trap '' TERM HUP; exec setsid env -i sleep 901) &
[ "$1" = leave ] || sleep 902
END
other=$(user sbatch --parsable -w node1 --gres=guest:1 --wrap "sleep 903")
job=$(user sbatch --parsable -w node1 --gres=guest:1 hostile leave)
until_true 120 job_is "$other" RUNNING
gone() {
	job_is "$job" COMPLETED &&
		[ "$(inside node1 ls /run/ranchu-fleet 2>/dev/null)" = "$other" ] &&
		! running node1 '90[1]'
}
until_true 120 gone && job_is "$other" RUNNING && [ -s /etc/passwd ] &&
	running node1 '90[3]'
result the_epilog_follows_no_link_and_spares_other_jobs $?
scancel "$other"

# slurmd and the job's slurmstepd are killed, the job's processes are not.
until_true 120 no_jobs
job=$(user sbatch --parsable -w node1 --no-requeue --gres=guest:1 hostile stay)
until_true 120 running node1 '90[1]'
rc=$?
inside node1 bash -c 'for name in $(grep -lxE "slurm(stepd|d)" /proc/[0-9]*/comm); do
	pid=${name#/proc/}
	kill -KILL "${pid%/comm}"
done'
until_true 60 clean node1 || rc=1
result what_a_killed_slurmd_has_left_goes_when_it_starts $rc
scancel "$job"
clean_both

# ---- the fleet, of which a node goes ----

# The last task's job has the number of the array: it must queue only itself again.
printf '%s\n' "true" "hang always" "slow" "hang once" > "$HOME_DIR/trouble"
submit trouble 4 -w node2 --time=$LIMIT -- "./a test"
# The second test of a shard passes only where the first one was, and that only once.
for i in {1..64}; do
	echo "mkdir /tmp/mine # $i"
done > "$HOME_DIR/suite"
for i in {1..64}; do
	echo "rmdir /tmp/mine # $i"
done >> "$HOME_DIR/suite"
began=$SECONDS
submit suite 64 --wait --time=30 > /tmp/submitted &
wait_pid=$!
half() {
	[ "$(find "$HOME_DIR/results-suite" -name 'shard-*.xml' 2>/dev/null | wc -l)" -ge 24 ] &&
		[ -n "$(squeue -h -w node1 -t R)" ]
}
until_true 600 half
echo "# node1 goes after $((SECONDS - began)) s, with $(squeue -h -w node1 -t R | wc -l) jobs"
power_off node1
until_true 180 state_is node1 'down*'
rc=$?
power_on node1
wait $wait_pid
echo "# all shards are over after $((SECONDS - began)) s"
collect suite || rc=1
grep -qx "tests 128, passed 128, failed 0, lost 0" /tmp/said || rc=1
[ $rc -eq 0 ] || logs suite
result no_test_is_lost_with_a_node $rc

array=$(sed -n 's/^Submitted batch job //p' /tmp/submitted)
sed -n "s/.*requeue job JobId=${array}_\([0-9]*\)(.*due to failure of node node1/\1/p" \
	/var/log/slurm/slurmctld.log | sort -n > /tmp/requeued
for i in {0..63}; do
	case $(starts suite "$i") in
	0) ;;
	"0 1" | 1) echo "$i" ;;
	*) echo "$i more than once" ;;
	esac
done > /tmp/twice
echo "# queued again: $(xargs < /tmp/requeued)"
[ -s /tmp/requeued ] && [ "$(cat /tmp/requeued)" = "$(cat /tmp/twice)" ]
result only_shards_of_that_node_and_once_each $?

until_true 600 no_jobs
collect trouble
[ $? -eq 1 ] && grep -qx "tests 4, passed 2, failed 2, lost 0" /tmp/said &&
	[ "$(for i in {0..3}; do starts trouble "$i"; done | xargs)" = "0 0 1 0 1 0 1" ]
rc=$?
[ $rc -eq 0 ] || logs trouble
grep -ho 'message="[^"]*"' "$HOME_DIR/results-trouble"/shard-*.xml | sed 's/^/# /'
result a_guest_that_hangs_costs_one_requeue $rc

# ---- what the collector is for ----

# spoilt COMMAND...: results that are spoilt by it have lost tests, and both are named.
spoilt() {
	rm -rf "$HOME_DIR/results-spoilt"
	cp -a "$HOME_DIR/results-suite" "$HOME_DIR/results-spoilt"
	(cd "$HOME_DIR/results-spoilt" && "$@")
	collect spoilt
	[ $? -eq 3 ] && grep -qx "tests 128, passed 126, failed 0, lost 2" /tmp/said &&
		grep -qx "lost: mkdir /tmp/mine # 6" /tmp/said
}
spoilt rm shard-5.xml && spoilt truncate -s -20 shard-5.xml &&
	spoilt sed -i '0,/^<testcase/{/^<testcase/d}' shard-5.xml && spoilt truncate -s 0 shard-5.xml
result a_shard_without_its_result_is_found $?

clean_both
result nothing_is_left $?

for name in "${!node[@]}"; do
	power_off "$name"
done
scontrol shutdown slurmctld
kill "$(cat /run/munge/munged.pid)"
[ "$failed" -eq 0 ]
