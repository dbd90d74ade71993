# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Shared by the lab's scripts: where the cache is, how messages look, and the
# two names that each architecture has. Sourced, never run.

RANCHU_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
RANCHU_CACHE=${RANCHU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ranchu}
RANCHU_BUILD=${RANCHU_BUILD:-$RANCHU_TOP/build}
# Read by the scripts that source this one.
export RANCHU_TOP RANCHU_CACHE RANCHU_BUILD

say() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die() {
	say "$*"
	exit 1
}

# Debian's name of an architecture that the kernel's tools call $1.
debian_arch() {
	case $1 in
	arm64|aarch64) echo arm64 ;;
	x86_64|amd64) echo amd64 ;;
	*) die "unknown architecture '$1'" ;;
	esac
}

# The name that uname and this tree's build directories use.
kernel_arch() {
	case $1 in
	arm64|aarch64) echo arm64 ;;
	x86_64|amd64) echo x86_64 ;;
	*) die "unknown architecture '$1'" ;;
	esac
}

# Runs "$@", printing the seconds it took and a dot of life every ten seconds;
# its own output goes to the log file $2 and is shown if it fails.
long_step() {
	local what=$1 log=$2 start=$SECONDS next=15 pid rc=0
	shift 2

	say "$what ..."
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	# A background job does not hear Ctrl-C by itself.
	# shellcheck disable=SC2064 # the pid of now
	trap "kill $pid 2>/dev/null; exit 130" INT TERM
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		if (( (SECONDS - start) >= next )); then
			say "  ... $what: $((SECONDS - start)) s so far"
			next=$((next + 15))
		fi
	done
	wait "$pid" || rc=$?
	trap - INT TERM
	if [ "$rc" -ne 0 ]; then
		tail -n 40 "$log" >&2
		say "$what: failed with exit code $rc, log: $log"
		return "$rc"
	fi
	say "  $what: $((SECONDS - start)) s"
}

# host_kernel HOST: what kernels.txt calls the kernel of a host whose kernel is not the
# lab's own.
host_kernel() {
	case $1 in
	arm64-16k) echo 6.12-16k ;;
	esac
}

# host_options HOST: of an emulated host that boots guests. Sets HOST, HOST_OPTIONS for
# run.sh, GUEST_ARCH for the scripts that pack a guest, TRANSPORT, the module of the
# guest's virtio devices, and QEMU_SYSTEM, which has a machine like the board.
# shellcheck disable=SC2034 # for whoever calls
host_options() {
	HOST=$1
	HOST_OPTIONS=(--host "$HOST")
	GUEST_ARCH=${HOST%-*}
	case $GUEST_ARCH in
	arm64)
		TRANSPORT=virtio_mmio
		QEMU_SYSTEM=qemu-system-aarch64
		;;
	x86_64)
		TRANSPORT=virtio_pci
		QEMU_SYSTEM=qemu-system-x86_64
		# Its CPUs would take turns anyhow, and with a clock that counts instructions
		# no limit of time depends on how busy the machine is.
		# That clock brings out a fault of the emulator.
		HOST_OPTIONS+=(--icount --inject)
		;;
	*) die "no host '$HOST': arm64, arm64-gicv2, arm64-16k or x86_64" ;;
	esac
	export GUEST_ARCH
}

# The prefix of the tools that build for $1 on this machine.
cross_prefix() {
	if [ -n "${CROSS_COMPILE:-}" ]; then
		echo "$CROSS_COMPILE"
	elif [ "$1" != "$(kernel_arch "$(uname -m)")" ]; then
		case $1 in
		arm64) echo aarch64-linux-gnu- ;;
		x86_64) echo x86_64-linux-gnu- ;;
		esac
	fi
}

# module_files MODULES NAME: the module's files below a kernel's directory MODULES,
# in the order in which they must be loaded.
module_files() {
	awk -v want="${2//-/_}" '
	{
		file = $1
		sub(":$", "", file)
		name = file
		sub(".*/", "", name)
		sub("\\.ko.*", "", name)
		gsub("-", "_", name)
		if (name != want)
			next
		# depmod lists what is needed with the deepest need last.
		for (i = NF; i > 1; i--)
			print $i
		print file
		found = 1
	}
	END { exit !found }' "$1/modules.dep" || die "${1##*/} has no module $2"
}

# module_builtin MODULES NAME: the kernel has it built in.
module_builtin() {
	sed 's|.*/||; s|\.ko$||; s|-|_|g' "$1/modules.builtin" | grep -x "${2//-/_}" >/dev/null
}

# module_there MODULES NAME: the kernel has such a module.
module_there() {
	sed 's|:.*||; s|.*/||; s|\.ko.*||; s|-|_|g' "$1/modules.dep" | grep -x "${2//-/_}" >/dev/null
}

# Runs "$@", which builds what others may want as well: one at a time.
build_alone() {
	mkdir -p "$RANCHU_BUILD"
	(flock 9; "$@" 9>&-) 9>"$RANCHU_BUILD/lock"
}
