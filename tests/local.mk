# Unit tests: tests/check_MODULE.c, one for each module, linked with the archives that the module may know and no others.
# End-to-end tests: tests/test-WHAT.sh, with the real binaries, and tests/lib.sh.
TEST_EXTENSIONS = .sh
AM_TESTS_ENVIRONMENT = SC_SRCDIR='$(abs_top_srcdir)'; SC_BUILDDIR='$(abs_top_builddir)'; export SC_SRCDIR SC_BUILDDIR;

# Handshakes in memory, for tests of whatever uses TLS.
TLS_FIXTURE = tests/tls_fixture.c tests/tls_fixture.h

# A TLS client on a socket of an event base.
TLS_PEER = tests/tls_peer.c tests/tls_peer.h

UNIT_TESTS  =
SHELL_TESTS = tests/test-layers.sh tests/test-client.sh tests/test-client-openssl.sh tests/test-client-server.sh

# Fuzz targets: see tests/fuzz.h. `make fuzz` gives each FUZZ_SECONDS.
FUZZERS      = tests/fuzz_frame tests/fuzz_text
FUZZ_SECONDS = 60
if ENABLE_FUZZING
FUZZ_MAIN     =
FUZZ_LINK  = -fsanitize=fuzzer
FUZZ_TESTS    =
else
FUZZ_MAIN     = tests/fuzz_replay.c
FUZZ_LINK  =
FUZZ_TESTS    = $(FUZZERS)
endif
tests_fuzz_frame_SOURCES = tests/fuzz_frame.c tests/fuzz.h
nodist_tests_fuzz_frame_SOURCES = $(FUZZ_MAIN)
tests_fuzz_frame_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_frame_LDADD   = $(LIBS_NET)
tests_fuzz_text_SOURCES  = tests/fuzz_text.c tests/fuzz.h
nodist_tests_fuzz_text_SOURCES = $(FUZZ_MAIN)
tests_fuzz_text_LDFLAGS  = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_text_LDADD    = $(LIBS_TLS)
EXTRA_DIST += tests/fuzz_replay.c

fuzz: $(FUZZERS)
	@if test -n '$(FUZZ_TESTS)'; then echo "make fuzz needs ./configure CC=clang --enable-fuzzing" >&2; exit 1; fi
	for fuzzer in $(FUZZERS); do $$fuzzer -max_len=512 -max_total_time=$(FUZZ_SECONDS) || exit 1; done
.PHONY: fuzz coverage

# After make check in a build with --enable-coverage.
coverage:
if ENABLE_COVERAGE
	gcovr --root '$(abs_top_srcdir)' --filter '$(abs_top_srcdir)/src/' --object-directory .
else
	@echo "make coverage needs ./configure --enable-coverage, and make check before it" >&2; exit 1
endif

UNIT_TESTS += tests/check_clock
tests_check_clock_SOURCES = tests/check_clock.c tests/suite.h
tests_check_clock_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_clock_LDADD   = $(LIBS_BASE) $(CHECK_LIBS)

UNIT_TESTS += tests/check_err
tests_check_err_SOURCES = tests/check_err.c tests/suite.h
tests_check_err_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_err_LDADD   = $(LIBS_BASE) $(CHECK_LIBS)

UNIT_TESTS += tests/check_log
tests_check_log_SOURCES = tests/check_log.c tests/suite.h
tests_check_log_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_log_LDADD   = $(LIBS_BASE) $(CHECK_LIBS)

UNIT_TESTS += tests/check_parse
tests_check_parse_SOURCES = tests/check_parse.c tests/suite.h
tests_check_parse_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_parse_LDADD   = $(LIBS_BASE) $(CHECK_LIBS)

UNIT_TESTS += tests/check_handler
tests_check_handler_SOURCES = tests/check_handler.c tests/suite.h
tests_check_handler_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_handler_LDADD   = $(LIBS_PROTO) $(CHECK_LIBS)

UNIT_TESTS += tests/check_pool
tests_check_pool_SOURCES = tests/check_pool.c tests/suite.h
tests_check_pool_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_pool_LDADD   = $(LIBS_BASE) $(CHECK_LIBS)

UNIT_TESTS += tests/check_wheel
tests_check_wheel_SOURCES = tests/check_wheel.c tests/suite.h
tests_check_wheel_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_wheel_LDADD   = $(LIBS_NET) $(CHECK_LIBS)

UNIT_TESTS += tests/check_framebuf
tests_check_framebuf_SOURCES = tests/check_framebuf.c tests/suite.h
tests_check_framebuf_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_framebuf_LDADD   = $(LIBS_NET) $(CHECK_LIBS)

UNIT_TESTS += tests/check_tlsbev
tests_check_tlsbev_SOURCES = tests/check_tlsbev.c tests/suite.h $(TLS_FIXTURE) $(TLS_PEER)
tests_check_tlsbev_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_tlsbev_LDADD   = $(LIBS_NET) $(CHECK_LIBS)

UNIT_TESTS += tests/check_tlsbev_peer
tests_check_tlsbev_peer_SOURCES = tests/check_tlsbev_peer.c tests/suite.h $(TLS_FIXTURE) $(TLS_PEER)
tests_check_tlsbev_peer_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_tlsbev_peer_LDADD   = $(LIBS_NET) $(CHECK_LIBS)

UNIT_TESTS += tests/check_conn
tests_check_conn_SOURCES = tests/check_conn.c tests/suite.h $(TLS_FIXTURE) $(TLS_PEER)
tests_check_conn_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_conn_LDADD   = $(LIBS_SERVER) $(CHECK_LIBS)

UNIT_TESTS += tests/check_mailbox
tests_check_mailbox_SOURCES = tests/check_mailbox.c tests/suite.h
tests_check_mailbox_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_mailbox_LDADD   = $(LIBS_NET) $(CHECK_LIBS)

UNIT_TESTS += tests/check_accounts
tests_check_accounts_SOURCES = tests/check_accounts.c tests/suite.h
tests_check_accounts_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_accounts_LDADD   = $(LIBS_SERVER) $(CHECK_LIBS)

UNIT_TESTS += tests/check_frame
tests_check_frame_SOURCES = tests/check_frame.c tests/suite.h
tests_check_frame_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_frame_LDADD   = $(LIBS_PROTO) $(CHECK_LIBS)

UNIT_TESTS += tests/check_connect
tests_check_connect_SOURCES = tests/check_connect.c tests/suite.h
tests_check_connect_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_connect_LDADD   = $(LIBS_CLIENT) $(CHECK_LIBS)

UNIT_TESTS += tests/check_escape
tests_check_escape_SOURCES = tests/check_escape.c tests/suite.h src/programs/client_escape.c src/programs/client_escape.h
tests_check_escape_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_escape_LDADD   = $(CHECK_LIBS)

UNIT_TESTS += tests/check_pin
tests_check_pin_SOURCES = tests/check_pin.c tests/suite.h
tests_check_pin_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_pin_LDADD   = $(LIBS_TLS) $(CHECK_LIBS)

UNIT_TESTS += tests/check_passphrase
tests_check_passphrase_SOURCES = tests/check_passphrase.c tests/suite.h tests/scratch.h
tests_check_passphrase_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_passphrase_LDADD   = $(LIBS_SERVER) $(CHECK_LIBS)

UNIT_TESTS += tests/check_stats
tests_check_stats_SOURCES = tests/check_stats.c tests/suite.h
tests_check_stats_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_stats_LDADD   = $(LIBS_SERVER) $(CHECK_LIBS)

UNIT_TESTS += tests/check_settle
tests_check_settle_SOURCES = tests/check_settle.c tests/suite.h
tests_check_settle_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_settle_LDADD   = $(LIBS_SERVER) $(CHECK_LIBS)

UNIT_TESTS += tests/check_limits
tests_check_limits_SOURCES = tests/check_limits.c tests/kept_log.h tests/suite.h
tests_check_limits_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_limits_LDADD   = $(LIBS_SERVER) $(CHECK_LIBS)

UNIT_TESTS += tests/check_port_file
tests_check_port_file_SOURCES = tests/check_port_file.c tests/suite.h tests/scratch.h
tests_check_port_file_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_port_file_LDADD   = $(LIBS_SERVER) $(CHECK_LIBS)

UNIT_TESTS += tests/check_loop
tests_check_loop_SOURCES = tests/check_loop.c tests/suite.h tests/kept_log.h
tests_check_loop_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_loop_LDADD   = $(LIBS_NET) $(CHECK_LIBS)

UNIT_TESTS += tests/check_conn_log
tests_check_conn_log_SOURCES = tests/check_conn_log.c tests/suite.h tests/kept_log.h
tests_check_conn_log_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_conn_log_LDADD   = $(LIBS_SERVER) $(CHECK_LIBS)

UNIT_TESTS += tests/check_material
tests_check_material_SOURCES = tests/check_material.c tests/suite.h tests/kept_log.h $(TLS_FIXTURE)
tests_check_material_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_material_LDADD   = $(LIBS_SERVER) $(CHECK_LIBS)

UNIT_TESTS += tests/check_acceptor
tests_check_acceptor_SOURCES = tests/check_acceptor.c tests/suite.h tests/kept_log.h $(TLS_FIXTURE) $(TLS_PEER)
tests_check_acceptor_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_acceptor_LDADD   = $(LIBS_SERVER) $(CHECK_LIBS)

SHELL_TESTS += tests/test-expiry.sh
SHELL_TESTS += tests/test-hostile.sh
SHELL_TESTS += tests/test-interop.sh
SHELL_TESTS += tests/test-lifecycle.sh
SHELL_TESTS += tests/test-many.sh
SHELL_TESTS += tests/test-memory.sh
SHELL_TESTS += tests/test-protocol.sh
SHELL_TESTS += tests/test-stuck-log.sh
SHELL_TESTS += tests/test-tls.sh

include tests/tools/local.mk

# A server that is changed while it runs.
SHELL_TESTS += tests/test-reload.sh tests/test-keys.sh tests/test-keys-more.sh tests/test-bad-input.sh

UNIT_TESTS += tests/check_hist
tests_check_hist_SOURCES = tests/check_hist.c tests/suite.h
tests_check_hist_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_hist_LDADD   = $(LIBS_BASE) $(CHECK_LIBS)

UNIT_TESTS += tests/check_probe
tests_check_probe_SOURCES = tests/check_probe.c tests/suite.h $(TLS_FIXTURE)
tests_check_probe_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_probe_LDADD   = $(LIBS_TLS) $(CHECK_LIBS)

UNIT_TESTS += tests/check_tickets
tests_check_tickets_SOURCES = tests/check_tickets.c tests/suite.h $(TLS_FIXTURE)
tests_check_tickets_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_tickets_LDADD   = $(LIBS_TLS) $(CHECK_LIBS)

UNIT_TESTS += tests/check_watch
tests_check_watch_SOURCES = tests/check_watch.c tests/suite.h $(TLS_FIXTURE)
tests_check_watch_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_watch_LDADD   = $(LIBS_TLS) $(CHECK_LIBS)

UNIT_TESTS += tests/check_ocsp
tests_check_ocsp_SOURCES = tests/check_ocsp.c tests/suite.h $(TLS_FIXTURE)
tests_check_ocsp_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_ocsp_LDADD   = $(LIBS_TLS) $(CHECK_LIBS)

UNIT_TESTS += tests/check_client_policy
tests_check_client_policy_SOURCES = tests/check_client_policy.c tests/suite.h $(TLS_FIXTURE)
tests_check_client_policy_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_client_policy_LDADD   = $(LIBS_TLS) $(CHECK_LIBS)

UNIT_TESTS += tests/check_context
tests_check_context_SOURCES = tests/check_context.c tests/suite.h $(TLS_FIXTURE)
tests_check_context_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_context_LDADD   = $(LIBS_TLS) $(CHECK_LIBS)

UNIT_TESTS += tests/check_config
tests_check_config_SOURCES = tests/check_config.c tests/suite.h
tests_check_config_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_config_LDADD   = $(LIBS_SERVER) $(CHECK_LIBS)

UNIT_TESTS += tests/check_addr
tests_check_addr_SOURCES = tests/check_addr.c tests/suite.h
tests_check_addr_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_addr_LDADD   = $(LIBS_NET) $(CHECK_LIBS)

UNIT_TESTS += tests/check_listen
tests_check_listen_SOURCES = tests/check_listen.c tests/suite.h
tests_check_listen_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_listen_LDADD   = $(LIBS_NET) $(CHECK_LIBS)
UNIT_TESTS += tests/check_keygen
tests_check_keygen_SOURCES = tests/check_keygen.c tests/keygen_fixture.h tests/suite.h
tests_check_keygen_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_keygen_LDADD   = $(LIBS_TLS) $(CHECK_LIBS)

UNIT_TESTS += tests/check_keygen_file
tests_check_keygen_file_SOURCES = tests/check_keygen_file.c tests/keygen_fixture.h tests/suite.h
tests_check_keygen_file_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_keygen_file_LDADD   = $(LIBS_TLS) $(CHECK_LIBS)

SHELL_TESTS += tests/test-keygen.sh
SHELL_TESTS += tests/test-units.sh tests/test-options.sh tests/test-systemd.sh

UNIT_TESTS += tests/check_sysd
tests_check_sysd_SOURCES = tests/check_sysd.c tests/suite.h
tests_check_sysd_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_sysd_LDADD   = $(LIBS_BASE) $(CHECK_LIBS)

UNIT_TESTS += tests/check_bench
tests_check_bench_SOURCES = tests/check_bench.c tests/suite.h
tests_check_bench_CFLAGS  = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_check_bench_LDADD   = $(LIBS_BENCH) $(CHECK_LIBS)
SHELL_TESTS += tests/test-bench.sh tests/test-plots.sh

if ENABLE_TESTS
check_PROGRAMS += $(UNIT_TESTS) $(FUZZERS) $(TEST_TOOLS)
TESTS          += $(UNIT_TESTS) $(FUZZ_TESTS) $(SHELL_TESTS)
else
check-local:
	@echo "make check: configured with --disable-tests" >&2; exit 1
endif

EXTRA_DIST += $(SHELL_TESTS)

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
.PHONY: bench bench-growth bench-plots bench-flame
EXTRA_DIST += $(SHELL_TESTS) tests/lib.sh
