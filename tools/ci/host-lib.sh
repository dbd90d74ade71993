# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Shared by the scripts that boot stock guests inside an emulated host (busybox's sh)
# and print KTAP. Sourced, never run.

number=0
failed=0
console=/tmp/console
: > "$console"

# The start of a stock guest's command line. A quarter of its boot goes to certificates
# for its modules, self tests of a noise source and of tracing, and types for BPF.
linux_args="quiet panic=-1 initcall_blacklist=load_system_certificate_list,\
jent_mod_init,init_kprobe_trace,bpf_tcp_ca_kfunc_init,bpf_dummy_struct_ops_init"
# QEMU's x86 CPU lets a nested guest set XCR0 unseen by KVM, and a scan of 256 PCI buses
# that are not there is 32 768 exits.
arch=$(uname -m)
case $arch in
x86_64) linux_args="console=ttyS0 noxsave pci=noearly $linux_args" ;;
*) linux_args="console=ttyAMA0 $linux_args" ;;
esac
# Debian's QEMU, and a machine of its own that is like the board: it has a PCI bus.
case $arch in
x86_64) qemu="qemu-system-x86_64 -M pc" ;;
*) qemu="qemu-system-aarch64 -M virt,gic-version=3" ;;
esac

# $RANCHU_DOORBELL is how ranchu.ko serves doorbells, if not as it would by itself.
load_modules() {
	while read -r module; do
		parameters=
		[ "$module" != ranchu ] || parameters=${RANCHU_DOORBELL:+doorbell=$RANCHU_DOORBELL}
		# shellcheck disable=SC2086 # none, or one word
		insmod "/ranchu/modules/$module.ko" $parameters || exit 1
	done < /ranchu/modules/order
}

# kselftests TEST...: their report, nested in that of result, which comes next. Leaves
# it in /tmp/tests as well.
kselftests() {
	(cd /ranchu/tests && RANCHU_MODULES=/ranchu/modules sh ./run_all.sh "$@") > /tmp/tests
	code=$?
	sed 's/^/    /' /tmp/tests
	return "$code"
}

unload_modules() {
	tac /ranchu/modules/order | xargs rmmod
}

# serve KIND: a service of the pipe behind /tmp/KIND. $PEERS are their processes.
PEERS=
serve() {
	/ranchu/tests/pipe_peer "$1" "/tmp/$1" > "/tmp/$1.log" 2>&1 &
	PEERS="$PEERS $!"
	while ! grep -q '^pipe_peer: ' "/tmp/$1.log"; do
		sleep 1
	done
}

# result NAME 0|1
result() {
	number=$((number + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $number $1"
	else
		sed 's/^/# /' "$console"
		echo "not ok $number $1"
		failed=$((failed + 1))
	fi
}

# skipped NAME WHY: there is no such thing on this board.
skipped() {
	number=$((number + 1))
	echo "ok $number $1 # SKIP $2"
}

# What runs vmmctl: nothing, or a program that is given its command line.
runner=

# boot COMMAND OPTION...: runs COMMAND in a guest, which has five minutes. $kernel is
# another than the host's copy of the guest's Image.
boot() {
	command=$1
	shift
	# shellcheck disable=SC2086 # none, or words
	timeout 300 $runner vmmctl run --kernel "${kernel:-/ranchu/guest/Image}" \
		--initrd /ranchu/guest/initrd.cpio --memory 512M --append "$linux_args ranchu.run=\"$command\"" \
		"$@" </dev/null 2>&1 | tr -d '\r' > "$console"
}

# each PROGRAM COMMANDS: a line for a shell that runs each of COMMANDS, whose words are
# joined by colons, by PROGRAM.
each() {
	line=
	for command in $2; do
		line="${line:+$line && }$1 $(echo "$command" | tr : ' ')"
	done
	echo "$line"
}

# boot_each PROGRAM COMMANDS OPTION...: boot with that line.
boot_each() {
	run=$(each "$1" "$2")
	shift 2
	boot "$run" "$@"
}

printed() {
	grep -q "$1" "$console"
}

# appears N TEXT: the console has it N times.
appears() {
	[ "$(grep -c "$2" "$console")" -eq "$1" ]
}

# at SLOT: for --disk. Disks are to be given in the order of falling slots, so that Linux
# finds the last one first on each board: the first one has the highest MMIO transport.
at() {
	[ "$arch" != x86_64 ] || echo ",slot=$1"
}

# What the guest has printed behind "NAME WHAT ".
said() {
	sed -n "s/^$1 \([0-9a-f]*\).*/\1/p" "$console" | tail -n 1
}

sum() {
	sha256sum < "$1" | cut -c 1-64
}

# waits_for N TEXT PID: until the console has it N times, or PID has ended.
waits_for() {
	while [ "$(grep -c "$2" "$console")" -lt "$1" ] && kill -0 "$3" 2>/dev/null; do
		sleep 1
	done
	[ "$(grep -c "$2" "$console")" -ge "$1" ]
}

# counted LABEL DEVICE: reads and writes that had exited by then.
counted() {
	sed -n "s/.*\"label\":\"$1\".*\"$2\":{\"reads\":\([0-9]*\),\"writes\":\([0-9]*\)}.*/\1 \2/p" \
		/tmp/stats
}

# virtio_counted LABEL: reads and writes that had exited by then, of whatever the board
# has virtio devices behind.
virtio_counted() {
	for device in virtio_mmio pci pci_ports pci_memory; do
		counted "$1" $device
	done | awk '{ reads += $1; writes += $2 } END { if (NR) print reads, writes }'
}

# host_page: bytes of a page of this host's.
host_page() {
	awk '$1 == "KernelPageSize:" { print 1024 * $2; exit }' /proc/self/smaps
}

# has_window: its pages are small enough for the register window.
has_window() {
	[ "$(host_page)" -eq 4096 ]
}

# no_exits BEGIN END: there is none between the two, which virtio_counted has given;
# without a window reads exit, and writes do not.
no_exits() {
	[ -n "$1" ] || return 1
	if has_window; then
		[ "$1" = "$2" ]
	else
		[ "${1#* }" = "${2#* }" ]
	fi
}

# doctor_is_content: it finds nothing missing, but for a register window where pages are
# too large for one.
doctor_is_content() {
	vmmctl doctor > "$console" 2>&1
	code=$?
	! has_window || return "$code"
	[ "$code" -eq 1 ] && appears 1 MISSING &&
		printed "MISSING *The host's pages of $(host_page) bytes allow no"
}

# refuses TEXT OPTION...: vmmctl ends with 1 and one line that has TEXT, beside what it
# says on any host with larger pages.
refuses() {
	text=$1
	shift
	# shellcheck disable=SC2086 # none, or words
	timeout 60 $runner vmmctl run --kernel /ranchu/guest/Image --memory 128M "$@" \
		</dev/null > /tmp/refused 2>&1
	code=$?
	sed 's/^/# /' /tmp/refused
	[ "$code" -eq 1 ] && grep -q -e "$text" /tmp/refused &&
		[ "$(grep -vc '^vmmctl: no register window' /tmp/refused)" -eq 1 ]
}
