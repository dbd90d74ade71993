// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals of a run: SIGUSR1 writes statistics, SIGUSR2 reads the sizes of disks again,
 * SIGCONT takes the terminal again. Signals that end vmmctl are in host/ending.c.
 */
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "control/session.h"
#include "host/ending.h"

static int session_signal(void *arg)
{
	struct vmm_session *s = arg;
	struct signalfd_siginfo info;

	if (read(s->signal_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	switch (info.ssi_signo) {
	case SIGUSR1:
		if ((s->cfg->stats || s->cfg->stats_at) && !vmm_hold_devices(&s->steering.hold))
			vmm_stats_snapshot(s->steering.stats, &s->vm, "SIGUSR1");
		break;
	case SIGUSR2:
		if (!vmm_hold_devices(&s->steering.hold))
			vmm_board_command(&s->vm, NULL, "resize", NULL, NULL);
		break;
	}
	return 0;
}

static int session_continued(void *arg)
{
	struct vmm_session *s = arg;
	struct signalfd_siginfo info;

	if (read(s->cont_fd, &info, sizeof(info)) == sizeof(info))
		vmm_console_foreground(s->host.console);
	return 0;
}

static int session_ending(void *arg)
{
	(void)arg;
	return VMM_END_SIGNAL;
}

/**
 * vmm_session_signals - take signals as files of the loops
 * @s: @loop and @devices are set
 *
 * Called before any thread is created, because threads inherit the signal mask. SIGXFSZ is
 * ignored so that a limit on the size of files becomes an error of write(); SIGTTOU and
 * SIGTTIN are ignored so that the terminal does not stop vmmctl.
 *
 * Return: 0, or -errno after a message
 */
int vmm_session_signals(struct vmm_session *s)
{
	static const int ignored[] = { SIGPIPE, SIGXFSZ, SIGTTOU, SIGTTIN };
	sigset_t set, cont;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigemptyset(&cont);
	sigaddset(&cont, SIGCONT);
	sigprocmask(SIG_BLOCK, &cont, NULL);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	s->cont_fd = signalfd(-1, &cont, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal_fd < 0 || s->cont_fd < 0)
		return vmm_error(errno, "signalfd");
	/* SIGUSR1 and SIGUSR2 ask devices: they wait while a job has the devices. */
	if (vmm_loop_add(s->devices, s->signal_fd, session_signal, s) ||
	    vmm_loop_add(s->loop, s->cont_fd, session_continued, s))
		return -EIO;
	return vmm_ending_open(s->loop, session_ending, s);
}
