// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control socket as its clients see it: greeting, answers, events, and every
 * command of the table.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/steering.h"
#include "tests/control/control_lib.h"
#include "tests/tap.h"

/* Checks that the answer to a line is this JSON. */
/* Checks the beginning of an answer. */
#define REFUSED(class, desc)	"{\"error\":{\"class\":\"" class "\",\"desc\":\"" desc "\"}"

static void answered(struct ctl *ctl, int fd, const char *line, const char *want)
{
	json_t *wanted = json_loads(want, 0, NULL);
	json_t *got;

	tap_context("%s", line);
	ctl_say(fd, line);
	ctl_say(fd, "\n");
	got = ctl_hear(ctl, fd);
	if (!tap_check(json_equal(got, wanted)) && got) {
		fputs("# it said ", stdout);
		json_dumpf(got, stdout, JSON_COMPACT);
		putchar('\n');
	}
	tap_context("%s", "");
	json_decref(got);
	json_decref(wanted);
}

static void commands_are_answered(void)
{
	struct ctl ctl;
	int fd;

	if (!ctl_open(&ctl))
		return;
	fd = ctl_connect(&ctl);
	answered(&ctl, fd, "{\"execute\":\"qmp_capabilities\"}", "{\"return\":{}}");
	answered(&ctl, fd, "{\"execute\":\"status\",\"id\":7}",
		 "{\"return\":{\"name\":\"one\",\"status\":\"running\"},\"id\":7}");
	answered(&ctl, fd, "{\"execute\":\"pause\",\"arguments\":{}}", "{\"return\":{}}");
	answered(&ctl, fd, "{\"execute\":\"query-status\",\"id\":{\"a\":[1]}}",
		 "{\"return\":{\"name\":\"one\",\"status\":\"paused\"},\"id\":{\"a\":[1]}}");
	answered(&ctl, fd, "{\"execute\":\"resume\"}", "{\"return\":{}}");
	tap_check(!ctl.paused);
	answered(&ctl, fd, "{\"execute\":\"reset\"}", "{\"return\":{}}");
	tap_equal(ctl.resets, 1);
	answered(&ctl, fd, "{\"execute\":\"stop\"}", "{\"return\":{}}");
	tap_equal(ctl.ended, VMM_CONTROL_STOP);
	answered(&ctl, fd, "{\"execute\":\"kill\"}", "{\"return\":{}}");
	tap_equal(ctl.ended, VMM_CONTROL_KILL);
	answered(&ctl, fd, "{\"execute\":\"quit\"}", "{\"return\":{}}");
	tap_equal(ctl.ended, VMM_CONTROL_QUIT);
	close(fd);
	ctl_close(&ctl);
}

static void mistakes_are_named(void)
{
	struct ctl ctl;
	int fd;

	if (!ctl_open(&ctl))
		return;
	fd = ctl_connect(&ctl);
	answered(&ctl, fd, "{\"execute\":\"fly\",\"id\":1}",
		 REFUSED("CommandNotFound", "there is no command \\\"fly\\\"") ",\"id\":1}");
	answered(&ctl, fd, "{\"execute\":\"stop\",\"arguments\":{\"now\":true}}",
		 REFUSED("GenericError", "stop has no argument \\\"now\\\"") "}");
	answered(&ctl, fd, "{\"execute\":\"stop\",\"arguments\":[]}",
		 REFUSED("GenericError", "\\\"arguments\\\" is an object") "}");
	answered(&ctl, fd, "{\"execute\":3,\"id\":\"x\"}",
		 REFUSED("GenericError", "a request has an \\\"execute\\\", which is a string")
		 ",\"id\":\"x\"}");
	answered(&ctl, fd, "[]", REFUSED("GenericError", "a request is a JSON object") "}");
	answered(&ctl, fd, "{\"execute\":\"resume\"}",
		 REFUSED("GenericError", "the VM is running already") "}");
	tap_equal(ctl.ended, -1);
	close(fd);
	ctl_close(&ctl);
}

static void all_commands_are_listed(void)
{
	static const char *const must[] = {
		"status", "stop", "kill", "pause", "resume", "reset", "stats", "quit",
		"query-commands", "metrics",
	};
	json_t *answer;
	json_t *row;
	struct ctl ctl;
	unsigned int k;
	size_t i;
	int fd;

	if (!ctl_open(&ctl))
		return;
	fd = ctl_connect(&ctl);
	ctl_say(fd, "{\"execute\":\"query-commands\"}\n");
	answer = ctl_hear(&ctl, fd);
	for (k = 0; k < ARRAY_SIZE(must); k++) {
		bool found = false;

		json_array_foreach(json_object_get(answer, "return"), i, row)
			found |= !strcmp(json_string_value(json_object_get(row, "name")), must[k]);
		tap_context("%s", must[k]);
		tap_check(found);
	}
	json_decref(answer);
	close(fd);
	ctl_close(&ctl);
}

static void prometheus_reads_metrics(void)
{
	static const char want[] =
		"vmmctl_vm_exits{vm=\"one\"} 7\n"
		"vmmctl_devices_reads{vm=\"one\",device=\"uart\"} 1\n"
		"vmmctl_devices_reads{vm=\"one\",device=\"pipe\"} 3\n"
		"vmmctl_devices_writes{vm=\"one\",device=\"uart\"} 2\n";
	json_t *answer;
	const char *text;
	struct ctl ctl;
	int fd;

	if (!ctl_open(&ctl))
		return;
	fd = ctl_connect(&ctl);
	ctl_say(fd, "{\"execute\":\"metrics\"}\n");
	answer = ctl_hear(&ctl, fd);
	text = json_string_value(json_object_get(json_object_get(answer, "return"), "text"));
	tap_check(text && !strcmp(text, want));
	json_decref(answer);
	close(fd);
	ctl_close(&ctl);
}

static void events_go_to_who_asked(void)
{
	struct ctl ctl;
	json_t *event;
	json_t *stamp;
	int asked;
	int other;

	if (!ctl_open(&ctl))
		return;
	asked = ctl_connect(&ctl);
	other = ctl_connect(&ctl);
	answered(&ctl, asked, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[]}}",
		 "{\"return\":{}}");
	vmm_control_event(ctl.control, "RESET", json_pack("{s:b}", "guest", 1));
	event = ctl_hear(&ctl, asked);
	tap_check(event && !strcmp(json_string_value(json_object_get(event, "event")), "RESET"));
	tap_check(json_is_true(json_object_get(json_object_get(event, "data"), "guest")));
	stamp = json_object_get(event, "timestamp");
	tap_check(json_integer_value(json_object_get(stamp, "seconds")) > 1700000000);
	tap_check(json_integer_value(json_object_get(stamp, "microseconds")) < 1000000);
	json_decref(event);
	tap_check(!ctl_hear(&ctl, other));
	close(asked);
	close(other);
	ctl_close(&ctl);
}

/* A late answer delays later ones of the same client, and no other client. */
static void answers_may_come_later(void)
{
	struct vmm_answer answer = { 0 };
	struct ctl ctl;
	json_t *heard;
	int other;
	int fd;

	if (!ctl_open(&ctl))
		return;
	ctl.later = true;
	fd = ctl_connect(&ctl);
	other = ctl_connect(&ctl);
	ctl_say(fd, "{\"execute\":\"pause\",\"id\":1}\n{\"execute\":\"query-name\",\"id\":2}\n");
	tap_check(!ctl_hear(&ctl, fd));
	answered(&ctl, other, "{\"execute\":\"query-name\"}", "{\"return\":{\"name\":\"one\"}}");
	vmm_control_answer(ctl.control, ctl.call, &answer);
	heard = ctl_hear(&ctl, fd);
	tap_equal(json_integer_value(json_object_get(heard, "id")), 1);
	json_decref(heard);
	heard = ctl_hear(&ctl, fd);
	tap_equal(json_integer_value(json_object_get(heard, "id")), 2);
	json_decref(heard);
	/* The client may hang up meanwhile. */
	ctl_say(fd, "{\"execute\":\"resume\"}\n");
	ctl_serve(&ctl);
	close(fd);
	ctl_serve(&ctl);
	vmm_control_answer(ctl.control, ctl.call, &answer);
	answered(&ctl, other, "{\"execute\":\"query-name\"}", "{\"return\":{\"name\":\"one\"}}");
	close(other);
	ctl_close(&ctl);
}

/* As `echo ... | socat - UNIX-CONNECT:...` does it. */
static void last_words_are_answered(void)
{
	struct ctl ctl;
	json_t *heard;
	int fd;

	if (!ctl_open(&ctl))
		return;
	fd = ctl_connect(&ctl);
	ctl_say(fd, "\r\n{\"execute\":\"reset\"}\r\n{\"execute\":\"stop\"}");
	tap_check(!shutdown(fd, SHUT_WR));
	heard = ctl_hear(&ctl, fd);
	tap_check(json_object_get(heard, "return"));
	json_decref(heard);
	heard = ctl_hear(&ctl, fd);
	tap_check(json_object_get(heard, "return"));
	json_decref(heard);
	tap_equal(ctl.resets, 1);
	tap_equal(ctl.ended, VMM_CONTROL_STOP);
	tap_check(ctl_hung_up(&ctl, fd));
	close(fd);
	ctl_close(&ctl);
}

/* ---- how the VM ends ---- */

/* The next line has to be the event SHUTDOWN for this reason. */
static void shutdown_is_told(struct ctl *ctl, int fd, const char *reason)
{
	json_t *event = ctl_hear(ctl, fd);
	const char *name = json_string_value(json_object_get(event, "event"));
	json_t *data = json_object_get(event, "data");
	const char *why = json_string_value(json_object_get(data, "reason"));

	tap_check(name && !strcmp(name, "SHUTDOWN"));
	tap_check(why && !strcmp(why, reason));
	tap_check(json_is_false(json_object_get(data, "guest")));
	json_decref(event);
}

static int client_of_events(struct ctl *ctl)
{
	int fd = ctl_connect(ctl);

	ctl_say(fd, "{\"execute\":\"qmp_capabilities\"}\n");
	json_decref(ctl_hear(ctl, fd));
	return fd;
}

/* A reset after which no guest can be started, and a normal one. */
static void the_end_is_told_once(void)
{
	static const struct vmm_config cfg = { .name = "told" };
	struct vmm_steering s = { .cfg = &cfg, .every_fd = -1, .boot_fd = -1 };
	struct ctl ctl = { .tick_fd = vmm_event_create() };
	char dir[] = "/tmp/vmmctl-steering-XXXXXX";
	json_t *event;
	int fd;

	if (!tap_check(mkdtemp(dir)))
		return;
	setenv("XDG_RUNTIME_DIR", dir, 1);
	ctl.loop = vmm_loop_create();
	s.loop = ctl.loop;
	s.devices = ctl.loop;
	snprintf(ctl.path, sizeof(ctl.path), "%s/ranchu/told/control.sock", dir);
	if (tap_equal(vmm_steering_open(&s), 0)) {
		fd = client_of_events(&ctl);
		vmm_steering_end(&s, VMM_END_RESET);
		event = ctl_hear(&ctl, fd);
		tap_check(!strcmp(json_string_value(json_object_get(event, "event")) ?: "",
				  "RESET"));
		json_decref(event);
		/* The guest is not started again. */
		vmm_steering_over(&s, VMM_END_ERROR);
		shutdown_is_told(&ctl, fd, "error");
		vmm_steering_over(&s, VMM_END_ERROR);
		tap_check(!ctl_hear(&ctl, fd));
		close(fd);
		vmm_steering_close(&s);
	}
	s.shut_down = false;
	if (tap_equal(vmm_steering_open(&s), 0)) {
		fd = client_of_events(&ctl);
		vmm_steering_end(&s, VMM_END_ASKED);
		shutdown_is_told(&ctl, fd, "quit");
		vmm_steering_over(&s, VMM_END_ASKED);
		tap_check(!ctl_hear(&ctl, fd));
		close(fd);
		vmm_steering_close(&s);
	}
	tap_equal(vmm_steering_exit(VMM_END_ASKED), 0);
	close(ctl.tick_fd);
	vmm_loop_destroy(ctl.loop);
	snprintf(ctl.path, sizeof(ctl.path), "%s/ranchu", dir);
	rmdir(ctl.path);
	tap_check(!rmdir(dir));
}

static const struct tap_case cases[] = {
	{ "every command is answered, with the request's id", commands_are_answered },
	{ "what is wrong with a request is said", mistakes_are_named },
	{ "all commands are listed", all_commands_are_listed },
	{ "metrics are text for Prometheus", prometheus_reads_metrics },
	{ "events go to those who asked, with the time", events_go_to_who_asked },
	{ "an answer may come later", answers_may_come_later },
	{ "what was sent before hanging up is answered", last_words_are_answered },
	{ "the end of a VM is told once, whatever it was", the_end_is_told_once },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
