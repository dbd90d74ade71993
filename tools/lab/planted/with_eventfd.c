// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a command that has an eventfd as its file 3, which a shell cannot make:
 *
 *	with_eventfd COMMAND...
 */
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = eventfd(0, 0);

	if (argc < 2 || fd < 0 || dup2(fd, 3) != 3) {
		perror("with_eventfd");
		return 1;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 1;
}
