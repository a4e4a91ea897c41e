# SPDX-License-Identifier: MIT
# Fuzz targets: see tests/fuzz/fuzz.h. `make fuzz` gives each FUZZ_SECONDS; without libFuzzer they replay inputs of their own.
FUZZERS      = tests/fuzz/fuzz_config tests/fuzz/fuzz_engine tests/fuzz/fuzz_frame tests/fuzz/fuzz_pin_list tests/fuzz/fuzz_pin_store tests/fuzz/fuzz_pins \
	tests/fuzz/fuzz_proxy_header tests/fuzz/fuzz_text
FUZZ_SECONDS = 60
if ENABLE_FUZZING
FUZZ_MAIN  =
FUZZ_LINK  = -fsanitize=fuzzer
FUZZ_TESTS =
else
FUZZ_MAIN  = tests/fuzz/replay.c
FUZZ_LINK  =
FUZZ_TESTS = $(FUZZERS)
endif
EXTRA_DIST += tests/fuzz/replay.c

tests_fuzz_fuzz_frame_SOURCES = tests/fuzz/fuzz_frame.c tests/fuzz/fuzz.h
nodist_tests_fuzz_fuzz_frame_SOURCES = $(FUZZ_MAIN)
tests_fuzz_fuzz_frame_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_frame_LDADD   = $(LIBS_NET)

tests_fuzz_fuzz_proxy_header_SOURCES = tests/fuzz/fuzz_proxy_header.c tests/fuzz/fuzz.h
nodist_tests_fuzz_fuzz_proxy_header_SOURCES = $(FUZZ_MAIN)
tests_fuzz_fuzz_proxy_header_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_proxy_header_LDADD   = $(LIBS_NET)

tests_fuzz_fuzz_pin_list_SOURCES = tests/fuzz/fuzz_pin_list.c tests/fuzz/fuzz.h
nodist_tests_fuzz_fuzz_pin_list_SOURCES = $(FUZZ_MAIN)
tests_fuzz_fuzz_pin_list_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_pin_list_LDADD   = $(LIBS_TLS)

tests_fuzz_fuzz_pins_SOURCES = tests/fuzz/fuzz_pins.c tests/fuzz/fuzz.h
nodist_tests_fuzz_fuzz_pins_SOURCES = $(FUZZ_MAIN)
tests_fuzz_fuzz_pins_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_pins_LDADD   = $(LIBS_TLS)

tests_fuzz_fuzz_pin_store_SOURCES = tests/fuzz/fuzz_pin_store.c tests/fuzz/fuzz.h
nodist_tests_fuzz_fuzz_pin_store_SOURCES = $(FUZZ_MAIN)
tests_fuzz_fuzz_pin_store_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_pin_store_LDADD   = $(LIBS_LIB)

# Each round is a TLS handshake.
tests_fuzz_fuzz_engine_SOURCES = tests/fuzz/fuzz_engine.c tests/fuzz/fuzz.h
nodist_tests_fuzz_fuzz_engine_SOURCES = $(FUZZ_MAIN)
tests_fuzz_fuzz_engine_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_ROUNDS=1500U
tests_fuzz_fuzz_engine_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_engine_LDADD   = tests/unit/libtest.a $(LIBS_LIB)

tests_fuzz_fuzz_text_SOURCES = tests/fuzz/fuzz_text.c tests/fuzz/fuzz.h
nodist_tests_fuzz_fuzz_text_SOURCES = $(FUZZ_MAIN)
tests_fuzz_fuzz_text_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_text_LDADD   = $(LIBS_TLS)

tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c tests/fuzz/fuzz.h
nodist_tests_fuzz_fuzz_config_SOURCES = $(FUZZ_MAIN)
tests_fuzz_fuzz_config_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_config_LDADD   = $(LIBS_SERVER)

fuzz: $(FUZZERS)
	@if test -n '$(FUZZ_TESTS)'; then echo "make fuzz needs ./configure CC=clang --enable-fuzzing" >&2; exit 1; fi
	for fuzzer in $(FUZZERS); do $$fuzzer -max_len=512 -max_total_time=$(FUZZ_SECONDS) || exit 1; done
.PHONY: fuzz
