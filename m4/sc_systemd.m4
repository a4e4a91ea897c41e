# SPDX-License-Identifier: MIT
# SC_SYSTEMD: where units, sysusers and tmpfiles go. --without-systemd installs none; directories can be given one by one.
AC_DEFUN([SC_SYSTEMD], [
    AC_ARG_WITH([systemd], [AS_HELP_STRING([--without-systemd], [install no units, sysusers.d and tmpfiles.d])], [], [with_systemd=yes])
    SC_SYSTEMD_DIR([systemdsystemunitdir], [system units], [lib/systemd/system])
    SC_SYSTEMD_DIR([sysusersdir], [sysusers.d files], [lib/sysusers.d])
    SC_SYSTEMD_DIR([tmpfilesdir], [tmpfiles.d files], [lib/tmpfiles.d])
    AM_CONDITIONAL([WITH_SYSTEMD], [test "x$with_systemd" != xno])
])

# SC_SYSTEMD_DIR(VARIABLE, WHAT, UNDER-PREFIX): systemd looks below /usr, /usr/local and /etc; PREFIX/lib is right for the first two.
AC_DEFUN([SC_SYSTEMD_DIR], [
    AC_ARG_WITH([$1], [AS_HELP_STRING([--with-$1=DIR], [directory for $2 @<:@PREFIX/$3@:>@])], [$1=$withval], [$1='${prefix}/$3'])
    AS_IF([test "x$with_systemd" = xno], [$1=no])
    AC_SUBST([$1])
])
