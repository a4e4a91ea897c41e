# SPDX-License-Identifier: MIT
# SC_PKG(PREFIX, MODULES, WHAT, DEBIAN-PACKAGE): pkg-config modules that must be there; names the package that is missing.
AC_DEFUN([SC_PKG], [
    AS_IF([test -z "$PKG_CONFIG"],
          [AC_MSG_ERROR([pkg-config is missing; install it: apt-get install pkg-config (or run ./bootstrap --install-deps)])])
    PKG_CHECK_MODULES([$1], [$2], [],
        [AC_MSG_ERROR([$3 is missing; install it: apt-get install $4 (or run ./bootstrap --install-deps). pkg-config says: $$1_PKG_ERRORS])])
])
