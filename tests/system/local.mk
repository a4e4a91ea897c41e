# End-to-end tests: tests/system/test-WHAT.sh, with the real programs, on tests/system/lib.sh.
SHELL_TESTS = \
	tests/system/test-address-limits.sh \
	tests/system/test-attack-memory.sh \
	tests/system/test-bad-input.sh \
	tests/system/test-bench.sh \
	tests/system/test-bench-latency.sh \
	tests/system/test-bench-tls.sh \
	tests/system/test-client-auth.sh \
	tests/system/test-client-cert.sh \
	tests/system/test-client-conf.sh \
	tests/system/test-client-openssl.sh \
	tests/system/test-client-server.sh \
	tests/system/test-client.sh \
	tests/system/test-completion.sh \
	tests/system/test-documents.sh \
	tests/system/test-expiry.sh \
	tests/system/test-handlers.sh \
	tests/system/test-handshake-rate.sh \
	tests/system/test-hostile.sh \
	tests/system/test-interop.sh \
	tests/system/test-keygen.sh \
	tests/system/test-layers.sh \
	tests/system/test-library.sh \
	tests/system/test-lifecycle.sh \
	tests/system/test-man.sh \
	tests/system/test-many.sh \
	tests/system/test-mbedtls.sh \
	tests/system/test-memory.sh \
	tests/system/test-metrics.sh \
	tests/system/test-options-table.sh \
	tests/system/test-options-tls.sh \
	tests/system/test-options.sh \
	tests/system/test-owner.sh \
	tests/system/test-plots.sh \
	tests/system/test-protocol.sh \
	tests/system/test-proxy-command.sh \
	tests/system/test-reload-settings.sh \
	tests/system/test-reload.sh \
	tests/system/test-rotation.sh \
	tests/system/test-service.sh \
	tests/system/test-status-page.sh \
	tests/system/test-stuck-log.sh \
	tests/system/test-systemd.sh \
	tests/system/test-tls.sh \
	tests/system/test-units.sh \
	tests/system/test-workers.sh
EXTRA_DIST += $(SHELL_TESTS) tests/system/lib.sh tests/system/without-option.sh tests/system/box.sh tests/system/box-boot.sh
