/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "client/complete.h"

#include <stdio.h>
#include <string.h>

#include "client/prompt.h"
#include "proto/handler.h"

#ifdef HAVE_LIBEDIT

/* How many words begin so; the first of them, and how much of it all have in common. */
static size_t find_words(const char *start, size_t length, const char **first, size_t *common)
{
    size_t found = 0;
    const char *word;
    for (size_t i = 0; (word = sc_prompt_word_at(i)) != NULL; i++) {
        if (strncmp(word, start, length) != 0) {
            continue;
        }
        if (found++ == 0) {
            *first = word;
            *common = strlen(word);
        }
        while (strncmp(word, *first, *common) != 0) {
            (*common)--;
        }
    }
    return found;
}

static void list_words(const struct sc_cli *client, const char *start, size_t length)
{
    FILE *stream = sc_prompt_stream(client->options);
    const char *word;
    (void)fputc('\n', stream);
    for (size_t i = 0; (word = sc_prompt_word_at(i)) != NULL; i++) {
        if (strncmp(word, start, length) == 0) {
            (void)fprintf(stream, "%s  ", word);
        }
    }
    (void)fputc('\n', stream);
    (void)fflush(stream);
}

unsigned char sc_complete(EditLine *editor, int key)
{
    struct sc_cli *client = NULL;
    const char *first = NULL;
    size_t common = 0;
    char insert[64];
    const LineInfo *line = el_line(editor);
    const size_t length = (size_t)(line->cursor - line->buffer);
    (void)key;
    (void)el_get(editor, EL_CLIENTDATA, &client);
    /* None in a TEXT: no word has a space. */
    const size_t found = find_words(line->buffer, length, &first, &common);
    if (found == 0) {
        return CC_ERROR;
    }
    if (found > 1 && common == length) {
        list_words(client, line->buffer, length);
        return CC_REDISPLAY;
    }
    const struct sc_handler *handler = sc_handler_find_name(first);
    (void)snprintf(insert, sizeof(insert), "%.*s%s", (int)(common - length), first + length,
                   found == 1 && handler && handler->takes_body ? " " : "");
    return *insert == '\0' || el_insertstr(editor, insert) == 0 ? CC_REFRESH : CC_ERROR;
}

#endif
