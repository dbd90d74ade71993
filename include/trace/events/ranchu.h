/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ranchu

#if !defined(_TRACE_RANCHU_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_RANCHU_H

#include <linux/tracepoint.h>

/* A doorbell was rung; in the thread that rang. */
TRACE_EVENT(ranchu_kick,
	TP_PROTO(const void *target, bool foreign),
	TP_ARGS(target, foreign),
	TP_STRUCT__entry(
		__field(const void *, target)
		__field(bool, foreign)
	),
	TP_fast_assign(
		__entry->target = target;
		__entry->foreign = foreign;
	),
	TP_printk("target=%p foreign=%d", __entry->target, __entry->foreign)
);

/* A device command has run. */
TRACE_EVENT(ranchu_command,
	TP_PROTO(const void *device, u32 id, u32 cmd, int status),
	TP_ARGS(device, id, cmd, status),
	TP_STRUCT__entry(
		__field(const void *, device)
		__field(u32, id)
		__field(u32, cmd)
		__field(int, status)
	),
	TP_fast_assign(
		__entry->device = device;
		__entry->id = id;
		__entry->cmd = cmd;
		__entry->status = status;
	),
	TP_printk("device=%p id=%u cmd=%u status=%d", __entry->device,
		  __entry->id, __entry->cmd, __entry->status)
);

/* An object is to be announced to the guest. */
TRACE_EVENT(ranchu_signal,
	TP_PROTO(const void *device, u32 id, u32 flags),
	TP_ARGS(device, id, flags),
	TP_STRUCT__entry(
		__field(const void *, device)
		__field(u32, id)
		__field(u32, flags)
	),
	TP_fast_assign(
		__entry->device = device;
		__entry->id = id;
		__entry->flags = flags;
	),
	TP_printk("device=%p id=%u flags=%#x", __entry->device, __entry->id,
		  __entry->flags)
);

DECLARE_EVENT_CLASS(ranchu_line,
	TP_PROTO(const void *line),
	TP_ARGS(line),
	TP_STRUCT__entry(
		__field(const void *, line)
	),
	TP_fast_assign(
		__entry->line = line;
	),
	TP_printk("line=%p", __entry->line)
);

/* A batch was published and the line goes high. */
DEFINE_EVENT(ranchu_line, ranchu_raise,
	TP_PROTO(const void *line),
	TP_ARGS(line)
);

/* The guest has ended the interrupt. */
DEFINE_EVENT(ranchu_line, ranchu_resample,
	TP_PROTO(const void *line),
	TP_ARGS(line)
);

#endif /* _TRACE_RANCHU_H */

#include <trace/define_trace.h>
