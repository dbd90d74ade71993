# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Shared by the benchmarks' parts inside an emulated host (busybox's sh): what differs
# between the boards. Sourced, never run.
#
#	linux_args	the start of a guest's command line
#	qemu		Debian's QEMU, with a machine like the board
#	loader		what loads a program of Debian's

# shellcheck disable=SC2034 # for whoever has sourced this
case $(uname -m) in
x86_64)
	# tools/ci/host-lib.sh says why.
	linux_args="console=ttyS0 noxsave pci=noearly quiet panic=-1"
	qemu="qemu-system-x86_64 -M pc"
	loader=lib64/ld-linux-x86-64.so.2
	triplet=x86_64-linux-gnu
	;;
*)
	linux_args="console=ttyAMA0 quiet panic=-1"
	qemu="qemu-system-aarch64 -M virt,gic-version=3"
	loader=lib/ld-linux-aarch64.so.1
	triplet=aarch64-linux-gnu
	;;
esac

# libraries ROOT: where a program of Debian's that is unpacked there has its own.
libraries() {
	echo "$1/lib/$triplet:$1/usr/lib/$triplet"
}
