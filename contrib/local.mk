# SPDX-License-Identifier: MIT
# The sample configuration and the completion of shells, from the tables of options. A cross build cannot run the programs that know
# them, and installs none.
CLEANFILES += contrib/sc-server.conf contrib/sc-server.conf.tmp
confdir     = $(sysconfdir)/space-captain
exampledir  = $(docdir)/examples
dist_example_DATA = contrib/haproxy/haproxy.cfg
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

# The completion of the shells, from the tables of options.
COMPLETION_BASH = contrib/completion/bash/sc-server contrib/completion/bash/sc-client contrib/completion/bash/sc-keygen contrib/completion/bash/sc-bench
COMPLETION_ZSH  = contrib/completion/zsh/_sc-server contrib/completion/zsh/_sc-client contrib/completion/zsh/_sc-keygen contrib/completion/zsh/_sc-bench
COMPLETION_FISH = contrib/completion/fish/sc-server.fish contrib/completion/fish/sc-client.fish contrib/completion/fish/sc-keygen.fish \
	contrib/completion/fish/sc-bench.fish
COMPLETIONS = $(COMPLETION_BASH) $(COMPLETION_ZSH) $(COMPLETION_FISH)
CLEANFILES += $(COMPLETIONS)
noinst_DATA += $(COMPLETIONS)

$(COMPLETION_BASH): contrib/completion/bash.in
$(COMPLETION_ZSH): contrib/completion/zsh.in
$(COMPLETION_FISH): contrib/completion/fish.in
$(COMPLETIONS): src/completion$(EXEEXT)
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)program=$(@F) && program=$${program#_} && \
		src/completion$(EXEEXT) $${program%.fish} <'$(srcdir)/$(@D).in' >$@.tmp && mv -f $@.tmp $@

if WITH_BASH_COMPLETION
nodist_bashcompletion_DATA = $(COMPLETION_BASH)
endif
if WITH_ZSH_COMPLETION
nodist_zshcompletion_DATA = $(COMPLETION_ZSH)
endif
if WITH_FISH_COMPLETION
nodist_fishcompletion_DATA = $(COMPLETION_FISH)
endif
endif
EXTRA_DIST += contrib/completion/bash.in contrib/completion/zsh.in contrib/completion/fish.in

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

# For Prometheus and Grafana.
prometheusdir        = $(datadir)/space-captain/prometheus
grafanadir           = $(datadir)/space-captain/grafana
dist_prometheus_DATA = contrib/prometheus/space-captain.rules.yml contrib/prometheus/space-captain.test.yml
dist_grafana_DATA    = contrib/grafana/space-captain.json

EXTRA_DIST += contrib/demo.sh

# The server and the client at work, with a throw-away key; nothing is left behind.
demo: all tests/tools/wait-for$(EXEEXT)
	@SC_BUILDDIR='$(abs_top_builddir)' timeout 120 $(SHELL) $(srcdir)/contrib/demo.sh

# The server on port 4242, with the key that make made once.
run: all
	exec src/sc-server$(EXEEXT) --certificate certs/server.crt --private-key certs/server.key

.PHONY: demo run
