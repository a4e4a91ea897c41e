/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/opt_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static void setting_fini(struct sc_opt_setting *setting)
{
    free(setting->value);
    free(setting->where);
}

int sc_opt_settings_add(struct sc_opt_settings *settings, const struct sc_opt *option,
                        const char *value, const char *where, struct sc_err *err)
{
    char argument[64];
    (void)snprintf(argument, sizeof(argument), "--%s", option->name);
    struct sc_opt_setting setting = {.option = option,
                                     .value = value ? strdup(value) : NULL,
                                     .where = strdup(where ? where : argument),
                                     .is_argument = !where};
    struct sc_opt_setting *list =
        realloc(settings->list, (settings->count + 1) * sizeof(*settings->list));
    if (list) {
        settings->list = list;
    }
    if (!list || !setting.where || (value && !setting.value)) {
        setting_fini(&setting);
        return sc_err_set(err, EX_OSERR, "out of memory");
    }
    list[settings->count++] = setting;
    return 0;
}

struct sc_opt_setting *sc_opt_settings_find(const struct sc_opt_settings *settings,
                                            const char *name)
{
    for (size_t i = settings->count; i > 0; i--) {
        if (strcmp(settings->list[i - 1].option->name, name) == 0) {
            return &settings->list[i - 1];
        }
    }
    return NULL;
}

void sc_opt_settings_drop(struct sc_opt_settings *settings)
{
    setting_fini(&settings->list[--settings->count]);
}

void sc_opt_settings_fini(struct sc_opt_settings *settings)
{
    while (settings->count > 0) {
        sc_opt_settings_drop(settings);
    }
    free(settings->list);
    *settings = (struct sc_opt_settings){0};
}
