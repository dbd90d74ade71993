#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs one command in a freshly booted emulated host and ends with its exit
# code. The run also fails if the host panics, hangs, or logs a kernel splat.
#
#	tools/lab/run.sh [OPTION]... -- COMMAND ARGS...
#	tools/lab/run.sh [OPTION]... --shell
#
#	--host arm64|arm64-gicv2|arm64-pkvm|arm64-16k|x86_64
#				default arm64, which has a GICv3; arm64-pkvm: its KVM is
#				protected from the rest of the kernel, and it has one CPU;
#				arm64-16k: its kernel has pages of 16 KiB
#	--overlay DIR		lay DIR's files over the host's root; repeatable
#	--timeout SECONDS	of wall clock for the whole run (default 300)
#	--smp N			CPUs (default 2)
#	--mem SIZE		memory (default 2G)
#	--icount		one CPU whose clock counts instructions, for exact figures
#	--inject		x86_64: guests are kept from a fault of the emulator, which costs
#				each interrupt of theirs some instructions: tools/lab/inject/
#	--backports		x86_64: QEMU of Debian's backports, as --icount has it anyway
#	--threads		x86_64: a thread for each CPU, to try it; see below
#	--kernel-args ARGS	appended to the kernel's command line
#	--debian NAME		another kernel of Debian's, as kernels.txt calls it (arm64)
#	--kernel FILE		another kernel than Debian's; with --builtin one that
#				has all the host needs built in and loads no modules
#	--log FILE		keep the kernel's log there
#	--quiet			no summary line at the end
set -euo pipefail
. "$(dirname "$0")/lib.sh"

HERE=$RANCHU_TOP/tools/lab
HOST=arm64
OVERLAYS=()
TIMEOUT=300
SMP=2
MEM=2G
ICOUNT=0
INJECT=0
BACKPORTS=0
THREADS=0
ARGS=
KERNEL=
DEBIAN=
BUILTIN=
LOG=
SHELL_MODE=0
QUIET=0

usage() {
	sed -n '/^# Runs one/,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" >&2
	exit 2
}

while [ $# -gt 0 ]; do
	case $1 in
	--host) HOST=$2; shift ;;
	--overlay) OVERLAYS+=("$2"); shift ;;
	--timeout) TIMEOUT=$2; shift ;;
	--smp) SMP=$2; shift ;;
	--mem) MEM=$2; shift ;;
	--icount) ICOUNT=1; BACKPORTS=1 ;;
	--inject) INJECT=1 ;;
	--backports) BACKPORTS=1 ;;
	--threads) THREADS=1 ;;
	--kernel-args) ARGS=$2; shift ;;
	--debian) DEBIAN=$2; shift ;;
	--kernel) KERNEL=$2; shift ;;
	--builtin) BUILTIN=--builtin ;;
	--log) LOG=$2; shift ;;
	--shell) SHELL_MODE=1 ;;
	--quiet) QUIET=1 ;;
	--) shift; break ;;
	*) usage ;;
	esac
	shift
done
if [ "$SHELL_MODE" -eq 0 ] && [ $# -eq 0 ]; then
	usage
fi

case $HOST in
arm64|arm64-gicv2|arm64-pkvm|arm64-16k|x86_64) ;;
*) die "no host '$HOST': arm64, arm64-gicv2, arm64-pkvm, arm64-16k or x86_64" ;;
esac
ARCH=${HOST%-*}
DEBIAN=${DEBIAN:-$(host_kernel "$HOST")}
KERNELS=$RANCHU_CACHE${DEBIAN:+/kernels/$DEBIAN}
KERNEL=${KERNEL:-$KERNELS/vmlinuz-$ARCH}
MODULES=
[ -n "$BUILTIN" ] || MODULES=$(readlink -f "$KERNELS/modules-$ARCH")
BASE=$RANCHU_BUILD/lab/host-$ARCH${DEBIAN:+-$DEBIAN}$BUILTIN.cpio

[ -e "$KERNEL" ] || die "no kernel ${DEBIAN:+'$DEBIAN' }for $ARCH in the cache: run tools/lab/fetch.sh${DEBIAN:+ and kernels.sh}"

WORK=$(mktemp -d "${TMPDIR:-/tmp}/ranchu-lab.XXXXXX")
QEMU_PID=
WATCH_PID=
# Called by the trap below.
# shellcheck disable=SC2317
cleanup() {
	[ -z "$QEMU_PID" ] || kill "$QEMU_PID" 2>/dev/null || true
	[ -z "$WATCH_PID" ] || kill "$WATCH_PID" 2>/dev/null || true
	rm -rf "$WORK"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The base is packed again when one of its sources is newer.
make_base() {
	local input

	for input in host-init host-initrd.sh host-leaks host-vm.c inject/inject.c modules.txt; do
		if [ "$HERE/$input" -nt "$BASE" ]; then
			rm -f "$BASE"
		fi
	done
	# A symbolic link's own date says nothing: look at what it names.
	if [ ! -e "$BASE" ] || [ "$MODULES" != "$(cat "$BASE.kernel" 2>/dev/null)" ]; then
		"$HERE/host-initrd.sh" "$ARCH" "$BASE" "$MODULES"
		echo "$MODULES" > "$BASE.kernel"
	fi
}

quote() {
	local word

	for word; do
		printf "'%s' " "${word//\'/\'\\\'\'}"
	done
	echo
}

# The kernel takes several archives in a row as one file system.
make_initrd() {
	local dir

	cp "$BASE" "$WORK/initrd"
	for dir in ${OVERLAYS[@]+"${OVERLAYS[@]}"}; do
		[ -d "$dir" ] || die "no directory '$dir' to lay over the host's root"
		(cd "$dir" && find . | cpio -o -H newc -R 0:0 --quiet) >> "$WORK/initrd"
	done
	mkdir -p "$WORK/command/lab"
	quote "$@" > "$WORK/command/lab/command"
	(cd "$WORK/command" && find . | cpio -o -H newc -R 0:0 --quiet) >> "$WORK/initrd"
}

# shellcheck disable=SC2054 # the emulator likes commas
# Sets QEMU, the command line of the emulator.
qemu_command() {
	local accel=tcg,thread=multi append="panic=-1 panic_print=0 loglevel=5"

	case $HOST in
	arm64*)
		local gic=3
		[ "$HOST" != arm64-gicv2 ] || gic=2
		QEMU=(qemu-system-aarch64 -cpu max,pauth=off
		      -M "virt,virtualization=on,gic-version=$gic")
		# The others when nothing is patched any more: see host-vm.c.
		append+=" console=ttyAMA0 maxcpus=1"
		# Its KVM lets no CPU come later.
		[ "$HOST" != arm64-pkvm ] || { append+=" kvm-arm.mode=protected"; SMP=1; }
		;;
	x86_64)
		QEMU=(qemu-system-x86_64)
		# Debian 12's QEMU, 7.2, with a clock that counts instructions came to a
		# point from which on it ran none: a guest with two CPUs, nested.
		[ "$BACKPORTS" -eq 0 ] || mapfile -t QEMU < <(GUEST_ARCH=$(uname -m) \
			"$HERE/program.sh" --here qemu-system-x86_64 | tr -s ' ' '\n')
		QEMU+=(-M q35 -cpu max,+svm,+npt)
		append+=" console=ttyS0"
		# A kernel that patches itself (KVM's static keys, with each first
		# and last VM) puts a breakpoint there for a moment. With a thread
		# for each CPU the emulator now and then runs into one that is
		# gone already: "Oops: int3" in __schedule, seen on a loaded machine.
		[ "$THREADS" -eq 1 ] || accel=tcg,thread=single
		;;
	esac

	if [ "$ICOUNT" -eq 1 ]; then
		accel=tcg,thread=single
		SMP=1
		QEMU+=(-icount "shift=0,sleep=off")
		# What the boot left to do would be counted as the command's.
		append+=" lab.settle=3"
	fi
	[ "$INJECT" -eq 0 ] || append+=" lab.inject=yes"
	[ "$SHELL_MODE" -eq 0 ] || append+=" lab.mode=shell"

	QEMU+=(-accel "$accel" -smp "$SMP" -m "$MEM" -nodefaults -display none
	       -no-reboot -kernel "$KERNEL" -initrd "$WORK/initrd"
	       -append "$append $ARGS")
	if [ "$SHELL_MODE" -eq 1 ]; then
		QEMU+=(-serial mon:stdio)
	else
		QEMU+=(-serial "file:$WORK/log" -device virtio-serial-pci
		       -chardev "file,id=out,path=$WORK/out"
		       -device "virtserialport,chardev=out,name=out"
		       -chardev "file,id=status,path=$WORK/status"
		       -device "virtserialport,chardev=status,name=status"
		       -chardev "pipe,id=monitor,path=$WORK/monitor" -mon monitor)
	fi
}

# A CPU of the host that answers nobody: where it is, only the emulator can say; three
# times, to tell a loop. Nothing is to be had from such a host any more.
keep_registers() {
	until grep -qE 'detected stalls|hard LOCKUP' "$WORK/log"; do
		sleep 5
	done
	for _ in 1 2 3; do
		echo 'info registers -a' >&5
		timeout 2 cat <&6 || true
	done > "$WORK/registers"
	echo quit >&5
}

show_log() {
	{
		if [ -s "$WORK/registers" ]; then
			echo "--- the CPUs' registers when one had stalled:"
			tr -d '\r' < "$WORK/registers" | grep -aE '^(CPU|EIP|RIP|R..=| *PC=| *X[0-9]|PSTATE)' || true
		fi
		echo "--- the host's kernel log, last 120 lines:"
		tail -n 120 "$WORK/log" | tr -d '\r'
		echo "--- end of the log"
	} >&2
}

fail() {
	show_log
	die "$1"
}

mkdir -p "$RANCHU_BUILD/lab"
(flock 8; make_base) 8>"$RANCHU_BUILD/lab/lock"
make_initrd "$@"
qemu_command

if [ "$SHELL_MODE" -eq 1 ]; then
	"${QEMU[@]}"
	exit
fi

mkfifo "$WORK/out"
cat "$WORK/out" &
CAT_PID=$!
# Held open here, so that the reader sees the end only when we say so.
exec 7>"$WORK/out"
mkfifo "$WORK/monitor.in" "$WORK/monitor.out"
exec 5<>"$WORK/monitor.in" 6<>"$WORK/monitor.out"
: > "$WORK/log"
keep_registers >/dev/null 2>&1 7>&- &
WATCH_PID=$!
start=$SECONDS
rc=0
# timeout(1) sits on the emulator itself: a child of a killed script lives on.
timeout -k 5 "$TIMEOUT" "${QEMU[@]}" </dev/null 5>&- 6>&- 7>&- &
QEMU_PID=$!
wait "$QEMU_PID" || rc=$?
QEMU_PID=
exec 7>&-
kill "$WATCH_PID" 2>/dev/null || true
WATCH_PID=
wait "$CAT_PID" || true
took=$((SECONDS - start))
[ -z "$LOG" ] || tr -d '\r' < "$WORK/log" > "$LOG"

splats=$(tr -d '\r' < "$WORK/log" | grep -E -f "$HERE/splats.txt" || true)
status=$(cat "$WORK/status" 2>/dev/null || true)

if [ "$rc" -eq 124 ] || [ "$rc" -eq 137 ]; then
	fail "host $HOST: no end after $TIMEOUT seconds"
elif [ "$rc" -ne 0 ]; then
	fail "host $HOST: the emulator ended with exit code $rc"
elif [ -z "$status" ]; then
	fail "host $HOST: died before the command ended${splats:+: $(head -n 1 <<<"$splats")}"
elif [ -n "$splats" ]; then
	fail "host $HOST: the kernel complained: $(head -n 1 <<<"$splats")"
fi
[ "$QUIET" -eq 1 ] || say "host $HOST: exit code $status after $took s"
exit "$status"
