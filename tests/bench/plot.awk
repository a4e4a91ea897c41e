# SPDX-License-Identifier: MIT
# Draws what make bench and make bench-growth have measured (make bench-plots):
#
#   awk -v out=DIR -f svg.awk -f plot.awk bench.md growth.md
#
# reads their saved output and writes, for each table that is in it, one of
#
#   DIR/ratio.svg        each server's operations per processor second, as a ratio to the bare server's
#   DIR/memory.svg       memory for each idle connection
#   DIR/connections.svg  DIR/bodies.svg  DIR/depth.svg   operations per processor second as a load grows
#   DIR/fairness.svg     latencies of a light client beside a heavy one
#
# A table that it cannot read ends it with one line on stderr and status 65, and then nothing is written.

BEGIN {
    KINDS = split("ratio memory connections bodies depth fairness", kinds, " ")
    caption_of["ratio"] = "Operations for each second of the server's processor time"
    caption_of["memory"] = "Resident memory for each idle connection"
    caption_of["connections"] = "Connections ("
    caption_of["bodies"] = "Bodies ("
    caption_of["depth"] = "Depth ("
    caption_of["fairness"] = "A light client ("
}

# ---- reading ----

function die(where, what) {
    print "plot.awk: " where ": " what | "cat >&2"
    failed = 1
    exit 65
}

function trimmed(s) {
    gsub(/^[ \t]+|[ \t]+$/, "", s)
    return s
}

# The kind of the table under a caption; "": one that is not drawn.
function kind_under(caption, i) {
    for (i = 1; i <= KINDS; i++) {
        if (index(caption, caption_of[kinds[i]]) == 1) {
            return kinds[i]
        }
    }
    return ""
}

function start_table(line, parts, n, i) {
    kind = kind_under(caption)
    lines = 1
    if (kind == "") {
        return
    }
    if (kind in columns) {
        die(FILENAME ":" FNR, "a second table of \"" caption "\"; one result of each kind is drawn")
    }
    n = split(line, parts, "|")
    columns[kind] = n - 2
    rows[kind] = 0
    home[kind] = FILENAME
    for (i = 1; i <= n - 2; i++) {
        head[kind, i] = trimmed(parts[i + 1])
    }
}

function add_row(line, parts, n, i, r) {
    n = split(line, parts, "|")
    if (n - 2 != columns[kind]) {
        die(FILENAME ":" FNR, "the row has " (n - 2) " cells, not " columns[kind] "; save the output of make bench as it is")
    }
    r = ++rows[kind]
    place[kind, r] = FILENAME ":" FNR
    for (i = 1; i <= columns[kind]; i++) {
        cell[kind, r, i] = trimmed(parts[i + 1])
    }
}

{ sub(/\r$/, "") }
FNR == 1 { caption = ""; kind = ""; lines = 0 }
FNR == 1 && /^[0-9]+-[0-9]+-[0-9]+,/ { machine[FILENAME] = $0 }
FNR <= 3 && match($0, /OpenSSL [0-9.]+/) { machine[FILENAME] = machine[FILENAME] ", " substr($0, RSTART, RLENGTH) }
/^\|/ && !lines { start_table($0); next }
/^\|/ && ++lines == 2 {
    if (kind != "" && !/^\|([ :]*-+[ :]*\|)+$/) {
        die(FILENAME ":" FNR, "no line of dashes under the head of the table; save the output of make bench as it is")
    }
    next
}
/^\|/ { if (kind != "") add_row($0); next }
{ lines = 0; kind = "" }
NF { caption = $0 }

# The column with that head.
function column(kind, name, i) {
    for (i = 1; i <= columns[kind]; i++) {
        if (head[kind, i] == name) {
            return i
        }
    }
    die(home[kind], "the table of " kind " has no column \"" name "\"; BENCH_SERVERS must have ours and bare")
}

function number(kind, r, c, s) {
    s = cell[kind, r, c]
    if (s !~ /^[0-9]+([.][0-9]+)?$/) {
        die(place[kind, r], "\"" s "\" is not a number")
    }
    return s + 0
}

# Of 4K, 1M and plain numbers.
function size(kind, r, c, s, factor) {
    s = cell[kind, r, c]
    factor = s ~ /K$/ ? 1024 : s ~ /M$/ ? 1048576 : 1
    if (s !~ /^[0-9]+[KM]?$/) {
        die(place[kind, r], "\"" s "\" is not a size")
    }
    return substr(s, 1, length(s) - (factor > 1)) * factor
}

# What a load is, in two lines under the axis: 64x1x64, or the options of sc-bench.
function load_label(x, s, parts, first, second) {
    first = s
    if (s ~ /^[0-9]+x[0-9]+x[0-9]+[KM]?$/) {
        split(s, parts, "x")
    } else if (s ~ /^-c [0-9]+ -d [0-9]+ -s [0-9]+[KM]?$/) {
        split(s, parts, " ")
        parts[1] = parts[2]; parts[2] = parts[4]; parts[3] = parts[6]
    } else if (s == "handshake" || s == "resume") {
        first = s == "resume" ? "resumed handshake" : "full handshake"
        second = "and one request"
    }
    if (1 in parts) {
        first = parts[1] (parts[1] == 1 ? " connection" : " connections")
        sub(/K$/, " Ki", parts[3])
        sub(/M$/, " Mi", parts[3])
        second = parts[2] " \303\227 " parts[3] (parts[3] ~ /i$/ ? "B in flight" : " B in flight")
    }
    write(x, BOTTOM + 17, "middle", "", first)
    write(x, BOTTOM + 31, "middle", "note", second)
}

# ---- bars ----

function bar(kind, places, r, c, x, wide, y, server, tip) {
    if (bar_value[r, c] < 0) {
        write(x + wide / 2, BOTTOM - 6, "middle", "note", "\342\200\223")
        return
    }
    server = head[kind, c]
    y = y_of(bar_value[r, c])
    tip = escaped(name_of(server) ", " cell[kind, r, 1] ": " cell[kind, r, c])
    put(sprintf("<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"><title>%s</title></rect>", x + 1, y,
        wide - 2, BOTTOM - y, colour_of(server), tip))
    write(x + wide / 2, y - 4, "middle", server == "ours" ? "small ours" : "small", sprintf("%." places "f", bar_value[r, c]))
}

# A group of bars for each row, a bar in it for each server but the one that is the reference. bar_value[row, column] are the heights; a
# negative one is a dash.
function bars(kind, places, reference, r, c, n, wide, group, x) {
    n = 0
    for (c = 2; c <= columns[kind]; c++) {
        if (head[kind, c] != reference) {
            legend("bar", colour_of(head[kind, c]), name_of(head[kind, c]))
            n++
        }
    }
    group = (RIGHT - LEFT) / rows[kind]
    wide = group * 0.9 / (n > 0 ? n : 1)
    wide = wide > 44 ? 44 : wide
    for (r = 1; r <= rows[kind]; r++) {
        x = LEFT + group * (r - 0.5) - wide * n / 2
        for (c = 2; c <= columns[kind]; c++) {
            if (head[kind, c] != reference) {
                bar(kind, places, r, c, x, wide)
                x += wide
            }
        }
    }
}

function draw_ratio(r, c, s, high) {
    high = 1
    column("ratio", "bare")
    for (r = 1; r <= rows["ratio"]; r++) {
        for (c = 2; c <= columns["ratio"]; c++) {
            s = cell["ratio", r, c]
            if (s !~ /^[0-9,]+ \([0-9]+[.][0-9]+\)$/) {
                die(place["ratio", r], "\"" s "\" is not a number with its ratio in brackets")
            }
            sub(/^.*\(/, "", s)
            bar_value[r, c] = s + 0
            high = bar_value[r, c] > high ? bar_value[r, c] : high
        }
    }
    open_svg("ratio", "Work done in a second of processor time",
        "operations per second of the server's processor time; the bare server is 1", "ratio to the bare server", "",
        machine[home["ratio"]])
    linear_scale(high * 1.04)
    put(sprintf("<path class=\"reference\" d=\"M%.1f %.1fH%.1f\"/>", LEFT, y_of(1), RIGHT))
    bars("ratio", 2, "bare")
    legend("reference", "", "bare server")
    for (r = 1; r <= rows["ratio"]; r++) {
        load_label(LEFT + (RIGHT - LEFT) / rows["ratio"] * (r - 0.5), cell["ratio", r, 1])
    }
    close_svg()
}

function draw_memory(r, c, high) {
    for (r = 1; r <= rows["memory"]; r++) {
        for (c = 2; c <= columns["memory"]; c++) {
            bar_value[r, c] = cell["memory", r, c] ~ /^needs / ? -1 : number("memory", r, c)
            high = bar_value[r, c] > high ? bar_value[r, c] : high
        }
    }
    open_svg("memory", "Memory for each idle connection", "resident memory of a server that was just started, TLS 1.3; less is better",
        "KiB for each connection", "idle connections", machine[home["memory"]])
    linear_scale(high * 1.04)
    bars("memory", 1, "")
    for (r = 1; r <= rows["memory"]; r++) {
        write(LEFT + (RIGHT - LEFT) / rows["memory"] * (r - 0.5), BOTTOM + 18, "middle", "", grouped(size("memory", r, 1)))
    }
    close_svg()
}

# ---- lines ----

# at[row], the places of the rows along a logarithmic axis. A zero, which has none there, stands a step before the rest. Returns the first
# row that has a place of its own.
function place_rows(kind, r, low, high, from, n) {
    n = rows[kind]
    from = size(kind, 1, 1) == 0 && n > 1 ? 2 : 1
    for (r = from; r <= n; r++) {
        if (size(kind, r, 1) <= (r > from ? size(kind, r - 1, 1) : 0)) {
            die(place[kind, r], "the first column does not grow")
        }
    }
    low = size(kind, from, 1)
    high = size(kind, n, 1)
    for (r = 1; r <= n; r++) {
        at[r] = r < from ? 0 : from - 1 + (high > low ? log(size(kind, r, 1) / low) / log(high / low) * (n - from) : 0)
        at[r] = LEFT + 34 + (RIGHT - LEFT - 60) * at[r] / (n > 1 ? n - 1 : 1)
    }
    return from
}

function curve(kind, server, shape, from, r, c, path) {
    c = column(kind, server ", op/CPU s")
    for (r = from; r <= rows[kind]; r++) {
        path = path sprintf("%s%.1f %.1f", r == from ? "M" : "L", at[r], y_of(number(kind, r, c)))
    }
    put("<path class=\"line\" stroke=\"" colour_of(server) "\" d=\"" path "\"/>")
    if (from == 2) {
        put(sprintf("<path class=\"line\" stroke=\"%s\" stroke-dasharray=\"3 4\" d=\"M%.1f %.1fL%.1f %.1f\"/>", colour_of(server), at[1],
            y_of(number(kind, 1, c)), at[2], y_of(number(kind, 2, c))))
    }
    for (r = 1; r <= rows[kind]; r++) {
        mark(shape, at[r], y_of(number(kind, r, c)), colour_of(server),
            name_of(server) ", " cell[kind, r, 1] ": " grouped(number(kind, r, c)) " operations per processor second")
    }
}

function draw_growth(kind, title, subtitle, x_label, r, i, v, low, high, from, of, ratio) {
    of[1] = column(kind, "ours, op/CPU s")
    of[2] = column(kind, "bare, op/CPU s")
    ratio = column(kind, "ratio")
    low = 1e99
    for (r = 1; r <= rows[kind]; r++) {
        for (i = 1; i <= 2; i++) {
            v = number(kind, r, of[i])
            if (v <= 0) {
                die(place[kind, r], "no operations at all")
            }
            low = v < low ? v : low
            high = v > high ? v : high
        }
    }
    from = place_rows(kind)
    open_svg(kind, title, subtitle, "operations per CPU second" (high > 20 * low ? " (log)" : ""), x_label, machine[home[kind]])
    if (high > 20 * low) {
        log_scale(low, high, "")
    } else {
        linear_scale(high * 1.04)
    }
    curve(kind, "bare", "square", from)
    curve(kind, "ours", "disc", from)
    legend("disc", colour_of("ours"), name_of("ours"))
    legend("square", colour_of("bare"), name_of("bare"))
    write(LEFT - 8, BOTTOM + 34, "end", "note", "ratio")
    for (r = 1; r <= rows[kind]; r++) {
        put(sprintf("<path class=\"axis\" d=\"M%.1f %.1fv5\"/>", at[r], BOTTOM))
        write(at[r], BOTTOM + 18, "middle", "", kind == "bodies" ? cell[kind, r, 1] : grouped(size(kind, r, 1)))
        write(at[r], BOTTOM + 34, "middle", "note", sprintf("%.2f", number(kind, r, ratio)))
    }
    close_svg()
}

# ---- latencies ----

# Three latencies of a row on one stem, each with its value beside it; values that would overlap are pushed up.
function stem(r, x, server, c, i, v, y, before, s, last) {
    c = column("fairness", "p50")
    put(sprintf("<path class=\"line\" stroke=\"%s\" stroke-opacity=\".45\" d=\"M%.1f %.1fV%.1f\"/>", colour_of(server), x,
        y_of(number("fairness", r, c)), y_of(number("fairness", r, c + 2))))
    before = 1e9
    for (i = 0; i < 3; i++) {
        v = number("fairness", r, c + i)
        y = y_of(v)
        mark(i == 0 ? "disc" : i == 1 ? "diamond" : "triangle", x, y, colour_of(server),
            name_of(server) " beside " cell["fairness", r, 1] ": " head["fairness", c + i] " " v " ms")
        y = y + 4 > before - 11 ? before - 11 : y + 4
        s = v >= 100 ? sprintf("%.0f", v) : sprintf("%.2g", v)
        if (s != last) {
            write(x + 9, y, "start", "small", s)
            before = y
        }
        last = s
    }
    c = column("fairness", "timed out")
    if (number("fairness", r, c) > 0) {
        write(x, TOP - 6, "middle", "bad", cell["fairness", r, c] " timed out")
    }
}

function draw_fairness(r, c, i, n, low, high, group, known, order, p50, of) {
    p50 = column("fairness", "p50")
    of = column("fairness", "server")
    low = 1e99
    for (r = 1; r <= rows["fairness"]; r++) {
        for (c = p50; c < p50 + 3; c++) {
            if (number("fairness", r, c) <= 0) {
                die(place["fairness", r], "a latency of zero")
            }
            low = number("fairness", r, c) < low ? number("fairness", r, c) : low
            high = number("fairness", r, c) > high ? number("fairness", r, c) : high
        }
        if (!(cell["fairness", r, 1] in known)) {
            order[++n] = cell["fairness", r, 1]
            known[order[n]] = n
        }
    }
    open_svg("fairness", "A light client beside a heavy one", "latency of its 200 requests of 64 bytes a second, in ms; one worker",
        "latency (log)", "the heavy client", machine[home["fairness"]])
    log_scale(low, high, "ms")
    group = (RIGHT - LEFT) / n
    for (r = 1; r <= rows["fairness"]; r++) {
        c = cell["fairness", r, of]
        stem(r, LEFT + group * (known[cell["fairness", r, 1]] - 0.5) + (c == "ours" ? -44 : 20), c)
    }
    for (i = 1; i <= n; i++) {
        load_label(LEFT + group * (i - 0.5), order[i])
    }
    legend("bar", colour_of("ours"), name_of("ours"))
    legend("bar", colour_of("bare"), name_of("bare"))
    legend("disc", "#888", "p50")
    legend("diamond", "#888", "p99")
    legend("triangle", "#888", "longest")
    close_svg()
}

# Drawn twice, the first time without a file, so that bad figures are found before there is one.
function draw() {
    if ("ratio" in rows) draw_ratio()
    if ("memory" in rows) draw_memory()
    if ("connections" in rows) {
        draw_growth("connections", "Operations per CPU second as connections grow", "one request of 64 bytes in flight on each",
            "connections (log)")
    }
    if ("bodies" in rows) {
        draw_growth("bodies", "Operations per CPU second as bodies grow", "8 connections, 4 requests in flight on each",
            "bytes in the body (log)")
    }
    if ("depth" in rows) {
        draw_growth("depth", "Operations per CPU second as pipelines deepen", "16 connections, requests of 64 bytes",
            "requests in flight on each connection (log)")
    }
    if ("fairness" in rows) draw_fairness()
}

END {
    if (failed) {
        exit 65
    }
    if (out == "") {
        die("usage", "awk -v out=DIR -f svg.awk -f plot.awk bench.md growth.md")
    }
    for (i = 1; i <= KINDS; i++) {
        if (kinds[i] in rows) {
            tables++
            if (rows[kinds[i]] == 0) {
                die(home[kinds[i]], "the table of " kinds[i] " has no rows; was the run cut short?")
            }
        }
    }
    if (!tables) {
        die(FILENAME, "no table of make bench or make bench-growth in it; save their output as it is")
    }
    draw()
    for_good = 1
    draw()
}
