/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Option tables: the name of an option or a device's key, its values, its default and its help. The
 * command line, the configuration file, the help, the manual page and the shell's completion
 * are all generated from these tables.
 *
 * To add an option, add a row to its table. To add a device, add a table, and add it to the list in
 * tables.c.
 */
#ifndef CLI_OPTION_H
#define CLI_OPTION_H

#include <stdio.h>

#include <linux/ranchu.h>

#include "machine/config.h"

struct vmm_reader;
struct vmm_option_table;

#define VMM_AREAS	9	/* groups of options */
#define PATH_MAX_BYTES	4095	/* of a path, Linux' limit */

/* Types of values, and the type of the field. */
enum vmm_option_type {
	VMM_OPT_FLAG,	/* bool; given without a value */
	VMM_OPT_SWITCH,	/* bool; "on" or "off"; a device's key alone means "on" */
	VMM_OPT_NUMBER,	/* 1, 2, 4 or 8 bytes; decimal, or one of @words */
	VMM_OPT_SIZE,	/* u64; bytes, with the suffix K, M or G */
	VMM_OPT_WORD,	/* 1, 2, 4 or 8 bytes; one of @words */
	VMM_OPT_TEXT,	/* const char *; @min to @max bytes, or one of @words */
	VMM_OPT_MAC,	/* u8[6] */
	VMM_OPT_DEVICE,	/* a device's keys; type in @device; NULL: in the first word */
	VMM_OPT_OWN,	/* parsed and stored by @read */
};

/* Properties of options. */
#define VMM_OPT_REQUIRED	(1 << 0)	/* a device needs this key */
#define VMM_OPT_REPEATS		(1 << 1)	/* may be repeated, each adds one */
#define VMM_OPT_BARE		(1 << 2)	/* one of @words sets it without a key */
#define VMM_OPT_MAY_BE_ALONE	(1 << 3)	/* the value may be omitted */
#define VMM_OPT_FILE		(1 << 4)	/* the shell completes file names */
#define VMM_OPT_NOT_IN_FILE	(1 << 5)	/* not allowed in a configuration file */
#define VMM_OPT_FIRST		(1 << 6)	/* names a source of other options */

/**
 * struct vmm_option_word - a word that is a value of an option
 * @text: the word; NULL ends a list
 * @value: the value that is stored for it
 */
struct vmm_option_word {
	const char *text;
	s64 value;
};

/**
 * struct vmm_option - an option, or a device's key
 * @key: name, without dashes
 * @arg: name of the value in help; NULL: the values themselves
 * @help: what it does, a clause without a full stop
 * @initial: the default, in the words of the command line; NULL for none
 * @initially: text for the default in help if @initial cannot express it
 * @words: words that are values, see @type
 * @device: the device that it adds
 * @read: parses and stores the value; @text is NULL for an omitted value
 * @min: smallest number or size, shortest text
 * @max: largest number or size, longest text
 * @step: a size is a multiple of this, 0 for any
 * @type: type of its values
 * @flags: VMM_OPT_*
 * @letter: name with a single dash, 0 for none
 * @offset: offset of the field in the config or in the device
 * @size: bytes of the field
 */
struct vmm_option {
	const char *key;
	const char *arg;
	const char *help;
	const char *initial;
	const char *initially;
	const struct vmm_option_word *words;
	const struct vmm_option_table *device;
	int (*read)(struct vmm_reader *reader, const char *where, const char *text);
	u64 min;
	u64 max;
	u64 step;
	enum vmm_option_type type;
	unsigned int flags;
	char letter;
	unsigned short offset;
	unsigned short size;
};

/* Offset and size of an option's field. */
#define VMM_OPTION_AT(owner, field) \
	.offset = offsetof(owner, field), .size = sizeof(((owner *)0)->field)

/* Bit of a command, for struct vmm_option_table. */
#define VMM_COMMAND(command)	(1U << (command))

/**
 * struct vmm_option_table - the options of an area, or the keys of a device
 * @name: topic of help; for a device: its type
 * @title: heading
 * @about: paragraphs for the help
 * @options: rows
 * @count: number of rows, at most 64
 * @commands: commands that have these options; 0 for a device
 * @shorthand: the option that adds this device, or NULL for --device and --virtio
 * @not_virtio: --virtio cannot add it, --device can
 * @first: row of the first value after the shorthand, -1 for none
 * @add: adds a device to the config; NULL if there are @most already. If @most is 1, it may be
 *	called again, for a device that replaces the first
 * @again: finds the device of a saved VM for which the next one of the command line stands, NULL
 *	if there is none: keys that are not given keep the values that they have; optional
 * @most: most devices of this type
 * @check: checks a device, writes a message; @given has a bit for each key that was
 *	given; optional
 */
struct vmm_option_table {
	const char *name;
	const char *title;
	const char *about;
	const struct vmm_option *options;
	unsigned int count;
	unsigned int commands;
	const char *shorthand;
	bool not_virtio;
	int first;
	void *(*add)(struct vmm_config *cfg);
	void *(*again)(struct vmm_config *cfg);
	unsigned int most;
	int (*check)(const struct vmm_config *cfg, const char *where, const void *item,
		     u64 given);
};

/**
 * struct vmm_reader - a source of options: the command line, or a file
 * @cfg: filled
 * @given: options that it has had, a bit for each row of each area
 * @singles: devices that it has had and that can exist only once, a bit for each type
 * @base: directory of relative paths, NULL for the working directory
 * @from: for a file: it may name a snapshot, whose options precede the file's others
 */
struct vmm_reader {
	struct vmm_config *cfg;
	u64 given[VMM_AREAS];
	u64 singles;
	const char *base;
	bool from;
};

/**
 * struct vmm_command_info - a command of vmmctl
 * @name: its name
 * @usage: its arguments
 * @help: what it does, a clause without a full stop
 * @command: its value in the enum
 */
struct vmm_command_info {
	const char *name;
	const char *usage;
	const char *help;
	enum vmm_command command;
};

/* ---- value.c: one value ---- */

int vmm_option_number(const char *text, u64 *number);
const struct vmm_option_word *vmm_option_word(const struct vmm_option_word *words,
					      const char *text);
void vmm_option_range(const struct vmm_option *option, char *text, size_t size);
const char *vmm_option_file(const struct vmm_reader *reader, const char *where, const char *path);
const char *vmm_option_path(const struct vmm_reader *reader, const struct vmm_option *option,
			    const char *text);
int vmm_option_set(const struct vmm_option *option, const char *where, void *target,
		   const char *text);
int vmm_option_defaults(const struct vmm_option_table *table, void *target);

/* ---- config.c: strings that a config owns ---- */

char *vmm_options_keep(struct vmm_config *cfg, const char *text, size_t len);

/* ---- device.c: a device's keys ---- */

int vmm_option_device(struct vmm_reader *reader, const char *where,
		      const struct vmm_option_table *type, const char *text);
int vmm_option_virtio(struct vmm_reader *reader, const char *where, const char *text);

/**
 * struct vmm_device_reader - a device that is being read
 * @type: its table
 * @where: its name in messages
 * @reader: has the config
 * @item: the device
 * @given: keys that were given, a bit for each row
 */
struct vmm_device_reader {
	const struct vmm_option_table *type;
	const char *where;
	struct vmm_reader *reader;
	void *item;
	u64 given;
};

int vmm_option_device_begin(struct vmm_device_reader *dev);
int vmm_option_device_key(struct vmm_device_reader *dev, const char *key, const char *text);
int vmm_option_device_end(struct vmm_device_reader *dev);
void vmm_option_keys(const struct vmm_option_table *type, char *text, size_t size);

/* ---- options_*.c: the tables ---- */

extern const struct vmm_option_table vmm_options_general;
extern const struct vmm_option_table vmm_options_board;
extern const struct vmm_option_table vmm_options_peripherals;
extern const struct vmm_option_table vmm_options_session;
extern const struct vmm_option_table vmm_options_dtb;
extern const struct vmm_option_table vmm_options_devices;
extern const struct vmm_option_table vmm_options_pipe;
extern const struct vmm_option_table vmm_options_sync;
extern const struct vmm_option_table vmm_options_adb;
extern const struct vmm_option_table vmm_options_disk;
extern const struct vmm_option_table vmm_options_scsi;
extern const struct vmm_option_table vmm_options_net;
extern const struct vmm_option_table vmm_options_vhost_user;
extern const struct vmm_option_table vmm_options_vdpa;
extern const struct vmm_option_table vmm_options_vsock;
extern const struct vmm_option_table vmm_options_rng;
extern const struct vmm_option_table vmm_options_balloon;
extern const struct vmm_option_table vmm_options_console;
extern const struct vmm_option_table vmm_options_keyboard;
extern const struct vmm_option_table vmm_options_multitouch;
extern const struct vmm_option_table vmm_options_sound;
extern const struct vmm_option_table vmm_options_address_space;

/* ---- tables.c: lists of tables and commands ---- */

extern const struct vmm_option_table *const vmm_option_areas[VMM_AREAS + 1];
extern const struct vmm_option_table *const vmm_option_devices[];
extern const struct vmm_command_info vmm_commands[];

const struct vmm_option_table *vmm_option_device_find(const char *type, size_t len);
const struct vmm_command_info *vmm_command_find(const char *name);
void vmm_option_types(bool small, char *text, size_t size);

/* ---- parse.c: the command line ---- */

/**
 * struct vmm_option_ref - an option's row
 * @area: index in vmm_option_areas
 * @row: index in that table
 * @option: the row
 */
struct vmm_option_ref {
	unsigned int area;
	unsigned int row;
	const struct vmm_option *option;
};

bool vmm_option_find(const char *key, size_t len, struct vmm_option_ref *ref);
int vmm_option_give(struct vmm_reader *reader, const struct vmm_option_ref *ref,
		    const char *where, const char *text);

/* ---- config_file.c: the configuration file ---- */

#define VMM_CONFIG_FILE_MAX	(1 * MIB)	/* bytes */

int vmm_config_file_parse(struct vmm_reader *reader, const char *name, const char *text,
			  size_t len);

/* ---- parse.c, for from.c ---- */

int vmm_option_layer(struct vmm_reader *reader, const char *command, char **words,
		     unsigned int count);

/* ---- from.c: the command lines of a saved VM ---- */

int vmm_from_read(struct vmm_config *cfg);

/* ---- config_load.c: the file itself ---- */

int vmm_config_file_load(struct vmm_reader *reader, const char *path);

/* ---- help.c: help on the terminal ---- */

bool vmm_help_topic(const char *topic);
void vmm_help_option(const struct vmm_option *option, bool dashes, char *text, size_t size);
void vmm_help_values(const struct vmm_option *option, char *text, size_t size);

/* ---- man.c, completion.c: generated when vmmctl is built ---- */

void vmm_help_man(FILE *to, const char *version);
void vmm_help_bash(FILE *to);

#endif /* CLI_OPTION_H */
