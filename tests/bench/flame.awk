# SPDX-License-Identifier: MIT
# Draws a flame graph; flame.sh runs it.
#
#   awk -v svg=OUT -v title=TEXT -v program=NAME -v seconds=N -v note=TEXT -f svg.awk -f flame.awk STACKS
#
# A line of STACKS is a count and the frames from the outermost in, LIBRARY:FUNCTION, with tabs between them; the lines are sorted. A frame
# is as wide as it has samples, and stands on its caller.

BEGIN {
    WIDTH = 1200
    MARGIN = 10
    ROW = 16
    HEAD = 84
    FOOT = 26
    LETTER = 6.1 # the width of one in the frames
    LEAST = 0.001
    LIBRARIES = split("program libevent libssl libcrypto libc kernel other", libraries, " ")
    # Light shades of the palette, for black letters.
    paint["program"] = "#86bfe8"; paint["libevent"] = "#f5c36b"; paint["libssl"] = "#7fd1b3"; paint["libcrypto"] = "#e6b3d0"
    paint["libc"] = "#f2ea8a"; paint["kernel"] = "#cfcfcf"; paint["other"] = "#f0f0f0"
    for_good = 1
}

# The frames of the last line from DEPTH on are complete.
function close_frames(depth, d) {
    for (d = open_depth; d >= depth; d--) {
        frames++
        frame_name[frames] = open_name[d]
        frame_from[frames] = open_from[d]
        frame_count[frames] = total - open_from[d]
        frame_depth[frames] = d
    }
    open_depth = depth - 1
}

{
    count = $1
    sub(/^ *[0-9]+ /, "")
    n = split($0, stack, "\t")
    same = 0
    while (same < n && same < open_depth && stack[same + 1] == open_name[same + 1]) {
        same++
    }
    close_frames(same + 1)
    for (d = same + 1; d <= n; d++) {
        open_name[d] = stack[d]
        open_from[d] = total
    }
    open_depth = n
    own[substr(stack[n], 1, index(stack[n], ":") - 1)] += count
    total += count
}

function draw_head(i, lib, x, s) {
    put(sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" " \
        "font-family=\"sans-serif\" font-size=\"12\">", WIDTH, HEIGHT, WIDTH, HEIGHT))
    put("<title>" escaped(title) "</title>")
    s = "text{fill:#222}.title{font-size:16px;font-weight:bold}.soft{fill:#555}.note{font-size:10px;fill:#555}" \
        ".f text{font:10px monospace;pointer-events:none}.f path,.key{stroke:#fff;stroke-width:.6}"
    for (i = 1; i <= LIBRARIES; i++) {
        s = s "." libraries[i] "{fill:" paint[libraries[i]] "}"
    }
    put("<style>" s "</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>")
    write(MARGIN, 26, "start", "title", title)
    write(MARGIN, 44, "start", "soft", grouped(total) " samples in " seconds " s. The width of a function is its time with all " \
        "that it calls; it stands on its caller. The legend has the time in each library itself.")
    x = MARGIN
    for (i = 1; i <= LIBRARIES; i++) {
        lib = libraries[i]
        if (own[lib] == 0) {
            continue
        }
        put(sprintf("<path class=\"key %s\" d=\"M%.1f 58h14v14h-14z\"/>", lib, x))
        s = sprintf("%s %.1f %%", lib == "program" ? program : lib, 100 * own[lib] / total)
        write(x + 20, 69.5, "start", "", s)
        x += 20 + 7 * length(s) + 18
    }
    write(WIDTH - MARGIN, HEIGHT - 9, "end", "note", note)
}

function draw_frame(i, x, y, wide, lib, name) {
    lib = substr(frame_name[i], 1, index(frame_name[i], ":") - 1)
    name = substr(frame_name[i], length(lib) + 2)
    x = MARGIN + (WIDTH - 2 * MARGIN) * frame_from[i] / total
    y = HEIGHT - FOOT - ROW * frame_depth[i]
    wide = (WIDTH - 2 * MARGIN) * frame_count[i] / total
    put(sprintf("<g class=\"f\"><title>%s (%s): %.1f %%, %s samples</title><path class=\"%s\" d=\"M%.1f %dh%.1fv%dh-%.1fz\"/>%s</g>",
        escaped(name), lib == "program" ? program : lib, 100 * frame_count[i] / total, grouped(frame_count[i]), lib, x, y, wide, ROW, wide,
        frame_label(name, x, y, int((wide - 5) / LETTER))))
}

function frame_label(name, x, y, room) {
    if (room < 3) {
        return ""
    }
    name = length(name) > room ? substr(name, 1, room - 1) "\342\200\246" : name
    return sprintf("<text x=\"%.1f\" y=\"%d\">%s</text>", x + 3, y + 11.5, escaped(name))
}

END {
    close_frames(1)
    for (i = 1; i <= frames; i++) {
        if (frame_count[i] >= LEAST * total && frame_depth[i] > highest) {
            highest = frame_depth[i]
        }
    }
    HEIGHT = HEAD + ROW * highest + FOOT
    draw_head()
    for (i = 1; i <= frames; i++) {
        if (frame_count[i] >= LEAST * total) {
            draw_frame(i)
        }
    }
    put("</svg>")
}
