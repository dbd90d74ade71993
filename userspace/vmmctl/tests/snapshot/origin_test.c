// SPDX-License-Identifier: GPL-2.0-only
/*
 * The origin of a VM, which is written for its snapshots, and the parts of a VM's answer that are
 * used in a manifest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/snapshot/snapshot_lib.h"
#include "tests/tap.h"

/* Writes and reads the origin; returns NULL if that is refused, with the reason in @said. */
static json_t *again(const struct vmm_config *cfg)
{
	char *text = vmm_origin_text(cfg);
	json_t *origin;

	hear();
	origin = text ? vmm_origin_parse(text, strlen(text)) : NULL;
	heard();
	free(text);
	return origin;
}

static json_t *of_words(const char *const *list)
{
	char *words[4];
	struct vmm_config cfg = {
		.words = words, .directory = "/home/u", .disk = { { .path = "a.img" } },
		.disks = 1,
	};

	for (; *list; list++)
		words[cfg.word_count++] = (char *)*list;
	return again(&cfg);
}

static json_t *of_word(const char *word)
{
	const char *const list[] = { word, NULL };

	return of_words(list);
}

static void words_are_written_down(void)
{
	static const char *const words[] = {
		"--kernel", "Image", "--append=x=/proc/self/fd/1", NULL
	};
	json_t *want = json_pack("{s:[{s:s, s:[s, s, s]}], s:[s]}", "layers", "directory",
				 "/home/u", "words", words[0], words[1], words[2], "images",
				 "a.img");
	json_t *origin = of_words(words);

	tap_check(json_equal(origin, want));
	json_decref(origin);
	json_decref(want);
}

static void a_text_that_is_none_is_said_when_it_is_saved(void)
{
	tap_check(!of_word("--kernel=\xff"));
	tap_check(strstr(said, "is no UTF-8"));
}

/* `vmmctl avd NAME -read-only` has such disks and such a RAM disk. */
static void files_of_this_run_only_are_refused(void)
{
	static const char *const bad[] = {
		"--disk=/proc/self/fd/7,slot=3", "--initrd=/proc/self/fd/12", "/proc/self/fd/3",
		"--disk=readonly,path=/proc/self/fd/7", "--config=/dev/fd/63",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		tap_context("%s", bad[i]);
		tap_check(!of_word(bad[i]));
		tap_check(strstr(said, "is a file of this run only"));
	}
}

static void what_is_no_origin_is_refused(void)
{
	static const char *const bad[] = {
		"", "{", "[]", "{}", "{\"layers\":[],\"images\":[]}", "{\"layers\":[{}]}",
		"{\"layers\":{},\"images\":[]}",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		tap_context("%s", bad[i]);
		hear();
		tap_check(!vmm_origin_parse(bad[i], strlen(bad[i])));
		heard();
		tap_check(strstr(said, "cannot be read"));
	}
}

static void an_answer_must_fit(void)
{
	static const char *const bad[] = {
		"{}", "{\"images\":[]}", "{\"images\":{}}", "{\"images\":[7]}",
		"{\"images\":[{},{}]}", "{\"images\":[{}],\"ram\":{\"base\":{}}}", "[]", "7",
	};
	json_t *origin = of_word("--cpus=1");
	const json_t *image;
	json_t *answer, *body;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		tap_context("%s", bad[i]);
		answer = json_loads(bad[i], JSON_DECODE_ANY, NULL);
		hear();
		tap_check(!vmm_origin_body(origin, answer));
		heard();
		tap_check(strstr(said, "does not fit"));
		json_decref(answer);
	}
	answer = json_loads("{\"images\":[{\"path\":\"b\",\"size\":1}],\"x\":1}", 0, NULL);
	body = vmm_origin_body(origin, answer);
	tap_check(body && json_object_size(body) == 2);
	image = json_array_get(json_object_get(body, "images"), 0);
	tap_check(!strcmp("a.img", json_string_value(json_object_get(image, "path"))));
	json_decref(body);
	json_decref(answer);
	json_decref(origin);
}

static const struct tap_case cases[] = {
	{ "words are written down", words_are_written_down },
	{ "a text that is none is said when it is saved",
	  a_text_that_is_none_is_said_when_it_is_saved },
	{ "files of this run only are refused", files_of_this_run_only_are_refused },
	{ "what is no origin is refused", what_is_no_origin_is_refused },
	{ "an answer must fit", an_answer_must_fit },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
