# The sample configuration, from the table of options. A cross build cannot run the program that knows it, and installs none.
CLEANFILES += contrib/sc-server.conf contrib/sc-server.conf.tmp
confdir     = $(sysconfdir)/space-captain
exampledir  = $(docdir)/examples
if CROSS_COMPILING
else
contrib/sc-server.conf: src/sc-server$(EXEEXT)
	@$(MKDIR_P) contrib
	$(AM_V_GEN)src/sc-server$(EXEEXT) --sample-config >$@.tmp && mv -f $@.tmp $@

nodist_example_DATA = contrib/sc-server.conf

# A configuration that is there is an operator's, and stays; only the untouched sample is taken away again.
install-data-local: contrib/sc-server.conf
	$(MKDIR_P) '$(DESTDIR)$(confdir)'
	test -e '$(DESTDIR)$(confdir)/sc-server.conf' || $(INSTALL_DATA) contrib/sc-server.conf '$(DESTDIR)$(confdir)/sc-server.conf'

uninstall-local: contrib/sc-server.conf
	if cmp -s contrib/sc-server.conf '$(DESTDIR)$(confdir)/sc-server.conf'; then rm -f '$(DESTDIR)$(confdir)/sc-server.conf'; fi
	rmdir '$(DESTDIR)$(confdir)' 2>/dev/null || :
endif

# Units name the directories of the installation, which only make knows.
UNIT_TEMPLATES = \
	contrib/systemd/sc-server.service.in \
	contrib/systemd/sc-server-keygen.service.in \
	contrib/systemd/space-captain.sysusers.in \
	contrib/systemd/space-captain.tmpfiles.in
UNIT_FILES = $(UNIT_TEMPLATES:.in=)
EXTRA_DIST += $(UNIT_TEMPLATES) contrib/systemd/sc-server.socket
CLEANFILES += $(UNIT_FILES)

$(UNIT_FILES): Makefile
	@$(MKDIR_P) contrib/systemd
	$(AM_V_GEN)$(SED) -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@bindir[@]|$(bindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
		'$(srcdir)/$@.in' >$@.tmp && mv -f $@.tmp $@
contrib/systemd/sc-server.service:        contrib/systemd/sc-server.service.in
contrib/systemd/sc-server-keygen.service: contrib/systemd/sc-server-keygen.service.in
contrib/systemd/space-captain.sysusers:   contrib/systemd/space-captain.sysusers.in
contrib/systemd/space-captain.tmpfiles:   contrib/systemd/space-captain.tmpfiles.in

if WITH_SYSTEMD
noinst_DATA += contrib/systemd/space-captain.sysusers contrib/systemd/space-captain.tmpfiles

nodist_systemdsystemunit_DATA = contrib/systemd/sc-server.service contrib/systemd/sc-server-keygen.service
dist_systemdsystemunit_DATA   = contrib/systemd/sc-server.socket

# Two directories, one name in each.
install-data-hook:
	$(MKDIR_P) '$(DESTDIR)$(sysusersdir)' '$(DESTDIR)$(tmpfilesdir)'
	$(INSTALL_DATA) contrib/systemd/space-captain.sysusers '$(DESTDIR)$(sysusersdir)/space-captain.conf'
	$(INSTALL_DATA) contrib/systemd/space-captain.tmpfiles '$(DESTDIR)$(tmpfilesdir)/space-captain.conf'

uninstall-hook:
	rm -f '$(DESTDIR)$(sysusersdir)/space-captain.conf' '$(DESTDIR)$(tmpfilesdir)/space-captain.conf'
endif

EXTRA_DIST += contrib/demo.sh

# The server and the client at work, with a throw-away key; nothing is left behind.
demo: all tests/tools/wait-for$(EXEEXT)
	@SC_BUILDDIR='$(abs_top_builddir)' timeout 120 $(SHELL) $(srcdir)/contrib/demo.sh

# The server on port 4242, with the key that make made once.
run: all
	exec src/sc-server$(EXEEXT) --certificate certs/server.crt --private-key certs/server.key

.PHONY: demo run
