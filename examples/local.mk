# SPDX-License-Identifier: MIT
# Programs that use libspacecaptain as any other program would; tests/system/test-library.sh builds and runs them.
dist_example_DATA += examples/blocking.c examples/libevent.c examples/own-loop.c examples/ctypes_client.py
