#include "config.h"

#include "server/stats.h"

#include <stdio.h>

#include "proto/frame.h"

void sc_stats_sum(struct sc_stats *sum, const struct sc_stats *from)
{
#define SC_COUNTER(field, help) sc_stats_add(&sum->field, sc_stats_get(&from->field));
#include "server/stats.def"
#undef SC_COUNTER
    for (size_t i = 0; i < SC_HANDLER_MAX; i++) {
        sc_stats_add(&sum->requests[i], sc_stats_get(&from->requests[i]));
    }
    for (size_t i = 0; i < SC_STATS_ERROR_CODES; i++) {
        sc_stats_add(&sum->errors[i], sc_stats_get(&from->errors[i]));
    }
}

void sc_stats_each(const struct sc_stats *stats,
                   void (*each)(const char *name, uint64_t value, void *arg), void *arg)
{
    char name[64];
#define SC_COUNTER(field, help) each(#field, sc_stats_get(&stats->field), arg);
#include "server/stats.def"
#undef SC_COUNTER
    for (size_t i = 0; sc_handler_at(i); i++) {
        (void)snprintf(name, sizeof(name), "requests_%s", sc_handler_at(i)->name);
        each(name, sc_stats_get(&stats->requests[i]), arg);
    }
    for (uint32_t code = 1; code < SC_STATS_ERROR_CODES; code++) {
        (void)snprintf(name, sizeof(name), "errors_%s", sc_error_code_name(code));
        for (char *p = name; *p; p++) {
            *p = *p == ' ' ? '_' : *p;
        }
        each(name, sc_stats_get(&stats->errors[code]), arg);
    }
}
