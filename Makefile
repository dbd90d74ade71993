# SPDX-License-Identifier: GPL-2.0-only
#
# `make help` lists the targets. Everything that is built goes to build/ARCH,
# everything that is downloaded to the cache (RANCHU_CACHE).

MACHINE := $(patsubst aarch64,arm64,$(shell uname -m))
ARCH ?= $(MACHINE)
override ARCH := $(patsubst aarch64,arm64,$(patsubst amd64,x86_64,$(patsubst x86,x86_64,$(ARCH))))
ifeq ($(filter $(ARCH),arm64 x86_64),)
$(error ARCH=$(ARCH) is neither arm64 nor x86_64)
endif

# Debian's tools, when the target is not this machine.
ifneq ($(ARCH),$(MACHINE))
CROSS_COMPILE ?= $(patsubst arm64,aarch64,$(ARCH))-linux-gnu-
endif

export RANCHU_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/ranchu
B := $(CURDIR)/build/$(ARCH)

# This machine's own headers where they fit, else Debian's in the cache.
ifeq ($(ARCH),$(MACHINE))
KDIR ?= $(or $(wildcard /lib/modules/$(shell uname -r)/build),$(RANCHU_CACHE)/kdir-$(ARCH))
else
KDIR ?= $(RANCHU_CACHE)/kdir-$(ARCH)
endif

# The machine's own libraries are of no use to a foreign vmmctl.
VMMCTL_FLAGS := ARCH=$(ARCH) CROSS_COMPILE=$(CROSS_COMPILE)
ifneq ($(ARCH),$(MACHINE))
VMMCTL_FLAGS += LIBFDT_DIR=$(RANCHU_CACHE)/libfdt-$(ARCH) \
	LIBRARIES_DIR=$(RANCHU_CACHE)/libraries-$(ARCH)
endif

GATES := checkpatch warnings kdoc uapi steps

all: modules userspace

modules:
	@CROSS_COMPILE=$(CROSS_COMPILE) tools/ci/modules.sh $(ARCH) $(KDIR) $(B)/modules
	@sed 's/\.o$$/.ko/; s/^/modules: /' $(B)/modules/modules.order

# A program of this machine, built where the header $2 of the package $3 is.
tool = if [ -n "$(CROSS_COMPILE)" ]; then \
		:; \
	elif echo '\#include <$(2)>' | gcc -E - >/dev/null 2>&1; then \
		$(MAKE) -s -C userspace/$(1) O=$(B)/$(1); \
	else \
		echo "userspace: $(1) is not built, $(3) is missing"; \
	fi

vmmctl:
	@$(MAKE) -s -C userspace/vmmctl O=$(B)/vmmctl $(VMMCTL_FLAGS)

userspace: vmmctl
	@$(MAKE) -s -C userspace/ranchu-gpu O=$(B)/ranchu-gpu $(VMMCTL_FLAGS)
	@$(MAKE) -s -C userspace/ranchu-services O=$(B)/ranchu-services $(VMMCTL_FLAGS)
	@$(MAKE) -s -C userspace/ranchu-gles O=$(B)/ranchu-gles $(VMMCTL_FLAGS)
	@echo "userspace: $(B)/vmmctl/vmmctl, $(B)/ranchu-gpu/ranchu-gpu," \
		"$(B)/ranchu-services/ranchu-services, $(B)/ranchu-gles/ranchu-gles"
	@$(call tool,ranchu-vnc,rfb/rfb.h,libvncserver-dev)
	@$(call tool,ranchu-sound,alsa/asoundlib.h,libasound2-dev)

# The x86_64 board's tests with a real KVM.
kvm-test:
	@$(MAKE) -s -C userspace/vmmctl O=$(B)/vmmctl $(VMMCTL_FLAGS) \
		$(patsubst %,$(B)/vmmctl/tests/kvm/%_test,board save run)

SELFTESTS = $(MAKE) -s -C tools/testing/selftests/ranchu ARCH=$(ARCH) \
	CROSS_COMPILE=$(CROSS_COMPILE) KSRC=$(RANCHU_CACHE)/linux-source OUTPUT=$(B)/selftests

selftests:
	@$(SELFTESTS)

# Of them, the program that moves data in a guest.
guest-program:
	@$(SELFTESTS) $(B)/selftests/pipe_guest

lab-setup:
	@tools/lab/fetch.sh

overlay:
	@tools/overlay.sh $(or $(KSRC),$(error give KSRC=, a kernel source tree))

$(GATES): lab-setup
	@tools/ci/static.sh $@

kunit: lab-setup
	@tools/ci/kunit.sh

demo:
	@tools/demo/demo.sh

check:
	@tools/ci/check.sh $(STEPS)

check-sanitizers: lab-setup
	@tools/ci/sanitizers.sh $(if $(VARIANT),--variant $(VARIANT)) $(TESTS)

coverage: lab-setup
	@tools/ci/coverage.sh $(TESTS)

# The ioctls and the guest's side of a pipe are fuzzed in a kernel, all else here.
fuzz: lab-setup
ifeq ($(filter ioctl guest,$(TARGET)),)
	@tools/fuzz/run.sh $(or $(SECONDS),60) $(TARGET)
endif
ifeq ($(filter-out ioctl,$(TARGET)),)
	@tools/ci/sanitizers.sh RANCHU_FUZZ_SECONDS=$(or $(SECONDS),60) ioctl_fuzz_test
endif
ifeq ($(filter-out guest,$(TARGET)),)
	@tools/ci/sanitizers.sh RANCHU_FUZZ_SECONDS=$(or $(SECONDS),600) pipe_fuzz_test
endif

# Not part of check: each mistake is built and run against its tests. It goes on where it was.
mutants:
	@tools/mutants/run.sh $(ONLY)

# Not part of check, either.
soak:
	@tools/soak/soak.sh $(or $(MINUTES),60) $(SEED)

bench:
	@tools/bench/bench.sh $(AREA)

include tools/package/install.mk

clean:
	rm -rf build

help:
	@echo 'make            modules and userspace   [ARCH=arm64|x86_64 CROSS_COMPILE= KDIR=]'
	@echo 'make modules    build/ARCH/modules      make userspace  build/ARCH/vmmctl'
	@echo 'make selftests  build/ARCH/selftests'
	@echo 'make demo       a stock guest in the emulated host, kernel against user [LAB=0]'
	@echo 'make check      every test              [STEPS="kdoc kunit ..."] [STEPS=all]'
	@echo 'make check-sanitizers   the kselftests under KASAN, lockdep ...'
	@echo '                [VARIANT=kcsan] [TESTS="doorbell_test ..."]'
	@echo 'make coverage   the lines of drivers/ that tests run [TESTS=...]'
	@echo 'make fuzz       the fuzz targets        [SECONDS=60] [TARGET=vq_split|...|ioctl|guest]'
	@echo 'make mutants    plants small mistakes, which the tests must find [ONLY=^vq_]'
	@echo 'make soak       guests at work while VMs are killed, reset, saved [MINUTES=60] [SEED=]'
	@echo 'make bench      figures                 [AREA=pipe]'
	@echo 'make $(GATES) kunit   one gate'
	@echo 'make lab-setup  fetch what the above need; they do so themselves'
	@echo 'make overlay KSRC=dir   lay our files over a kernel source tree'
	@echo 'make install    vmmctl, its page, libranchu-pipe  [DESTDIR= PREFIX=/usr/local]'
	@echo 'make modules-install    the modules    make uninstall  removes both'
	@echo 'make dist       build/ranchu-VERSION.tar.xz    make deb   build/ARCH/deb'
	@echo 'make clean      remove build/'

.PHONY: all modules vmmctl userspace kvm-test selftests guest-program lab-setup overlay $(GATES) kunit demo \
	check check-sanitizers coverage fuzz mutants soak bench clean help
