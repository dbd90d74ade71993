# SPDX-License-Identifier: GPL-2.0-only
#
# Reads KVM's trace from a START of ours to the guest's first write to a port, and prints
#
#	START <name> ns=N exits=N
#
# with the time that the one CPU was not idle, and the returns of KVM_RUN.

function now(	at) {
	if (!match($0, /[0-9]+\.[0-9]+: /))
		return 0
	return substr($0, RSTART, RLENGTH - 2) * 1000000
}

/tracing_mark_write: START/ {
	begin = now()
	since = 0
	next
}

!begin { next }

/ sched_switch: .* ==> next_comm=swapper/ { since = now() }

/ sched_switch: prev_comm=swapper/ && since {
	idle += now() - since
	since = 0
}

/ kvm_userspace_exit: / { exits++ }

/ kvm_pio: / {
	printf "START %s ns=%.0f exits=%d\n", name, (now() - begin - idle) * 1000, exits
	found = 1
	exit
}

END { exit !found }
