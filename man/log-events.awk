# SPDX-License-Identifier: MIT
# awk -f log-events.awk log_events.def sc-server.log.7.in: the page, with the lists of events and fields in the places of @EVENTS@ and
# @FIELDS@. A row of the table is SC_EVENT(...) or SC_FIELD(...) from the start of a line to the first line that ends with ")"; strings
# that follow each other are one.

function add(text, string,    rest) {
    # What stands between quotes, joined where only blanks are between.
    count = 0
    rest = text
    while (match(rest, /"[^"]*"/)) {
        string = substr(rest, RSTART + 1, RLENGTH - 2)
        if (count > 0 && substr(rest, 1, RSTART - 1) ~ /^[ \t]*$/)
            value[count] = value[count] string
        else
            value[++count] = string
        rest = substr(rest, RSTART + RLENGTH)
    }
}

# A sentence on each line, and nothing that troff takes for a request.
function prose(text) {
    gsub(/\. /, ".\n", text)
    gsub(/-/, "\\-", text)
    return text
}

FNR == 1 { file++ }

file == 1 && /^SC_(EVENT|FIELD)\(/ { row = "" }
file == 1 && row != "-" {
    row = row " " $0
    if ($0 ~ /\)$/) {
        add(row)
        if (row ~ /^ *SC_FIELD/) {
            fields = fields ".It Sy " value[1] "\n" prose(value[2]) "\n"
        } else {
            level = row
            sub(/^[^,]*, */, "", level)
            sub(/,.*/, "", level)
            n = split(value[2], words, " ")
            list = ""
            for (i = 1; i <= n; i++)
                list = list (i > 1 ? ", " : "") words[i]
            if (list == "*")
                list = "the counters that are not 0"
            events = events ".It Sy " value[1] " Pq " tolower(level) "\n" prose(value[3]) "\n" (value[4] == "" ? "" : ".br\nWhat to do: " prose(value[4]) "\n") \
                ".br\nFields: " list ".\n"
        }
        row = "-"
    }
}

file == 2 && /^@EVENTS@$/ { printf "%s", events; next }
file == 2 && /^@FIELDS@$/ { printf "%s", fields; next }
file == 2 { print }

BEGIN { row = "-" }
