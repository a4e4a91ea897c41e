# SPDX-License-Identifier: MIT
# Pieces of the drawings of plot.awk (awk -f svg.awk -f plot.awk); flame.awk uses put() and escaped() too.
#
# An SVG goes to the file "svg", from open_svg() to close_svg(). The plot itself is LEFT to RIGHT and TOP to BOTTOM; linear_scale() or
# log_scale() says where a value is in it, y_of(). Nothing is written before for_good is set.

BEGIN {
    WIDTH = 760; HEIGHT = 384
    LEFT = 74; RIGHT = WIDTH - 18; TOP = 86; BOTTOM = HEIGHT - 78
    LOG10 = log(10)
    # The palette of Okabe and Ito, which those who see few colours can tell apart too.
    colour["ours"] = "#0072b2"; colour["bare"] = "#4d4d4d"; colour["nginx"] = "#009e73"
    colour["hitch"] = "#cc79a7"; colour["stunnel"] = "#e69f00"; colour["haproxy"] = "#56b4e9"
    title_of["ours"] = "sc-server"; title_of["bare"] = "bare server"
}

function put(s) {
    if (for_good) {
        print s >svg
    }
}

function escaped(s) {
    gsub(/&/, "\\&amp;", s)
    gsub(/</, "\\&lt;", s)
    gsub(/>/, "\\&gt;", s)
    return s
}

function write(x, y, anchor, class, s) {
    put(sprintf("<text x=\"%.1f\" y=\"%.1f\"%s%s>%s</text>", x, y, anchor == "start" ? "" : " text-anchor=\"" anchor "\"",
        class == "" ? "" : " class=\"" class "\"", escaped(s)))
}

function name_of(server) {
    return server in title_of ? title_of[server] : server
}

function colour_of(server) {
    return server in colour ? colour[server] : "#999"
}

function open_svg(kind, title, subtitle, y_label, x_label, footer) {
    svg = out "/" kind ".svg"
    put(sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" " \
        "font-family=\"sans-serif\" font-size=\"12\">", WIDTH, HEIGHT, WIDTH, HEIGHT))
    put("<title>" escaped(title) "</title>")
    put("<style>text{fill:#222}.title{font-size:16px;font-weight:bold}.soft{fill:#555}.note{font-size:10px;fill:#555}" \
        ".small{font-size:10px;paint-order:stroke;stroke:#fff;stroke-width:2.5px}.ours{font-weight:bold}.bad{font-size:10px;fill:#b00020}" \
        ".grid{stroke:#ddd;fill:none}.axis{stroke:#555;fill:none}.line{stroke-width:2;fill:none}" \
        ".reference{stroke:#4d4d4d;stroke-width:1.5;stroke-dasharray:6 4;fill:none}</style>")
    put("<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>")
    write(LEFT, 26, "start", "title", title)
    write(LEFT, 44, "start", "soft", subtitle)
    put(sprintf("<text transform=\"translate(14 %.1f) rotate(-90)\" text-anchor=\"middle\" class=\"soft\">%s</text>", (TOP + BOTTOM) / 2,
        escaped(y_label)))
    write((LEFT + RIGHT) / 2, BOTTOM + 51, "middle", "soft", x_label)
    write(RIGHT, HEIGHT - 9, "end", "note", footer)
    legend_x = LEFT
}

function close_svg() {
    put("</svg>")
    if (for_good) {
        close(svg)
    }
}

# mark SHAPE: a disc, a hollow square, a diamond or a triangle.
function mark(shape, x, y, paint, tip, s) {
    if (shape == "disc") {
        s = sprintf("M%.1f %.1fa4 4 0 1 0 8 0a4 4 0 1 0 -8 0z\" fill=\"%s\"", x - 4, y, paint)
    } else if (shape == "square") {
        s = sprintf("M%.1f %.1fh8v8h-8z\" fill=\"#fff\" stroke=\"%s\" stroke-width=\"2\"", x - 4, y - 4, paint)
    } else if (shape == "diamond") {
        s = sprintf("M%.1f %.1fl5 5l-5 5l-5 -5z\" fill=\"%s\"", x, y - 5, paint)
    } else {
        s = sprintf("M%.1f %.1fl5 8h-10z\" fill=\"%s\"", x, y - 5, paint)
    }
    put("<path class=\"mark\" d=\"" s (tip == "" ? "/>" : "><title>" escaped(tip) "</title></path>"))
}

# An entry of the legend, which stands above the plot.
function legend(shape, paint, s, y) {
    y = 66
    if (shape == "bar") {
        put(sprintf("<path d=\"M%.1f %.1fh12v12h-12z\" fill=\"%s\"/>", legend_x, y - 6, paint))
    } else if (shape == "reference") {
        put(sprintf("<path class=\"reference\" d=\"M%.1f %.1fh24\"/>", legend_x - 4, y))
    } else {
        mark(shape, legend_x + 6, y, paint, "")
    }
    legend_x += shape == "reference" ? 26 : 18
    write(legend_x, y + 4, "start", "", s)
    legend_x += 6.6 * length(s) + 20
}

function short(v) {
    return v >= 1e6 ? v / 1e6 "M" : v >= 1e3 ? v / 1e3 "k" : v ""
}

# 1234567 as 1,234,567.
function grouped(v, s, tail) {
    s = sprintf("%.0f", v)
    while (length(s) > 3) {
        tail = "," substr(s, length(s) - 2) tail
        s = substr(s, 1, length(s) - 3)
    }
    return s tail
}

function floor(v) {
    return int(v) > v ? int(v) - 1 : int(v)
}

function power(n) {
    return exp(n * LOG10)
}

function y_of(v) {
    if (y_log) {
        return BOTTOM - (BOTTOM - TOP) * log((v < y_low ? y_low : v) / y_low) / log(y_high / y_low)
    }
    return BOTTOM - (BOTTOM - TOP) * v / y_high
}

function grid(v, s) {
    put(sprintf("<path class=\"%s\" d=\"M%.1f %.1fH%.1f\"/>", v <= y_low ? "axis" : "grid", LEFT, y_of(v), RIGHT))
    write(LEFT - 8, y_of(v) + 4, "end", "", s)
}

# A scale that begins at zero and ends at a round number above HIGH.
function linear_scale(high, step, i) {
    high = high > 0 ? high : 1
    step = power(floor(log(high) / LOG10))
    step *= high / step > 5 ? 1 : high / step > 2 ? 0.5 : 0.2
    y_log = 0
    y_low = 0
    y_high = step * (floor(high / step) + 1)
    for (i = 0; i * step < y_high * 1.0001; i++) {
        grid(i * step, short(sprintf("%g", i * step) + 0))
    }
}

function with_unit(v, unit) {
    v = sprintf("%g", v) + 0
    return unit != "ms" ? short(v) : v >= 1000 ? v / 1000 " s" : v " ms"
}

# The largest of 1, 2 and 5 times a power of ten that is not above V.
function round_below(v, base) {
    base = power(floor(log(v) / LOG10 + 1e-9))
    return base * (v > base * 4.9999 ? 5 : v > base * 1.9999 ? 2 : 1)
}

# From LOW to HIGH, with a line at each power of ten, and at two and at five times it when these are few.
function log_scale(low, high, unit, step, v) {
    y_log = 1
    y_low = round_below(low)
    y_high = round_below(high) * 2.5
    y_high = round_below(y_high * 1.0001) < high ? y_high : round_below(y_high * 1.0001)
    step = power(floor(log(y_low) / LOG10 + 1e-9))
    for (; step <= y_high * 1.0001; step *= 10) {
        for (v = 1; v <= 5; v += v == 1 ? 1 : 3) {
            if (step * v >= y_low * 0.9999 && step * v <= y_high * 1.0001 && (v == 1 || y_high <= 201 * y_low)) {
                grid(step * v, with_unit(step * v, unit))
            }
        }
    }
    put(sprintf("<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/>", LEFT, BOTTOM, RIGHT))
}
