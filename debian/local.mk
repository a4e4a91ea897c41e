# SPDX-License-Identifier: MIT
# make deb: the Debian packages, in deb/. From the tree that "make dist" would release.
DEB_FILES = debian/changelog debian/control debian/copyright debian/rules debian/source/format debian/sc-server.install \
	debian/sc-server.postrm debian/sc-server.prerm debian/space-captain-client.install debian/libspacecaptain0.install debian/libspacecaptain0.symbols \
	debian/libspacecaptain-dev.install debian/libspacecaptain-dev.examples debian/tests/control debian/tests/service debian/tests/library \
	debian/libspacecaptain0.lintian-overrides debian/libspacecaptain-dev.lintian-overrides debian/sc-server.lintian-overrides \
	debian/space-captain-client.lintian-overrides
EXTRA_DIST += $(DEB_FILES) COPYING

deb: dist
	@command -v dpkg-buildpackage >/dev/null && command -v dh >/dev/null || \
		{ echo 'make deb: apt-get install build-essential debhelper' >&2; exit 1; }
	rm -rf deb && $(MKDIR_P) deb
	tar -C deb -xf $(distdir).tar.xz
	cd deb/$(distdir) && dpkg-buildpackage -us -uc $(DEB_FLAGS)
	rm -rf deb/$(distdir)
	@ls deb/*.deb

# The packages built twice, in directories of different names and depth: the same bytes.
deb-reproducible: dist
	rm -rf deb-twice
	for directory in one two/deeper; do \
		$(MKDIR_P) deb-twice/$$directory && tar -C deb-twice/$$directory -xf $(distdir).tar.xz && \
		(cd deb-twice/$$directory/$(distdir) && DEB_BUILD_OPTIONS='nocheck parallel=2' dpkg-buildpackage -us -uc -b) || exit 1; \
	done
	@for package in deb-twice/one/*.deb; do \
		cmp "$$package" deb-twice/two/deeper/$${package##*/} || exit 1; \
		echo "the same bytes: $${package##*/}"; \
	done
	rm -rf deb-twice
clean-local:
	rm -rf deb deb-twice
.PHONY: deb deb-reproducible
