# SPDX-License-Identifier: MIT
# Each folder lists its own tests; see tests/README.
EXTRA_DIST += tests/README tests/link.sh tests/tools/lsan.supp tests/tools/tsan.supp
TEST_EXTENSIONS = .sh
# make check runs eight at once, since tests wait more than they compute.
AM_MAKEFLAGS = $(if $(filter check,$(MAKECMDGOALS)),$(if $(filter -j%,$(MAKEFLAGS)),,-j8))
# To optimise what is run once takes longer than to run it; what is tested comes from src as it ships.
tests/unit/%.o tests/tools/%.o: CFLAGS += -O0 -U_FORTIFY_SOURCE
# libtool takes longer to link a test than the linker. Not for what tests depend on: private.
$(check_PROGRAMS): private LIBTOOL = $(SHELL) $(srcdir)/tests/link.sh
$(check_PROGRAMS): private LDFLAGS += $(SC_TEST_LINKER)
AM_TESTS_ENVIRONMENT = SC_SRCDIR='$(abs_top_srcdir)'; SC_BUILDDIR='$(abs_top_builddir)'; XDG_CONFIG_HOME=/nonexistent; \
	LSAN_OPTIONS='suppressions=$(abs_top_srcdir)/tests/tools/lsan.supp:print_suppressions=0'; export LSAN_OPTIONS; \
	SC_CC='$(CC)'; SC_TEST_CFLAGS='$(AM_CFLAGS) $(CFLAGS)'; SC_TEST_LDFLAGS='$(AM_LDFLAGS) $(LDFLAGS)'; \
	export XDG_CONFIG_HOME SC_SRCDIR SC_BUILDDIR SC_CC SC_TEST_CFLAGS SC_TEST_LDFLAGS;

include tests/unit/local.mk
include tests/system/local.mk
include tests/fuzz/local.mk
include tests/tools/local.mk
include tests/bench/local.mk

if ENABLE_TESTS
check_PROGRAMS += $(UNIT_TESTS) $(FUZZERS) $(TEST_TOOLS)
TESTS          += $(SHELL_TESTS) $(UNIT_TESTS) $(FUZZ_TESTS)
else
check-local:
	@echo "make check: configured with --disable-tests" >&2; exit 1
endif

# After make check in a build with --enable-coverage.
coverage:
if ENABLE_COVERAGE
	gcovr --root '$(abs_top_srcdir)' --filter '$(abs_top_srcdir)/src/' --object-directory .
else
	@echo "make coverage needs ./configure --enable-coverage, and make check before it" >&2; exit 1
endif
.PHONY: coverage
