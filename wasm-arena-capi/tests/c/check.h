/* What the test programs share: a check that ends the program with the place and both values. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wasm_arena.h"

#define CHECK(condition)                                                                          \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);              \
            exit(1);                                                                              \
        }                                                                                         \
    } while (0)

#define CHECK_EQUAL(left, right)                                                                  \
    do {                                                                                          \
        unsigned long long left_ = (unsigned long long)(left);                                    \
        unsigned long long right_ = (unsigned long long)(right);                                  \
        if (left_ != right_) {                                                                    \
            fprintf(stderr, "%s:%d: %s is %llu, expected %s = %llu\n", __FILE__, __LINE__,        \
                    #left, left_, #right, right_);                                                \
            exit(1);                                                                              \
        }                                                                                         \
    } while (0)

/* The call must answer with this status, and with an error that says the same in words. */
#define EXPECT(expected, call)                                                                    \
    do {                                                                                          \
        struct wasm_arena_error_t *error = &last_error;                                           \
        memset(error, 0x5a, sizeof *error);                                                       \
        wasm_arena_status_t status_ = (call);                                                     \
        if (status_ != (expected)) {                                                              \
            fprintf(stderr, "%s:%d: %s answers %s, expected %s: %.256s\n", __FILE__, __LINE__,    \
                    #call, wasm_arena_status_name(status_), wasm_arena_status_name(expected),     \
                    status_ == WASM_ARENA_OK ? "" : error->message);                              \
            exit(1);                                                                              \
        }                                                                                         \
        if (status_ == WASM_ARENA_OK) {                                                           \
            CHECK(error->message[0] == 0x5a && error->os_errno == 0x5a5a5a5a);                    \
        } else {                                                                                  \
            CHECK_EQUAL(error->status, status_);                                                  \
            CHECK(error->message[0] != 0);                                                        \
            CHECK(memchr(error->message, 0, sizeof error->message) != NULL);                      \
            CHECK(memchr(error->subject, 0, sizeof error->subject) != NULL);                      \
        }                                                                                         \
    } while (0)

/* The call must succeed. */
#define OK(call) EXPECT(WASM_ARENA_OK, call)

static struct wasm_arena_error_t last_error;

#endif
