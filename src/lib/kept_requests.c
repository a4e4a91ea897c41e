/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "lib/kept_requests.h"

#include <stdlib.h>
#include <string.h>

struct sc_kept_request *sc_kept_request_new(uint32_t type, const void *body, size_t length)
{
    struct sc_kept_request *request = malloc(sizeof(*request) + length);
    if (request) {
        *request = (struct sc_kept_request){.type = type, .length = length};
        if (length > 0) {
            memcpy(request->body, body, length);
        }
    }
    return request;
}

void sc_kept_requests_append(struct sc_kept_requests *requests, struct sc_kept_request *request)
{
    if (requests->last) {
        requests->last->next = request;
    } else {
        requests->first = request;
    }
    requests->last = request;
    requests->count++;
    requests->bytes += request->length;
}

void sc_kept_requests_drop_first(struct sc_kept_requests *requests)
{
    struct sc_kept_request *first = requests->first;
    if (!first) {
        return;
    }
    requests->first = first->next;
    if (!requests->first) {
        requests->last = NULL;
    }
    requests->count--;
    requests->bytes -= first->length;
    free(first);
}

void sc_kept_requests_drop_all(struct sc_kept_requests *requests)
{
    while (requests->first) {
        sc_kept_requests_drop_first(requests);
    }
}
