// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints what is generated from the option tables when vmmctl is built. It runs on the build
 * machine, also if vmmctl is built for another one.
 *
 *	docgen man VERSION | docgen bash
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/option.h"
#include "host/log.h"

/* For the link only: functions that parse options report errors, and none is called here. */
int vmm_error(int err, const char *fmt, ...)
{
	(void)fmt;
	return err > 0 ? -err : err;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "man"))
		vmm_help_man(stdout, argv[2]);
	else if (argc == 2 && !strcmp(argv[1], "bash"))
		vmm_help_bash(stdout);
	else
		return EXIT_FAILURE;
	return ferror(stdout) || fclose(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
