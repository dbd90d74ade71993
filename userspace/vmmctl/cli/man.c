// SPDX-License-Identifier: GPL-2.0-only
/*
 * The manual page vmmctl(1), made from the option tables.
 */
#include <string.h>

#include "avd/options.h"
#include "cli/option.h"

/* Prints text with roff's special characters quoted; two newlines begin a paragraph. */
static void print_text(FILE *to, const char *text)
{
	const char *begin = text;

	for (; *text; text++) {
		bool first = text == begin || text[-1] == '\n';

		if (first && (*text == '.' || *text == '\''))
			fputs("\\&", to);
		if (*text == '\\')
			fputs("\\e", to);
		else if (*text == '-')
			fputs("\\-", to);
		else if (*text == '\n' && first)
			fputs(".PP\n", to);
		else
			fputc(*text, to);
	}
}

static void print_option(FILE *to, const struct vmm_option *option, bool dashes)
{
	char line[400];

	vmm_help_option(option, dashes, line, sizeof(line));
	fputs(".TP\n.B ", to);
	print_text(to, line);
	fputc('\n', to);
	print_text(to, option->help);
	vmm_help_values(option, line, sizeof(line));
	if (*line) {
		fputs(" (", to);
		print_text(to, line);
		fputc(')', to);
	}
	fputs(".\n", to);
}

static void print_table(FILE *to, const struct vmm_option_table *table, bool dashes)
{
	unsigned int i;

	fputs(".SS ", to);
	print_text(to, table->title);
	fputc('\n', to);
	if (table->about) {
		print_text(to, table->about);
		fputc('\n', to);
	}
	for (i = 0; i < table->count; i++)
		print_option(to, &table->options[i], dashes);
}

static void print_device(FILE *to, const struct vmm_option_table *table)
{
	print_table(to, table, false);
	fputs(".PP\nOption: ", to);
	fputs("\\fB\\-\\-device ", to);
	print_text(to, table->name);
	fputs(table->count ? "\\fP with these keys" : "\\fP", to);
	if (table->shorthand) {
		fputs(", or \\fB\\-\\-", to);
		print_text(to, table->shorthand);
		fputs("\\fP", to);
	}
	fputs(".\n", to);
}

static void print_emulator(FILE *to)
{
	const struct vmm_avd_option *option;

	fputs(".SH OPTIONS OF THE EMULATOR\n"
	      "\\fBvmmctl avd\\fP takes these.\n", to);
	for (option = vmm_avd_table; option->name; option++) {
		fputs(".TP\n.B ", to);
		print_text(to, "-");
		print_text(to, option->name);
		if (option->arg) {
			fputc(' ', to);
			print_text(to, option->arg);
		}
		fputc('\n', to);
		if (option->verdict != VMM_AVD_HONOURED)
			fprintf(to, "(%s) ", vmm_avd_verdict_name(option->verdict));
		print_text(to, option->help);
		fputs(".\n", to);
	}
}

static void print_synopsis(FILE *to)
{
	const struct vmm_command_info *info;

	fputs(".SH SYNOPSIS\n", to);
	for (info = vmm_commands; info->name; info++) {
		fprintf(to, "%s.B vmmctl %s\n", info == vmm_commands ? "" : ".br\n", info->name);
		print_text(to, info->usage);
		fputs(*info->usage ? "\n" : "", to);
	}
}

static void print_commands(FILE *to)
{
	const struct vmm_command_info *info;

	fputs(".SH COMMANDS\n", to);
	for (info = vmm_commands; info->name; info++) {
		fprintf(to, ".TP\n.B %s\n", info->name);
		print_text(to, info->help);
		fputs(".\n", to);
	}
}

static void print_rest(FILE *to)
{
	fputs(".SH SIGNALS\n"
	      ".TP\n.B SIGTERM, SIGINT, SIGHUP\nend the run.\n"
	      ".TP\n.B SIGUSR1\nreports statistics, with \\fB\\-\\-stats\\fP.\n"
	      ".TP\n.B SIGUSR2\ntells the guest of disks whose size has changed.\n"
	      ".SH EXIT STATUS\n"
	      ".TP\n.B 0\nThe guest switched itself off, or the user left its console; "
	      "\\fBdoctor\\fP found nothing missing.\n"
	      ".TP\n.B 1\nSomething failed; a line on standard error says what.\n"
	      ".TP\n.B 2\nThe command line or the configuration file is wrong.\n"
	      ".TP\n.B 3\nThe guest asked for a reset, with \\fB\\-\\-no\\-reboot\\fP.\n"
	      ".TP\n.B 4\nThe guest panicked.\n"
	      ".TP\n.B 128+N\nSignal N ended the run: 143 for SIGTERM and \\fBstop\\fP.\n"
	      ".TP\n.B 137\n\\fBkill\\fP ended the run.\n"
	      ".SH EXAMPLES\n"
	      ".nf\n"
	      "vmmctl run \\-\\-kernel Image \\-\\-append console=ttyAMA0\n"
	      "vmmctl run \\-\\-config vm.json \\-\\-memory 4G\n"
	      "vmmctl avd Pixel_8 \\-no\\-window \\-no\\-snapshot\n"
	      "vmmctl doctor \\-\\-config vm.json\n"
	      "vmmctl run \\-\\-kernel Image \\-\\-device disk,path=a.img,readonly \\-\\-vsock 42\n"
	      ".fi\n", to);
}

/**
 * vmm_help_man - print the manual page
 * @to: stream
 * @version: version of vmmctl
 */
void vmm_help_man(FILE *to, const char *version)
{
	const struct vmm_option_table *const *table;

	fputs(".\\\" Generated from vmmctl's option tables.\n", to);
	fprintf(to, ".TH VMMCTL 1 \"\" \"ranchu %s\" \"User Commands\"\n", version);
	fputs(".SH NAME\nvmmctl \\- run an Android emulator's guest on KVM\n", to);
	print_synopsis(to);
	fputs(".SH DESCRIPTION\n"
	      "vmmctl creates a virtual machine with the devices of Android's ranchu board\n"
	      "and leaves the hot ones to the kernel modules of ranchu.\n"
	      "An option's name may be shortened as long as no other begins so.\n"
	      "An option that is given twice, or a key of a device, is refused, unless the\n"
	      "option may be repeated.\n", to);
	print_commands(to);
	fputs(".SH OPTIONS\n", to);
	for (table = vmm_option_areas; *table; table++)
		print_table(to, *table, true);
	fputs(".SH DEVICES\n", to);
	for (table = vmm_option_devices; *table; table++)
		print_device(to, *table);
	print_emulator(to);
	print_rest(to);
}
