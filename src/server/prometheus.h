/* SPDX-License-Identifier: MIT */
/*
 * Metrics as text for Prometheus: its text format 0.0.4, and OpenMetrics 1.0. Names start with
 * "spacecaptain_" (those of the process with "process_"); counters end in "_total", units are
 * seconds and bytes. A pure function.
 */
#ifndef SC_SERVER_PROMETHEUS_H
#define SC_SERVER_PROMETHEUS_H

#include <stdio.h>

#include "server/metrics.h"

enum sc_prometheus_format { SC_PROMETHEUS_TEXT, SC_PROMETHEUS_OPENMETRICS };

const char *sc_prometheus_content_type(enum sc_prometheus_format format);
void sc_prometheus_write(const struct sc_metrics *metrics, enum sc_prometheus_format format,
                         FILE *out);

#endif
