/* SPDX-License-Identifier: MIT */
/*
 * A result as SVG: latency (logarithmic) by percentile, where each further nine has the same width.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/parse.h"
#include "bench/report.h"

#define WIDTH 860.0
#define HEIGHT 460.0
#define LEFT 86.0
#define RIGHT 44.0
#define TOP 104.0
#define BOTTOM 58.0

/* The percentiles that have a tick; the first of them also a label with their value. */
static const struct {
    const char *name;
    double percent;
} ticks[] = {{"p50", 50.0},     {"p90", 90.0},       {"p99", 99.0},        {"p99.9", 99.9},
             {"p99.99", 99.99}, {"p99.999", 99.999}, {"p99.9999", 99.9999}};
#define LABELLED_TICKS 4U /* to p99.9: three nines, which every drawing has */

struct scale {
    double nines; /* at the right end */
    double low_ns, high_ns; /* powers of ten */
};

/* The text may be a file name, or an address with a path. */
static void put_text(FILE *out, const char *text)
{
    char safe[512];
    (void)sc_escape_line(safe, sizeof(safe), text, strlen(text));
    for (const char *p = safe; *p; p++) {
        switch (*p) {
        case '<': (void)fputs("&lt;", out); break;
        case '>': (void)fputs("&gt;", out); break;
        case '&': (void)fputs("&amp;", out); break;
        default: (void)fputc(*p, out); break;
        }
    }
}

/* 90 % is one nine, 99 % two: how many nines a share of the values has. */
static double nines_of(double share)
{
    return -log10(1.0 - share);
}

static double x_of(const struct scale *scale, double nines)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * nines / scale->nines;
}

static double y_of(const struct scale *scale, double ns)
{
    return HEIGHT - BOTTOM -
           (HEIGHT - TOP - BOTTOM) * log10(ns / scale->low_ns) /
               log10(scale->high_ns / scale->low_ns);
}

static struct scale make_scale(const struct sc_hist *hist, const struct sc_hist *other)
{
    const double low = (double)(sc_hist_min(hist) > 0 ? sc_hist_min(hist) : 1U);
    const double low2 =
        other->count > 0 && sc_hist_min(other) > 0 ? (double)sc_hist_min(other) : low;
    const double high =
        (double)(sc_hist_max(hist) > sc_hist_max(other) ? sc_hist_max(hist) : sc_hist_max(other));
    struct scale scale;
    scale.nines = ceil(log10((double)hist->count));
    scale.nines = scale.nines < 3.0 ? 3.0 : scale.nines;
    scale.low_ns = pow(10.0, floor(log10(low < low2 ? low : low2)));
    scale.high_ns = pow(10.0, ceil(log10(high > 1.0 ? high : 1.0)));
    if (scale.high_ns <= scale.low_ns) {
        scale.high_ns = scale.low_ns * 10.0;
    }
    return scale;
}

static void draw_grid(FILE *out, const struct scale *scale)
{
    const int decades = (int)(log10(scale->high_ns / scale->low_ns) + 0.5);
    for (int i = 0; i <= decades; i++) {
        const double ns = scale->low_ns * pow(10.0, i);
        char text[32];
        sc_bench_format_ns(ns * 1.0000001, text);
        (void)fprintf(out,
                      "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/><text x=\"%.1f\" y=\"%.1f\" "
                      "text-anchor=\"end\">%s</text>\n",
                      LEFT, y_of(scale, ns), WIDTH - RIGHT, LEFT - 8.0, y_of(scale, ns) + 4.0,
                      text);
    }
    for (size_t i = 0; i < SC_COUNT_OF(ticks); i++) {
        const double nines = nines_of(ticks[i].percent / 100.0);
        if (nines > scale->nines + 0.001) {
            break;
        }
        (void)fprintf(out,
                      "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/><text x=\"%.1f\" y=\"%.1f\" "
                      "text-anchor=\"middle\">%s</text>\n",
                      x_of(scale, nines), TOP, HEIGHT - BOTTOM, x_of(scale, nines),
                      HEIGHT - BOTTOM + 20.0, ticks[i].name);
    }
    (void)fprintf(out, "<path class=\"axis\" d=\"M%.1f %.1fV%.1fH%.1f\"/>\n", LEFT, TOP,
                  HEIGHT - BOTTOM, WIDTH - RIGHT);
}

/*
 * A point and the value at the ticks up to p99.9; further ones would be of a few operations. Left
 * above the curve, which rises, or right below it where there is no room.
 */
static void draw_values(FILE *out, const struct scale *scale, const struct sc_hist *hist)
{
    const double label_width = 60.0;
    for (size_t i = 0; i < LABELLED_TICKS; i++) {
        const double ns = (double)sc_hist_percentile(hist, ticks[i].percent);
        const double x = x_of(scale, nines_of(ticks[i].percent / 100.0));
        const double y = y_of(scale, ns > 0.0 ? ns : 1.0);
        const bool left = x - label_width > LEFT;
        char text[32];
        sc_bench_format_ns(ns, text);
        (void)fprintf(out,
                      "<circle class=\"point\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>"
                      "<text class=\"value\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n",
                      x, y, left ? x - 6.0 : x + 6.0, left ? y - 7.0 : y + 17.0,
                      left ? "end" : "start", text);
    }
}

/* A step for each bucket that holds something. */
static void draw_curve(FILE *out, const struct scale *scale, const struct sc_hist *hist,
                       const char *class)
{
    uint64_t seen = 0;
    double before = 0.0;
    (void)fprintf(out, "<path class=\"%s\" d=\"M%.1f %.1f", class, x_of(scale, 0.0),
                  y_of(scale, (double)(hist->min_ns > 0 ? hist->min_ns : 1U)));
    for (size_t i = 0; i < SC_HIST_BUCKETS && seen < hist->count; i++) {
        if (hist->buckets[i] == 0) {
            continue;
        }
        seen += hist->buckets[i];
        const uint64_t end = sc_hist_bucket_max(i);
        const uint64_t value = seen == hist->count ? hist->max_ns : end > 0 ? end : 1U;
        const double nines =
            seen == hist->count ? scale->nines : nines_of((double)seen / (double)hist->count);
        (void)fprintf(out, "L%.1f %.1f", x_of(scale, before),
                      y_of(scale, (double)(value > 0 ? value : 1U)));
        before = nines < scale->nines ? nines : scale->nines;
        (void)fprintf(out, "H%.1f", x_of(scale, before));
    }
    (void)fputs("\"/>\n", out);
}

static void draw_head(FILE *out, const struct sc_bench_plan *plan,
                      const struct sc_bench_result *result)
{
    char date[SC_CLOCK_RFC3339_BYTES + 1], rate[32];
    sc_clock_rfc3339(result->started, date);
    (void)fprintf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
                  "width=\"%.0f\" height=\"%.0f\" "
                  "font-family=\"sans-serif\" font-size=\"12\">\n"
                  "<style>.grid{stroke:#ddd;fill:none}.axis{stroke:#888;fill:none}"
                  ".main{stroke:#0b5fa5;stroke-width:2;fill:none}.raw{stroke:#c4570c;"
                  "stroke-width:2;stroke-dasharray:6 4;fill:none}.point{fill:#0b5fa5}"
                  "text{fill:#222}.value{fill:#0b5fa5;font-weight:bold;paint-order:stroke;"
                  "stroke:#fff;stroke-width:4px}</style>\n<rect width=\"100%%\" "
                  "height=\"100%%\" fill=\"#fff\"/>\n",
                  WIDTH, HEIGHT, WIDTH, HEIGHT);
    (void)fprintf(out, "<text x=\"%.0f\" y=\"24\" font-size=\"16\">%s by percentile</text>\n", LEFT,
                  plan->mode == SC_BENCH_HOLD ? "Time of the handshake" : "Latency");
    (void)fprintf(out, "<text x=\"%.0f\" y=\"44\">", LEFT);
    put_text(out, result->target);
    if (*result->tls.version) {
        (void)fprintf(out, ", %s %s %s", result->tls.version, result->tls.cipher,
                      result->tls.group);
    }
    (void)fprintf(out, ", %.10s %.8s UTC</text>\n", date, date + 11);
    (void)fprintf(out, "<text x=\"%.0f\" y=\"62\">", LEFT);
    sc_bench_print_plan(out, plan);
    (void)fprintf(out, "</text>\n<text x=\"%.0f\" y=\"80\">", LEFT);
    if (plan->mode != SC_BENCH_HOLD) {
        sc_bench_format_rate(sc_bench_rate(result), rate);
        (void)fprintf(out, "%s %s a second for %.2f s, ", rate, sc_bench_operations_name(plan, 0),
                      result->elapsed_s);
    }
    (void)fprintf(out, "%" PRIu64 " error%s</text>\n", sc_bench_errors(result),
                  sc_plural(sc_bench_errors(result)));
}

static void draw_legend(FILE *out)
{
    (void)fprintf(out,
                  "<path class=\"main\" d=\"M%.0f %.0fh30\"/><text x=\"%.0f\" y=\"%.0f\">from "
                  "the intended start</text>\n"
                  "<path class=\"raw\" d=\"M%.0f %.0fh30\"/><text x=\"%.0f\" y=\"%.0f\">raw, "
                  "from the real start</text>\n",
                  LEFT + 14.0, TOP + 18.0, LEFT + 52.0, TOP + 22.0, LEFT + 14.0, TOP + 38.0,
                  LEFT + 52.0, TOP + 42.0);
}

static void draw(FILE *out, const struct sc_bench_plan *plan, const struct sc_bench_result *result)
{
    /* --hold has no latencies but those of the handshakes. */
    const struct sc_hist *hist =
        plan->mode == SC_BENCH_HOLD ? &result->stats.handshake : &result->stats.latency;
    const struct sc_hist *raw = &result->stats.raw;
    draw_head(out, plan, result);
    if (hist->count > 0) {
        const struct scale scale = make_scale(hist, raw);
        draw_grid(out, &scale);
        if (raw->count > 0) {
            draw_curve(out, &scale, raw, "raw");
        }
        draw_curve(out, &scale, hist, "main");
        draw_values(out, &scale, hist);
        if (raw->count > 0) {
            draw_legend(out);
        }
        (void)fprintf(out,
                      "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">percentile of %" PRIu64
                      " %s</text>\n",
                      (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 14.0, hist->count,
                      sc_bench_operations_name(plan, hist->count));
    } else {
        (void)fprintf(
            out,
            "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\" font-size=\"16\">There is "
            "nothing to draw: no %s was answered</text>\n",
            WIDTH / 2.0, (TOP + HEIGHT) / 2.0,
            plan->mode == SC_BENCH_HANDSHAKES ? "handshake" : "request");
    }
    (void)fputs("</svg>\n", out);
}

int sc_bench_report_svg_check(const char *path, struct sc_err *err)
{
    struct stat status;
    const bool is_there = lstat(path, &status) == 0;
    if (is_there && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
        return 0; /* opening and closing a FIFO would be the end of file for its reader */
    }
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        return sc_err_set_errno(err, EX_CANTCREAT, errno, "--svg %s", path);
    }
    (void)close(fd);
    if (!is_there) {
        (void)unlink(path);
    }
    return 0;
}

int sc_bench_report_svg(const char *path, const struct sc_bench_options *options,
                        const struct sc_bench_result *result, struct sc_err *err)
{
    FILE *out = fopen(path, "we");
    if (!out) {
        return sc_err_set_errno(err, EX_CANTCREAT, errno, "--svg %s", path);
    }
    draw(out, &options->plan, result);
    const int failed = ferror(out);
    if (fclose(out) != 0 || failed) {
        return sc_err_set_errno(err, EX_IOERR, errno, "--svg %s", path);
    }
    return 0;
}
