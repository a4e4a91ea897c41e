# What the shell tests need beside the programs under test.
TEST_TOOLS = tests/tools/wait-for

tests_tools_wait_for_SOURCES = tests/tools/wait-for.c
tests_tools_wait_for_LDADD   = $(LIBS_BASE)
