# SPDX-License-Identifier: MIT
# Each layer is an archive. Order matters to the linker, upper layers first: it is what keeps the arrows pointing one way.
noinst_LIBRARIES   += src/libscnet.a src/libscserver.a src/libscclient.a src/libscbench.a
# What libspacecaptain is made of: built with and without -fPIC.
noinst_LTLIBRARIES += src/libscbase.la src/libscproto.la src/libsctls.la src/libsclib.la

src_libscbase_la_SOURCES = \
	src/base/account.c src/base/account.h \
	src/base/backoff.c src/base/backoff.h \
	src/base/clock.c src/base/clock.h \
	src/base/compiler.h \
	src/base/confine.c src/base/confine.h \
	src/base/config_errors.c src/base/config_errors.h \
	src/base/connect.c src/base/connect.h \
	src/base/descriptors.c src/base/descriptors.h \
	src/base/err.c src/base/err.h \
	src/base/escape.c src/base/escape.h \
	src/base/hist.c src/base/hist.h \
	src/base/file.c src/base/file.h \
	src/base/json.c src/base/json.h \
	src/base/journal.c src/base/journal.h \
	src/base/lock_file.c src/base/lock_file.h \
	src/base/log.c src/base/log.h src/base/log_events.def \
	src/base/new_file.c src/base/new_file.h \
	src/base/opt.c src/base/opt.h \
	src/base/opt_settings.c src/base/opt_settings.h \
	src/base/parse.c src/base/parse.h \
	src/base/program.c src/base/program.h \
	src/base/resolve.c src/base/resolve.h \
	src/base/sysd.c src/base/sysd.h \
	src/base/thread.c src/base/thread.h \
	src/base/user_file.c src/base/user_file.h

src_libscproto_la_SOURCES = \
	src/proto/frame.c src/proto/frame.h \
	src/proto/handler.c src/proto/handler.h \
	src/proto/pins.h

src_libsctls_la_SOURCES = \
	src/tls/announcement.c src/tls/announcement.h \
	src/tls/certificate.c src/tls/certificate.h \
	src/tls/command.h \
	src/tls/command_files.c src/tls/command_files.h \
	src/tls/commands.c src/tls/commands.h \
	src/tls/config_file.c src/tls/config_file.h \
	src/tls/context.c src/tls/context.h \
	src/tls/error.c src/tls/error.h \
	src/tls/explain.c src/tls/explain.h \
	src/tls/handshake_hooks.c src/tls/handshake_hooks.h \
	src/tls/hello_peek.c src/tls/hello_peek.h \
	src/tls/info.c src/tls/info.h \
	src/tls/key_log.c src/tls/key_log.h \
	src/tls/keygen.c src/tls/keygen.h \
	src/tls/keygen_file.c \
	src/tls/cert_files.c src/tls/cert_files.h \
	src/tls/ocsp.c src/tls/ocsp.h \
	src/tls/outcome.c src/tls/outcome.h \
	src/tls/processor.c src/tls/processor.h \
	src/tls/rotation.c src/tls/rotation.h \
	src/tls/passphrase_prompt.c src/tls/passphrase_prompt.h \
	src/tls/peer_policy.c src/tls/peer_policy.h \
	src/tls/pin.c src/tls/pin.h \
	src/tls/pin_file.c \
	src/tls/pin_list.c \
	src/tls/pin_format.c \
	src/tls/pin_match.c \
	src/tls/pin_mismatch.c src/tls/pin_mismatch.h \
	src/tls/pin_set.h \
	src/tls/pin_text.c \
	src/tls/pins_message.c src/tls/pins_message.h \
	src/tls/selftest.c src/tls/selftest.h \
	src/tls/session_cache.c src/tls/session_cache.h \
	src/tls/ticket_file.c src/tls/ticket_file.h \
	src/tls/tickets.c src/tls/tickets.h \
	src/tls/user_conf.c src/tls/user_conf.h \
	src/tls/verify.c src/tls/verify.h \
	src/tls/trace.c src/tls/trace.h \
	src/tls/watch.c src/tls/watch.h \
	src/tls/weak_settings.c src/tls/weak_settings.h

src_libsclib_la_SOURCES = \
	src/lib/blocking.c \
	src/lib/client.c \
	src/lib/engine.c src/lib/engine.h \
	src/lib/engine_new.c \
	src/lib/engine_send.c \
	src/lib/engine_store.c \
	src/lib/frame_reader.c src/lib/frame_reader.h \
	src/lib/kept_requests.c src/lib/kept_requests.h \
	src/lib/link.c src/lib/link.h \
	src/lib/pin_store.c src/lib/pin_store.h \
	src/lib/pin_store_calls.c \
	src/lib/pin_store_text.c src/lib/pin_store_text.h \
	src/lib/read_pins.c \
	src/lib/saved_session.c src/lib/saved_session.h \
	src/lib/settings.c src/lib/sized.h \
	src/lib/tls_library.c src/lib/tls_library.h \
	src/lib/tls_openssl.c
if WITH_MBEDTLS
src_libsclib_la_SOURCES += \
	src/lib/byte_queue.c src/lib/byte_queue.h \
	src/lib/mbedtls_error.c src/lib/mbedtls_error.h \
	src/lib/mbedtls_settings.c src/lib/mbedtls_settings.h \
	src/lib/tls_mbedtls.c
endif

# The library: its interface is src/spacecaptain/client.h, and its symbols are those of the map.
lib_LTLIBRARIES += src/libspacecaptain.la
dist_man_MANS += man/sc_client.3 man/sc_client_engine.3 man/sc_client_settings.3
spacecaptainincludedir = $(includedir)/spacecaptain
spacecaptaininclude_HEADERS = src/spacecaptain/client.h src/spacecaptain/client_types.h src/spacecaptain/client_libevent.h
src_libspacecaptain_la_SOURCES =
src_libspacecaptain_la_LIBADD  = src/libsclib.la src/libscproto.la src/libsctls.la src/libscbase.la $(MBEDTLS_LIBS) $(OPENSSL_LIBS) $(PTHREAD_LIBS)
src_libspacecaptain_la_LDFLAGS = $(SC_SHARED_LDFLAGS) -version-info 0:0:0 -no-undefined \
	-Wl,--version-script=$(srcdir)/src/lib/libspacecaptain.map
EXTRA_DIST += src/lib/libspacecaptain.map
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = src/lib/space-captain.pc

src_libscnet_a_SOURCES = \
	src/net/addr.c src/net/addr.h \
	src/net/framebuf.c src/net/framebuf.h \
	src/net/listen.c src/net/listen.h \
	src/net/loop.c src/net/loop.h \
	src/net/mailbox.c src/net/mailbox.h \
	src/net/network.c src/net/network.h \
	src/net/proxy_header.c src/net/proxy_header.h \
	src/net/tlsbev.c src/net/tlsbev.h \
	src/net/tlsbev_cycle.c src/net/tlsbev_cycle.h \
	src/net/tlsbev_io.c src/net/tlsbev_io.h \
	src/net/wheel.c src/net/wheel.h

src_libscclient_a_CPPFLAGS = $(AM_CPPFLAGS) $(EDIT_CFLAGS)
src_libscclient_a_SOURCES = \
	src/client/body.c src/client/body.h \
	src/client/cli.h \
	src/client/complete.c src/client/complete.h \
	src/client/first_use.c src/client/first_use.h \
	src/client/doctor.c src/client/doctor.h \
	src/client/doctor_find.c \
	src/client/doctor_probe.c \
	src/client/doctor_report.c \
	src/client/doctor_request.c \
	src/client/doctor_server.c \
	src/client/interactive.c \
	src/client/lines.c \
	src/client/oneshot.c \
	src/client/options.c src/client/options.h \
	src/client/output.c src/client/output.h \
	src/client/output_pins.c src/client/output_pins.h \
	src/client/prompt.c src/client/prompt.h \
	src/client/prompt_history.c src/client/prompt_history.h \
	src/client/proxy_command.c src/client/proxy_command.h \
	src/client/repeat.c \
	src/client/session.c src/client/session.h \
	src/client/session_file.c src/client/session_file.h \
	src/client/terminal.c src/client/terminal.h

# Its defaults name the directory of the installation.
src_libscserver_a_CPPFLAGS = $(AM_CPPFLAGS) -DSC_SYSCONFDIR='"$(sysconfdir)"'
# Another ./configure may have changed it.
$(src_libscserver_a_OBJECTS): Makefile
src_libscserver_a_SOURCES = \
	src/server/acceptor.c src/server/acceptor.h \
	src/server/admin.c src/server/admin.h \
	src/server/admin_connections.c src/server/admin_connections.h \
	src/server/admin_page.c src/server/admin_page.h \
	src/server/admin_request.c src/server/admin_request.h \
	src/server/address_limits.c src/server/address_limits.h \
	src/server/address_table.c src/server/address_table.h \
	src/server/admission.c src/server/admission.h \
	src/server/admission_queue.c src/server/admission_queue.h \
	src/server/watchdog.c src/server/watchdog.h \
	src/server/reload.c src/server/reload.h \
	src/server/config_cmdline.c \
	src/server/config_table.h \
	src/server/config_text.c \
	src/server/config_value.c \
	src/server/configuration.c src/server/configuration.h \
	src/server/client_command.c src/server/client_command.h \
	src/server/conn.c src/server/conn.h \
	src/server/conn_admission.c \
	src/server/conn_deadline.c src/server/conn_deadline.h \
	src/server/conn_log.c src/server/conn_log.h \
	src/server/conn_pins.c \
	src/server/conn_origin.h \
	src/server/conn_serve.c \
	src/server/conn_state.h \
	src/server/continuity.c src/server/continuity.h \
	src/server/drain.c src/server/drain.h \
	src/server/expiry.c src/server/expiry.h \
	src/server/history.c src/server/history.h \
	src/server/lifecycle_log.c src/server/lifecycle_log.h \
	src/server/limits.c src/server/limits.h \
	src/server/loop_health.c src/server/loop_health.h \
	src/server/metrics.c src/server/metrics.h \
	src/server/process.c src/server/process.h \
	src/server/proxy_wait.c src/server/proxy_wait.h \
	src/server/prometheus.c src/server/prometheus.h \
	src/server/memory_trim.c src/server/memory_trim.h \
	src/server/signer.c src/server/signer.h \
	src/server/snapshot.c src/server/snapshot.h \
	src/server/options.def \
	src/server/passphrase.c src/server/passphrase.h \
	src/server/pin_meter.c src/server/pin_meter.h \
	src/server/port_file.c src/server/port_file.h \
	src/server/server.c src/server/server.h \
	src/server/sockets.c src/server/sockets.h \
	src/server/stored_tickets.c src/server/stored_tickets.h \
	src/server/stats.c src/server/stats.def src/server/stats.h \
	src/server/status.c src/server/status.h \
	src/server/status_client.c src/server/status_client.h \
	src/server/worker.c src/server/worker.h \
	src/server/workers.c src/server/workers.h

# The status page, as arrays.
PAGE_FILES = src/server/page/document.html src/server/page/script.js src/server/page/style.css
EXTRA_DIST += $(PAGE_FILES) src/server/page/to_c.awk
CLEANFILES += src/server/page_files.h src/server/page_files.h.tmp
src/server/page_files.h: $(PAGE_FILES) src/server/page/to_c.awk
	@$(MKDIR_P) src/server
	$(AM_V_GEN)for name in document script style; do \
		file=`ls $(srcdir)/src/server/page/$$name.*` && od -An -v -tu1 "$$file" | $(AWK) -v name=$$name -f $(srcdir)/src/server/page/to_c.awk || exit; \
	done >$@.tmp && mv -f $@.tmp $@
src/server/libscserver_a-admin_page.$(OBJEXT): src/server/page_files.h

src_libscbench_a_SOURCES = \
	src/bench/callbacks.c src/bench/callbacks.h \
	src/bench/compare.c src/bench/compare.h \
	src/bench/conn.c src/bench/conn.h \
	src/bench/expect.c src/bench/expect.h \
	src/bench/json.c \
	src/bench/options.c src/bench/options.h \
	src/bench/plan.h \
	src/bench/report.c src/bench/report.h \
	src/bench/run.c src/bench/run.h \
	src/bench/schedule.c src/bench/schedule.h \
	src/bench/seconds.c src/bench/seconds.h \
	src/bench/stats.c src/bench/stats.h \
	src/bench/stream.c src/bench/stream.h \
	src/bench/svg.c \
	src/bench/target.c src/bench/target.h \
	src/bench/thread.c src/bench/thread.h \
	src/bench/usage.c src/bench/usage.h \
	src/bench/worker.h

# What to link with a layer and all below it.
LIBS_BASE  = src/libscbase.la $(PTHREAD_LIBS)
LIBS_PROTO = src/libscproto.la $(LIBS_BASE)
LIBS_TLS   = src/libsctls.la $(OPENSSL_LIBS) $(LIBS_BASE)
LIBS_NET   = src/libscnet.a src/libscproto.la $(EVENT_LIBS) $(LIBS_TLS)
LIBS_LIB   = src/libsclib.la $(MBEDTLS_LIBS) src/libscproto.la $(LIBS_TLS)
LIBS_SERVER = src/libscserver.a $(LIBS_NET)
LIBS_CLIENT = src/libscclient.a $(EVENT_LIBS) $(LIBS_LIB)
LIBS_BENCH  = src/libscbench.a $(EVENT_LIBS) src/libscproto.la $(LIBS_TLS) -lm

# Compiled once for all programs.
PROGRAM_FILES = src/programs/version.c src/programs/version.h
CLIENT_PROGRAM_FILES = $(PROGRAM_FILES) src/programs/key_log_path.c src/programs/key_log_path.h
PROGRAM_LIBS  = $(EVENT_LIBS) $(OPENSSL_LIBS)

bin_PROGRAMS += src/sc-keygen
src_sc_keygen_SOURCES = \
	src/programs/sc-keygen.c \
	src/programs/keygen_check.c src/programs/keygen_check.h \
	src/programs/keygen_names.c src/programs/keygen_names.h \
	src/programs/keygen_options.c src/programs/keygen_options.h \
	src/programs/keygen_rotate.c src/programs/keygen_rotate.h \
	src/programs/keygen_server.c src/programs/keygen_server.h \
	src/programs/keygen_show.c src/programs/keygen_show.h \
	$(PROGRAM_FILES)
src_sc_keygen_LDADD = src/libscserver.a $(LIBS_TLS) $(PROGRAM_LIBS)
dist_man_MANS += man/sc-keygen.1 man/sc-server.8 man/sc-server.conf.5

# The manual of the log has its lists from the table of events.
nodist_man_MANS = man/sc-server.log.7
EXTRA_DIST += man/sc-server.log.7.in man/log-events.awk
CLEANFILES += man/sc-server.log.7
man/sc-server.log.7: man/sc-server.log.7.in man/log-events.awk src/base/log_events.def
	$(AM_V_GEN)$(MKDIR_P) man && \
	$(AWK) -f $(srcdir)/man/log-events.awk $(srcdir)/src/base/log_events.def $(srcdir)/man/sc-server.log.7.in >$@.tmp && mv $@.tmp $@

bin_PROGRAMS += src/sc-client
dist_man_MANS += man/sc-client.1
src_sc_client_SOURCES = src/programs/sc-client.c $(CLIENT_PROGRAM_FILES)
src_sc_client_LDADD = $(LIBS_CLIENT) $(PROGRAM_LIBS) $(EDIT_LIBS)

sbin_PROGRAMS += src/sc-server
src_sc_server_SOURCES = src/programs/sc-server.c $(PROGRAM_FILES)
src_sc_server_LDADD   = $(LIBS_SERVER) $(PROGRAM_LIBS)

bin_PROGRAMS += src/sc-bench
dist_man_MANS += man/sc-bench.1
src_sc_bench_SOURCES = src/programs/sc-bench.c $(CLIENT_PROGRAM_FILES)
src_sc_bench_LDADD   = $(LIBS_BENCH) $(PROGRAM_LIBS)

# Makes the completion of the shells from the tables of options; see contrib/local.mk.
noinst_PROGRAMS += src/completion
src_completion_SOURCES = \
	src/programs/completion.c src/programs/completion.h \
	src/programs/completion_shells.c \
	src/programs/keygen_options.c src/programs/keygen_options.h
src_completion_LDADD = src/libscserver.a src/libscclient.a src/libscbench.a $(LIBS_NET) $(LIBS_LIB) -lm
