# SPDX-License-Identifier: GPL-2.0-only
#
# make install, uninstall, dist and deb; the top Makefile includes this. Directories are
# GNU's: DESTDIR, PREFIX (prefix), bindir and so on. Kernel modules are a kernel's, not
# a prefix's: make modules-install puts them below DESTDIR/lib/modules.

PREFIX ?= /usr/local
prefix ?= $(PREFIX)
exec_prefix ?= $(prefix)
bindir ?= $(exec_prefix)/bin
libdir ?= $(exec_prefix)/lib
includedir ?= $(prefix)/include
datarootdir ?= $(prefix)/share
mandir ?= $(datarootdir)/man
docdir ?= $(datarootdir)/doc/ranchu
INSTALL ?= install

VERSION := $(shell sed -n 's/^VERSION ?= //p' userspace/vmmctl/Makefile)

# Each word is MODE:FILE:WHERE.
INSTALLED := \
	755:$(B)/vmmctl/vmmctl:$(bindir)/vmmctl \
	644:$(B)/vmmctl/vmmctl.1:$(mandir)/man1/vmmctl.1 \
	644:$(B)/vmmctl/vmmctl.bash:$(datarootdir)/bash-completion/completions/vmmctl \
	755:$(B)/ranchu-gpu/ranchu-gpu:$(bindir)/ranchu-gpu \
	644:userspace/ranchu-gpu/ranchu-gpu.1:$(mandir)/man1/ranchu-gpu.1 \
	755:$(B)/ranchu-services/ranchu-services:$(bindir)/ranchu-services \
	644:userspace/ranchu-services/ranchu-services.1:$(mandir)/man1/ranchu-services.1 \
	755:$(B)/ranchu-gles/ranchu-gles:$(bindir)/ranchu-gles \
	644:userspace/ranchu-gles/ranchu-gles.1:$(mandir)/man1/ranchu-gles.1 \
	644:$(B)/libranchu_pipe.a:$(libdir)/libranchu_pipe.a \
	644:userspace/libranchu-pipe/ranchu_pipe.h:$(includedir)/ranchu_pipe.h \
	644:userspace/libranchu-pipe/example.c:$(docdir)/examples/ranchu_pipe_example.c \
	644:tools/package/60-ranchu.rules:$(prefix)/lib/udev/rules.d/60-ranchu.rules \
	644:tools/package/modules-load.conf:$(prefix)/lib/modules-load.d/ranchu.conf
INSTALLED += $(foreach h,$(filter-out %/vhost_ranchu_test.h,$(wildcard include/uapi/linux/*.h)),\
	644:$(h):$(includedir)/linux/$(notdir $(h)))
INSTALLED += $(foreach f,node submit shard collect,\
	755:userspace/fleet/$(f):$(datarootdir)/ranchu/fleet/$(f))
INSTALLED += $(foreach f,$(notdir $(wildcard userspace/fleet/*.conf)),\
	644:userspace/fleet/$(f):$(datarootdir)/ranchu/fleet/$(f))
INSTALLED += $(foreach d,README.md SPECIFICATION.md $(wildcard Documentation/*.md),\
	644:$(d):$(docdir)/$(d))

# What userspace builds only where its library is.
TOOL_NAMES := ranchu-vnc ranchu-sound
# The test device is not for hosts.
MODULES := $(filter-out vhost_ranchu_test,$(shell sed -n 's/^obj-.*+= \([a-z_]*\)\.o$$/\1/p' \
	drivers/virt/ranchu/Makefile drivers/vhost/Makefile))
TOOLS := $(foreach t,$(TOOL_NAMES),755:$(B)/$(t)/$(t):$(bindir)/$(t) \
	644:userspace/$(t)/$(t).1:$(mandir)/man1/$(t).1)

CFLAGS ?= -O2 -g

$(B)/libranchu_pipe.a: userspace/libranchu-pipe/ranchu_pipe.c \
		userspace/libranchu-pipe/ranchu_pipe.h
	@mkdir -p $(@D)
	$(CROSS_COMPILE)gcc -std=gnu11 -Wall -Wextra -Werror $(CFLAGS) \
		-Iinclude/uapi -c -o $(B)/libranchu_pipe.o $<
	rm -f $@
	$(CROSS_COMPILE)ar rcsD $@ $(B)/libranchu_pipe.o

libranchu-pipe: $(B)/libranchu_pipe.a

install: userspace libranchu-pipe
	@set -e; for entry in $(INSTALLED) $(TOOLS); do \
		file=$${entry#*:}; \
		tool=$${file##*/}; \
		case " $(TOOL_NAMES) $(TOOL_NAMES:%=%.1) " in *" $$tool "*) \
			[ -x "$(B)/$${tool%.1}/$${tool%.1}" ] || continue ;; esac; \
		$(INSTALL) -D -m "$${entry%%:*}" "$${file%:*}" "$(DESTDIR)$${entry##*:}"; \
	done
	@echo "installed below $(DESTDIR)$(prefix)"

# The modules of all kernels, too.
uninstall:
	@for entry in $(INSTALLED) $(TOOLS); do \
		rm -f "$(DESTDIR)$${entry##*:}"; \
	done
	@find "$(DESTDIR)$(docdir)" "$(DESTDIR)$(datarootdir)/ranchu" -depth -type d -empty -delete 2>/dev/null || :
	@for updates in "$(DESTDIR)"/lib/modules/*/updates; do \
		[ -e "$$updates/ranchu.ko" ] || continue; \
		for module in $(MODULES); do \
			rm -f "$$updates/$$module.ko"; \
		done; \
		release=$${updates%/*}; \
		[ -n "$(DESTDIR)" ] || depmod "$${release##*/}"; \
	done
	@echo "removed from $(DESTDIR)$(prefix) and $(DESTDIR)/lib/modules"

modules-install: modules
	@release=$$(sed -n 's/^#define UTS_RELEASE "\(.*\)"$$/\1/p' \
		$(KDIR)/include/generated/utsrelease.h); \
	[ -n "$$release" ] || { echo "$(KDIR) does not say which kernel it is of" >&2; exit 1; }; \
	for module in $(MODULES); do \
		$(INSTALL) -D -m 644 "$$(find $(B)/modules/drivers -name "$$module.ko")" \
			"$(DESTDIR)/lib/modules/$$release/updates/$$module.ko"; \
	done; \
	echo "installed below $(DESTDIR)/lib/modules/$$release/updates"; \
	[ -n "$(DESTDIR)" ] || depmod "$$release"

# The same commit makes the same archive.
dist: build/ranchu-$(VERSION).tar.xz

build/ranchu-$(VERSION).tar.xz: FORCE
	@mkdir -p build
	@git archive --format=tar --prefix=ranchu-$(VERSION)/ HEAD | xz -6 -T1 > $@.new
	@mv $@.new $@
	@echo "dist: $@"

# Debian's packages, in build/ARCH/deb.
deb:
	@tools/package/deb.sh $(ARCH) $(B)/deb

FORCE:

.PHONY: libranchu-pipe install uninstall modules-install dist deb FORCE
