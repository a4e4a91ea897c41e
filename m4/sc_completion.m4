# SPDX-License-Identifier: MIT
# SC_COMPLETION: where the shells look for the completion of a command. --without-completion installs none; each directory can be given,
# and "no" leaves out that shell.
AC_DEFUN([SC_COMPLETION], [
    AC_ARG_WITH([completion], [AS_HELP_STRING([--without-completion], [install no completion for bash, zsh and fish])],
                [], [with_completion=yes])
    SC_COMPLETION_DIR([bash], [bash-completion/completions])
    # In Debian's zsh the directory below /usr has another name.
    AS_IF([test "x$prefix" = x/usr && test -e /etc/debian_version], [sc_zsh_functions=vendor-completions], [sc_zsh_functions=site-functions])
    SC_COMPLETION_DIR([zsh], [zsh/$sc_zsh_functions])
    SC_COMPLETION_DIR([fish], [fish/vendor_completions.d])
    AM_CONDITIONAL([WITH_BASH_COMPLETION], [test "x$bashcompletiondir" != xno])
    AM_CONDITIONAL([WITH_ZSH_COMPLETION], [test "x$zshcompletiondir" != xno])
    AM_CONDITIONAL([WITH_FISH_COMPLETION], [test "x$fishcompletiondir" != xno])
])

# SC_COMPLETION_DIR(SHELL, UNDER-DATADIR): all three look below /usr/share and /usr/local/share; DATADIR is right for both.
AC_DEFUN([SC_COMPLETION_DIR], [
    AC_ARG_WITH([$1completiondir], [AS_HELP_STRING([--with-$1completiondir=DIR], [directory for the completion of $1 @<:@below DATADIR@:>@])],
                [$1completiondir=$withval], [$1completiondir=yes])
    AS_IF([test "x$with_completion" = xno], [$1completiondir=no])
    AS_IF([test "x$$1completiondir" = xyes], [$1completiondir="\${datadir}/$2"])
    AC_SUBST([$1completiondir])
])
