/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "client/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/program.h"

static const char *const words[] = {"ok", "note", "FAILED", "skipped"};
static const char *const json_words[] = {"ok", "note", "failed", "skipped"};

void sc_doctor_fact(struct sc_doctor *doctor, const char *key, const char *fmt, ...)
{
    if (doctor->fact_count < SC_DOCTOR_FACTS) {
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(doctor->facts[doctor->fact_count].text, sizeof(doctor->facts[0].text), fmt,
                        args);
        va_end(args);
        doctor->facts[doctor->fact_count].key = key;
        doctor->facts[doctor->fact_count++].is_number = false;
    }
}

void sc_doctor_number(struct sc_doctor *doctor, const char *key, double value)
{
    sc_doctor_fact(doctor, key, "%.9f", value);
    doctor->facts[doctor->fact_count - 1].is_number = true;
}

/* Bytes that are not UTF-8 are escaped first: JSON has no way to hold them. */
static void put_json(const char *key, const char *text)
{
    char line[1024];
    (void)sc_escape_line(line, sizeof(line), text, strlen(text));
    printf(",\"%s\":", key);
    sc_escape_json(stdout, line, strlen(line));
}

static void print_json(const struct sc_doctor *doctor, const char *layer,
                       enum sc_doctor_verdict verdict, int status, const char *text)
{
    printf("{\"layer\":\"%s\",\"verdict\":\"%s\"", layer, json_words[verdict]);
    if (verdict == SC_DOCTOR_FAILED) {
        printf(",\"status\":%d", status);
    }
    put_json("text", text);
    for (size_t i = 0; i < doctor->fact_count; i++) {
        if (doctor->facts[i].is_number) {
            printf(",\"%s\":%s", doctor->facts[i].key, doctor->facts[i].text);
        } else {
            put_json(doctor->facts[i].key, doctor->facts[i].text);
        }
    }
    (void)puts("}");
}

void sc_doctor_report(struct sc_doctor *doctor, const char *layer, enum sc_doctor_verdict verdict,
                      int status, const char *fmt, ...)
{
    char text[1024], line[1200];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (verdict == SC_DOCTOR_FAILED && doctor->status == 0) {
        doctor->status = status;
        doctor->failed_layer = layer;
    }
    if (doctor->options->json) {
        print_json(doctor, layer, verdict, status, text);
    } else {
        (void)sc_escape_line(line, sizeof(line), text, strlen(text));
        printf("%-8s%-20s%s\n", words[verdict], layer, line);
    }
    doctor->fact_count = 0;
    if (doctor->output.status == 0) { /* the next step may take its time */
        (void)!sc_program_flush(&doctor->output);
    }
}

void sc_doctor_sum_up(struct sc_doctor *doctor)
{
    if (doctor->options->json) {
        printf("{\"layer\":\"all\",\"verdict\":\"%s\",\"status\":%d",
               doctor->status ? "failed" : "ok", doctor->status);
        if (doctor->status) {
            put_json("first", doctor->failed_layer);
        }
        (void)puts("}");
    } else if (doctor->status) {
        printf("The first layer that fails: %s (exit status %d).\n", doctor->failed_layer,
               doctor->status);
    } else {
        (void)puts("All is well.");
    }
}
