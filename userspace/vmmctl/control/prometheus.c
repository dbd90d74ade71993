// SPDX-License-Identifier: GPL-2.0-only
/*
 * Statistics in Prometheus' text format: a line for each counter, with the VM and the counter's
 * device as labels.
 *
 * Source: Prometheus, "Exposition formats", text-based format 0.0.4
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"

/* A metric's name has letters, digits and underscores only. */
static void write_name(FILE *out, const char *name)
{
	for (; *name; name++) {
		char c = *name;
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9');

		fputc(plain ? c : '_', out);
	}
}

static void write_label(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			fputc('\\', out);
		if (*text == '\n')
			fputs("\\n", out);
		else
			fputc(*text, out);
	}
}

static void write_counter(FILE *out, const char *vm, const char *group, const char *device,
			  const char *name, json_int_t value)
{
	fputs("vmmctl_", out);
	write_name(out, group);
	fputc('_', out);
	write_name(out, name);
	fputs("{vm=\"", out);
	write_label(out, vm);
	if (device) {
		fputs("\",device=\"", out);
		write_label(out, device);
	}
	fprintf(out, "\"} %lld\n", (long long)value);
}

/* Returns whether a device before @device in the group has a counter of this name. */
static bool named_before(const json_t *group, const char *device, const char *name)
{
	const char *key;
	json_t *counters;

	json_object_foreach((json_t *)group, key, counters) {
		if (!strcmp(key, device))
			return false;
		if (json_object_get(counters, name))
			return true;
	}
	return false;
}

/* Writes all lines of a metric together, as the format requires. */
static void write_metric(FILE *out, const char *vm, const char *group, const json_t *devices,
			 const char *name)
{
	const char *device;
	json_t *counters;
	json_t *value;

	json_object_foreach((json_t *)devices, device, counters) {
		value = json_object_get(counters, name);
		if (json_is_integer(value))
			write_counter(out, vm, group, device, name, json_integer_value(value));
	}
}

/* "devices": {"uart": {"reads": 1}} has one level more than "kvm": {"exits": 1}. */
static void write_group(FILE *out, const char *vm, const char *group, const json_t *counters)
{
	const char *name;
	const char *key;
	json_t *value;
	json_t *inner;

	json_object_foreach((json_t *)counters, key, value) {
		if (json_is_integer(value))
			write_counter(out, vm, group, NULL, key, json_integer_value(value));
	}
	json_object_foreach((json_t *)counters, key, value) {
		json_object_foreach(value, name, inner) {
			if (!named_before(counters, key, name))
				write_metric(out, vm, group, counters, name);
		}
	}
}

/**
 * vmm_prometheus - write statistics as text for Prometheus
 * @stats: object of objects of numbers, or of objects of numbers by device
 * @name: name of the VM
 *
 * Return: the text, to be freed; NULL without memory
 */
char *vmm_prometheus(const json_t *stats, const char *name)
{
	const char *group;
	json_t *counters;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	json_object_foreach((json_t *)stats, group, counters) {
		if (json_is_integer(counters))
			write_counter(out, name, "vm", NULL, group, json_integer_value(counters));
		else
			write_group(out, name, group, counters);
	}
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}
