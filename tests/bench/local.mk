# SPDX-License-Identifier: MIT
# make bench builds these and nothing else does.
EXTRA_PROGRAMS += tests/bench/sc-bare
tests_bench_sc_bare_SOURCES = tests/bench/bare.c
tests_bench_sc_bare_LDADD   = $(LIBS_PROTO) $(OPENSSL_LIBS)
CLEANFILES += tests/bench/sc-bare$(EXEEXT)
EXTRA_DIST += tests/bench/lib.sh tests/bench/run.sh tests/bench/growth.sh tests/bench/svg.awk tests/bench/plot.awk docs/plots
EXTRA_DIST += tests/bench/flame.sh tests/bench/flame.awk

BENCH_NEEDS = $(bin_PROGRAMS) $(sbin_PROGRAMS) tests/bench/sc-bare$(EXEEXT) tests/tools/wait-for$(EXEEXT) tests/tools/json-get$(EXEEXT)
bench: $(BENCH_NEEDS)
	@$(AM_TESTS_ENVIRONMENT) $(SHELL) $(srcdir)/tests/bench/run.sh
bench-growth: $(BENCH_NEEDS)
	@$(AM_TESTS_ENVIRONMENT) $(SHELL) $(srcdir)/tests/bench/growth.sh

EXTRA_PROGRAMS += tests/bench/sc-library
tests_bench_sc_library_SOURCES = tests/bench/library.c
tests_bench_sc_library_LDADD   = $(EVENT_LIBS) $(LIBS_LIB)
CLEANFILES += tests/bench/sc-library$(EXEEXT)
EXTRA_DIST += tests/bench/library.sh
bench-library: $(BENCH_NEEDS) tests/bench/sc-library$(EXEEXT)
	@$(AM_TESTS_ENVIRONMENT) $(SHELL) $(srcdir)/tests/bench/library.sh

EXTRA_DIST += tests/bench/scrape.sh
bench-scrape: $(BENCH_NEEDS)
	@$(AM_TESTS_ENVIRONMENT) $(SHELL) $(srcdir)/tests/bench/scrape.sh

EXTRA_DIST += tests/bench/restart.sh
bench-restart: $(BENCH_NEEDS) tests/tools/as-systemd$(EXEEXT) tests/tools/fleet$(EXEEXT)
	@$(AM_TESTS_ENVIRONMENT) $(SHELL) $(srcdir)/tests/bench/restart.sh

# Drawings of what both have printed: BENCH_RESULTS is a directory with that in bench.md and growth.md; the drawings come beside them.
BENCH_RESULTS = $(srcdir)/docs/plots
bench-plots:
	@for file in bench.md growth.md; do \
	    test -r '$(BENCH_RESULTS)'/$$file || { echo "bench-plots: no $$file in $(BENCH_RESULTS); see docs/plots/README.md" >&2; exit 1; }; \
	done
	@$(AWK) -v out='$(BENCH_RESULTS)' -f $(srcdir)/tests/bench/svg.awk -f $(srcdir)/tests/bench/plot.awk \
	    '$(BENCH_RESULTS)/bench.md' '$(BENCH_RESULTS)/growth.md'

# Flame graphs, flame-SERVER-LOAD.svg in the same directory.
BENCH_FLAMES = ours-64x1x64 ours-8x4x16K ours-handshake bare-64x1x64
bench-flame: $(BENCH_NEEDS)
	@$(AM_TESTS_ENVIRONMENT) for flame in $(BENCH_FLAMES); do \
	    $(SHELL) $(srcdir)/tests/bench/flame.sh $${flame%%-*} $${flame#*-} '$(BENCH_RESULTS)'/flame-$$flame.svg || exit 1; \
	done
.PHONY: bench bench-library bench-growth bench-restart bench-scrape bench-plots bench-flame
