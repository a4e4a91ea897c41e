# SPDX-License-Identifier: MIT
# The bytes that od -An -v -tu1 prints, as a struct page_file of C; a NUL follows them.
BEGIN {
    print "#ifndef PAGE_FILE"
    print "#define PAGE_FILE"
    print "struct page_file {"
    print "    const unsigned char *bytes;"
    print "    size_t length;"
    print "};"
    print "#endif"
    print "static const unsigned char " name "_bytes[] = {"
}
{
    for (i = 1; i <= NF; i++) {
        printf "%d,", $i
    }
    print ""
}
END {
    print "0};"
    print "static const struct page_file " name "_file = {" name "_bytes, sizeof(" name "_bytes) - 1};"
}
