/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An SDK and an AVD for tests, in a temporary directory that the environment variables name.
 */
#ifndef TESTS_AVD_LIB_H
#define TESTS_AVD_LIB_H

#include "avd/avd.h"
#include "tests/tap.h"

#define SYSDIR	"sdk/system-images/android-34/default/abi"
#define CONTENT	"home/.android/avd/one.avd"

extern char avd_top[64];
extern char avd_message[4096];

void avd_begin(bool x86);
void avd_end(void);
void avd_folder(const char *folder);
void avd_write(const char *file, const char *text);
void avd_append(const char *file, const char *text);
void avd_sparse(const char *file, size_t size);
void avd_remove(const char *file);
bool avd_there(const char *file);
const char *avd_name(const char *file);
int avd_take(struct vmm_avd_options *options, char **words);
int avd_plan(struct vmm_avd_plan *plan, char **words);

/* The words of a command line, without the command's. */
#define WORDS(...)	((char *[]){ __VA_ARGS__, NULL })

#endif /* TESTS_AVD_LIB_H */
