# SPDX-License-Identifier: MIT
# A key and a certificate to try things with, made by the first `make`, in the build directory, and never again: the pin stays the same.
# They are not part of a release and are not installed; `make distclean` removes them.
EXTRA_DIST     += certs/README
DISTCLEANFILES += certs/server.key certs/server.crt

if CROSS_COMPILING
all-local:
	@test -e certs/server.key || echo "make: a cross build can't run sc-keygen; on the target: sc-keygen --out certs/server"
else
all-local: src/sc-keygen$(EXEEXT)
	@if test -e certs/server.key || test -e certs/server.crt; then :; else \
	    echo "  GEN      certs/server.key certs/server.crt"; \
	    $(MKDIR_P) certs && src/sc-keygen$(EXEEXT) --out certs/server >/dev/null; \
	fi
endif
