# SPDX-License-Identifier: MIT
# What the shell tests need beside the programs under test.
TEST_TOOLS = tests/tools/wait-for tests/tools/json-get tests/tools/hostile tests/tools/odd-server tests/tools/terminal tests/tools/as-systemd tests/tools/kill-at

TEST_TOOLS += tests/tools/connections
tests_tools_connections_SOURCES = tests/tools/connections.c
tests_tools_connections_LDADD   = $(LIBS_BASE)

TEST_TOOLS += tests/tools/load
tests_tools_load_SOURCES = \
	tests/tools/load.c \
	tests/tools/load_client.c tests/tools/load_client.h \
	tests/tools/peer.c tests/tools/peer.h \
	tests/tools/test_factor.h
tests_tools_load_LDADD = $(OPENSSL_LIBS) $(LIBS_PROTO)

tests_tools_wait_for_SOURCES = tests/tools/wait-for.c tests/tools/test_factor.h
tests_tools_wait_for_LDADD   = $(LIBS_BASE)

tests_tools_hostile_SOURCES = \
	tests/tools/client_hello.c tests/tools/client_hello.h \
	tests/tools/hostile.c \
	tests/tools/modes.h \
	tests/tools/modes_frame.c \
	tests/tools/modes_hello.c \
	tests/tools/modes_hold.c \
	tests/tools/modes_many.c \
	tests/tools/modes_slow.c \
	tests/tools/modes_tcp.c \
	tests/tools/modes_tls.c \
	tests/tools/peer.c tests/tools/peer.h \
	tests/tools/script.c tests/tools/script.h \
	tests/tools/test_factor.h \
	tests/tools/tls13_record.c tests/tools/tls13_record.h
tests_tools_hostile_LDADD = $(OPENSSL_LIBS) $(LIBS_PROTO)

tests_tools_odd_server_SOURCES = tests/tools/odd-server.c tests/tools/alpn_answer.h tests/tools/listen_anywhere.h tests/tools/odd_server.h \
	tests/tools/odd_tls.c tests/tools/test_factor.h
tests_tools_odd_server_LDADD   = $(OPENSSL_LIBS) $(LIBS_PROTO)

TEST_TOOLS += tests/tools/driver
tests_tools_driver_SOURCES = tests/tools/driver.c
tests_tools_driver_LDADD   = $(EVENT_LIBS) $(LIBS_LIB)

TEST_TOOLS += tests/tools/threads
tests_tools_threads_SOURCES = tests/tools/threads.c
tests_tools_threads_LDADD   = $(LIBS_LIB)

TEST_TOOLS += tests/tools/fleet
tests_tools_fleet_SOURCES = tests/tools/fleet.c
tests_tools_fleet_LDADD   = $(EVENT_LIBS) $(LIBS_LIB)

TEST_TOOLS += tests/tools/probe
tests_tools_probe_SOURCES = tests/tools/probe.c

TEST_TOOLS += tests/tools/tls-relay
tests_tools_tls_relay_SOURCES = tests/tools/tls-relay.c tests/tools/listen_anywhere.h
tests_tools_tls_relay_LDADD   = $(OPENSSL_LIBS)

TEST_TOOLS += tests/tools/relay
tests_tools_relay_SOURCES = tests/tools/relay.c
tests_tools_relay_LDADD   = $(LIBS_BASE)

tests_tools_terminal_SOURCES = tests/tools/terminal.c tests/tools/test_factor.h
tests_tools_terminal_LDADD   = $(LIBS_BASE)

tests_tools_kill_at_SOURCES = tests/tools/kill-at.c

TEST_TOOLS += tests/tools/check-log
tests_tools_check_log_SOURCES = tests/tools/check-log.c tests/tools/log_catalogue.h
tests_tools_check_log_LDADD   = $(LIBS_BASE)

tests_tools_json_get_SOURCES = tests/tools/json-get.c
tests_tools_json_get_LDADD   = $(LIBS_BASE)

tests_tools_as_systemd_SOURCES = tests/tools/as-systemd.c
tests_tools_as_systemd_LDADD   = $(LIBS_BASE)

# The programs with a longer table of message types: handler_ping.c takes the place of proto/handler.c. The client also watches over
# what it does to the terminal.
TEST_TOOLS += tests/tools/extended/sc-server tests/tools/extended/sc-client tests/tools/extended/sc-bench
tests_tools_extended_sc_server_SOURCES = tests/tools/handler_ping.c $(src_sc_server_SOURCES)
tests_tools_extended_sc_server_LDADD   = $(src_sc_server_LDADD)
tests_tools_extended_sc_client_SOURCES = tests/tools/handler_ping.c tests/tools/tty_modes.c $(src_sc_client_SOURCES)
tests_tools_extended_sc_client_LDADD   = $(src_sc_client_LDADD)
tests_tools_extended_sc_bench_SOURCES = tests/tools/handler_ping.c $(src_sc_bench_SOURCES)
tests_tools_extended_sc_bench_LDADD   = $(src_sc_bench_LDADD)
