# SPDX-License-Identifier: MIT
# Unit tests: tests/unit/check_MODULE.c, one for each module, linked with the layer that the module is of and what is below it. A new one
# is two lines.
check_LIBRARIES += tests/unit/libtest.a
tests_unit_libtest_a_SOURCES = \
	tests/unit/acceptor_fixture.h \
	tests/unit/client_fixture.h \
	tests/unit/conn_fixture.h \
	tests/unit/engine_fixture.h \
	tests/unit/engine_peer.c tests/unit/engine_peer.h \
	tests/unit/failing_malloc.h \
	tests/unit/keygen_fixture.h \
	tests/tools/tls13_record.c tests/tools/tls13_record.h \
	tests/unit/kept_log.h tests/tools/log_catalogue.h \
	tests/unit/leaks.h \
	tests/unit/pin_fixture.h \
	tests/unit/pins_server.h \
	tests/unit/reload_fixture.h \
	tests/unit/scratch.h \
	tests/unit/suite.h \
	tests/unit/tickets_fixture.h \
	tests/unit/tls_fixture.c tests/unit/tls_fixture.h \
	tests/unit/tls_library_suite.h \
	tests/unit/tls_peer.c tests/unit/tls_peer.h \
	tests/unit/tlsbev_fixture.h tests/unit/tlsbev_loop.h \
	tests/unit/worker_stand_in.h

TEST_BASE   = $(LIBS_BASE) $(CHECK_LIBS)
TEST_PROTO  = $(LIBS_PROTO) $(CHECK_LIBS)
TEST_TLS    = tests/unit/libtest.a $(LIBS_TLS) $(CHECK_LIBS)
TEST_NET    = tests/unit/libtest.a $(LIBS_NET) $(CHECK_LIBS)
TEST_SERVER = tests/unit/libtest.a $(LIBS_SERVER) $(CHECK_LIBS)
TEST_LIB    = tests/unit/libtest.a $(LIBS_LIB) $(CHECK_LIBS)
TEST_CLIENT = tests/unit/libtest.a $(LIBS_CLIENT) $(CHECK_LIBS)
TEST_BENCH  = $(LIBS_BENCH) $(CHECK_LIBS)

UNIT_TESTS =
UNIT_TESTS += tests/unit/check_account
tests_unit_check_account_LDADD = $(TEST_BASE)
UNIT_TESTS += tests/unit/check_backoff
tests_unit_check_backoff_LDADD = $(TEST_BASE)
UNIT_TESTS += tests/unit/check_clock
tests_unit_check_clock_LDADD = $(TEST_BASE)
UNIT_TESTS += tests/unit/check_confine
tests_unit_check_confine_LDADD = $(TEST_BASE)
UNIT_TESTS += tests/unit/check_connect
tests_unit_check_connect_LDADD = $(TEST_BASE)
UNIT_TESTS += tests/unit/check_err
tests_unit_check_err_LDADD = $(TEST_BASE)
UNIT_TESTS += tests/unit/check_escape
tests_unit_check_escape_LDADD = $(TEST_BASE)
UNIT_TESTS += tests/unit/check_file
tests_unit_check_file_LDADD = $(TEST_BASE)
UNIT_TESTS += tests/unit/check_hist
tests_unit_check_hist_LDADD = $(TEST_BASE)
UNIT_TESTS += tests/unit/check_json
tests_unit_check_json_LDADD = $(TEST_BASE)
UNIT_TESTS += tests/unit/check_journal
tests_unit_check_journal_LDADD = $(TEST_BASE)
UNIT_TESTS += tests/unit/check_lock_file
tests_unit_check_lock_file_LDADD = $(TEST_BASE)
UNIT_TESTS += tests/unit/check_log
tests_unit_check_log_LDADD = $(TEST_BASE)
UNIT_TESTS += tests/unit/check_log_stderr
tests_unit_check_log_stderr_LDADD = $(TEST_BASE)
UNIT_TESTS += tests/unit/check_opt
tests_unit_check_opt_LDADD = $(TEST_BASE)
UNIT_TESTS += tests/unit/check_resolve
tests_unit_check_resolve_LDADD = $(TEST_BASE)
UNIT_TESTS += tests/unit/check_parse
tests_unit_check_parse_LDADD = $(TEST_BASE)
UNIT_TESTS += tests/unit/check_program
tests_unit_check_program_LDADD = $(TEST_BASE)
UNIT_TESTS += tests/unit/check_sysd
tests_unit_check_sysd_LDADD = $(TEST_BASE)
UNIT_TESTS += tests/unit/check_user_file
tests_unit_check_user_file_LDADD = $(TEST_BASE)

UNIT_TESTS += tests/unit/check_frame
tests_unit_check_frame_LDADD = $(TEST_PROTO)
UNIT_TESTS += tests/unit/check_handler
tests_unit_check_handler_LDADD = $(TEST_PROTO)

UNIT_TESTS += tests/unit/check_announcement
tests_unit_check_announcement_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_cert_files
tests_unit_check_cert_files_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_certificate
tests_unit_check_certificate_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_peer_policy
tests_unit_check_peer_policy_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_config_file
tests_unit_check_config_file_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_context
tests_unit_check_context_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_context_digest
tests_unit_check_context_digest_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_explain
tests_unit_check_explain_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_keygen
tests_unit_check_keygen_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_keygen_file
tests_unit_check_keygen_file_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_keygen_read
tests_unit_check_keygen_read_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_key_log
tests_unit_check_key_log_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_ocsp
tests_unit_check_ocsp_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_outcome
tests_unit_check_outcome_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_pin
tests_unit_check_pin_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_pin_list
tests_unit_check_pin_list_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_pin_match
tests_unit_check_pin_match_LDADD = $(TEST_TLS)
EXTRA_DIST += tests/vectors/make-pins.sh tests/vectors/pins.txt
UNIT_TESTS += tests/unit/check_pins_message
tests_unit_check_pins_message_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_processor
tests_unit_check_processor_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_selftest
tests_unit_check_selftest_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_session_cache
tests_unit_check_session_cache_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_ticket_keys
tests_unit_check_ticket_keys_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_tls_error
tests_unit_check_tls_error_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_hello_peek
tests_unit_check_hello_peek_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_tickets
tests_unit_check_tickets_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_trace
tests_unit_check_trace_LDADD = $(TEST_TLS)
UNIT_TESTS += tests/unit/check_watch
tests_unit_check_watch_LDADD = $(TEST_TLS)

UNIT_TESTS += tests/unit/check_addr
tests_unit_check_addr_LDADD = $(TEST_NET)
UNIT_TESTS += tests/unit/check_framebuf
tests_unit_check_framebuf_LDADD = $(TEST_NET)
UNIT_TESTS += tests/unit/check_listen
tests_unit_check_listen_LDADD = $(TEST_NET)
UNIT_TESTS += tests/unit/check_loop
tests_unit_check_loop_LDADD = $(TEST_NET)
UNIT_TESTS += tests/unit/check_mailbox
tests_unit_check_mailbox_LDADD = $(TEST_NET)
UNIT_TESTS += tests/unit/check_tlsbev
tests_unit_check_tlsbev_LDADD = $(TEST_NET)
UNIT_TESTS += tests/unit/check_tlsbev_handshake
tests_unit_check_tlsbev_handshake_LDADD = $(TEST_NET)
UNIT_TESTS += tests/unit/check_tlsbev_peer
tests_unit_check_tlsbev_peer_LDADD = $(TEST_NET)
UNIT_TESTS += tests/unit/check_network
tests_unit_check_network_LDADD = $(TEST_NET)
UNIT_TESTS += tests/unit/check_proxy_header
tests_unit_check_proxy_header_LDADD = $(TEST_NET)
UNIT_TESTS += tests/unit/check_wheel
tests_unit_check_wheel_LDADD = $(TEST_NET)

UNIT_TESTS += tests/unit/check_acceptor
tests_unit_check_acceptor_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_address_limits
tests_unit_check_address_limits_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_admission
tests_unit_check_admission_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_config
tests_unit_check_config_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_conn
tests_unit_check_conn_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_conn_admission
tests_unit_check_conn_admission_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_conn_deadline
tests_unit_check_conn_deadline_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_conn_log
tests_unit_check_conn_log_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_conn_pins
tests_unit_check_conn_pins_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_conn_serve
tests_unit_check_conn_serve_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_continuity
tests_unit_check_continuity_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_drain
tests_unit_check_drain_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_expiry
tests_unit_check_expiry_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_limits
tests_unit_check_limits_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_proxy_wait
tests_unit_check_proxy_wait_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_reload
tests_unit_check_reload_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_reload_expiry
tests_unit_check_reload_expiry_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_reload_memory
tests_unit_check_reload_memory_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_signer
tests_unit_check_signer_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_snapshot
tests_unit_check_snapshot_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_memory_trim
tests_unit_check_memory_trim_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_passphrase
tests_unit_check_passphrase_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_pin_meter
tests_unit_check_pin_meter_LDADD = $(TEST_SERVER) -lm
UNIT_TESTS += tests/unit/check_port_file
tests_unit_check_port_file_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_watchdog
tests_unit_check_watchdog_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_admin
tests_unit_check_admin_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_admin_request
tests_unit_check_admin_request_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_history
tests_unit_check_history_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_loop_health
tests_unit_check_loop_health_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_status
tests_unit_check_status_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_status_client
tests_unit_check_status_client_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_admin_connections
tests_unit_check_admin_connections_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_process
tests_unit_check_process_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_prometheus
tests_unit_check_prometheus_LDADD = $(TEST_SERVER)
EXTRA_DIST += tests/unit/golden/metrics.txt tests/unit/golden/openmetrics.txt
UNIT_TESTS += tests/unit/check_stats
tests_unit_check_stats_LDADD = $(TEST_SERVER)
UNIT_TESTS += tests/unit/check_workers
tests_unit_check_workers_LDADD = $(TEST_SERVER)

UNIT_TESTS += tests/unit/check_proxy_command
tests_unit_check_proxy_command_LDADD = $(TEST_CLIENT)

UNIT_TESTS += tests/unit/check_bench
tests_unit_check_bench_LDADD = $(TEST_BENCH)
UNIT_TESTS += tests/unit/check_bench_compare
tests_unit_check_bench_compare_LDADD = $(TEST_BENCH)
UNIT_TESTS += tests/unit/check_bench_conn
tests_unit_check_bench_conn_LDADD = tests/unit/libtest.a $(TEST_BENCH)
UNIT_TESTS += tests/unit/check_bench_counting
tests_unit_check_bench_counting_LDADD = $(TEST_BENCH)
UNIT_TESTS += tests/unit/check_bench_run
tests_unit_check_bench_run_LDADD = $(TEST_BENCH)
UNIT_TESTS += tests/unit/check_bench_seconds
tests_unit_check_bench_seconds_LDADD = $(TEST_BENCH)
UNIT_TESTS += tests/unit/check_bench_target
tests_unit_check_bench_target_LDADD = $(TEST_BENCH)
UNIT_TESTS += tests/unit/check_bench_options
tests_unit_check_bench_options_LDADD = $(TEST_BENCH)

UNIT_TESTS += tests/unit/check_client
tests_unit_check_client_LDADD = $(TEST_LIB)
UNIT_TESTS += tests/unit/check_client_calls
tests_unit_check_client_calls_LDADD = $(TEST_LIB)
UNIT_TESTS += tests/unit/check_pin_store
tests_unit_check_pin_store_LDADD = $(TEST_LIB)
UNIT_TESTS += tests/unit/check_engine_store
tests_unit_check_engine_store_LDADD = $(TEST_LIB)
UNIT_TESTS += tests/unit/check_engine_splits
tests_unit_check_engine_splits_LDADD = $(TEST_LIB)
UNIT_TESTS += tests/unit/check_engine_memory
tests_unit_check_engine_memory_LDADD = $(TEST_LIB)
UNIT_TESTS += tests/unit/check_client_libevent
tests_unit_check_client_libevent_LDADD = $(TEST_CLIENT)
UNIT_TESTS += tests/unit/check_engine
tests_unit_check_engine_LDADD = $(TEST_LIB)
if WITH_MBEDTLS
UNIT_TESTS += tests/unit/check_byte_queue
tests_unit_check_byte_queue_LDADD = $(TEST_LIB)
endif
UNIT_TESTS += tests/unit/check_engine_floods
tests_unit_check_engine_floods_LDADD = $(TEST_LIB)
UNIT_TESTS += tests/unit/check_engine_tls
tests_unit_check_engine_tls_LDADD = $(TEST_LIB)
