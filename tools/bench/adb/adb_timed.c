// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a command and prints what it cost, what meter_print() prints behind the
 * label:
 *
 *	adb_timed LABEL WATCHED COMMAND [ARG]...
 *
 * Ends as the command does; one that failed has no line.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adb_bench.h"

int main(int argc, char **argv)
{
	struct meter m;
	int status;
	pid_t pid;

	if (argc < 4) {
		fputs("usage: adb_timed LABEL WATCHED COMMAND [ARG]...\n", stderr);
		return 2;
	}
	meter_start(&m, argv[2]);
	pid = fork();
	if (!pid) {
		execvp(argv[3], argv + 3);
		perror(argv[3]);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0) {
		perror("adb_timed");
		return 1;
	}
	meter_stop(&m, argv[2]);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	printf("%s ", argv[1]);
	meter_print(&m);
	return 0;
}
