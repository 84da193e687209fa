/* misbehave: does one wrong thing, chosen by its argument, and says beforehand what it will do.
 *
 * Each way of going wrong is one that a runtime must contain: a stray access must trap and touch
 * nothing, a refused growth must leave the memory usable, an exit code must arrive unchanged.
 * Everything printed before the wrong step is flushed, so it is seen even if the step traps.
 * The wrong steps go through volatile objects: the compiler may not reason about them.
 *
 * Exit codes: 0 survived as it should, 1 the runtime broke a promise (the last line says which),
 * 2 wrong arguments, N for `exit N`. The other ways end in a trap.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE ((uint64_t)65536)

static uint64_t memory_bytes(void) { return __builtin_wasm_memory_size(0) * PAGE; }

static volatile unsigned char *byte_at(uint64_t offset) {
    return (volatile unsigned char *)(uintptr_t)offset;
}

/* Reached only if an access that had to trap did not. */
static int not_stopped(const char *what) {
    printf("NOT STOPPED: %s\n", what);
    return 1;
}

/* The offset `distance` bytes past the last byte of memory; leaves the program if none is. */
static uint64_t past_end(uint64_t distance) {
    uint64_t offset = memory_bytes() + distance;
    if (offset > UINT32_MAX) {
        fprintf(stderr, "misbehave: %" PRIu64 " bytes past the end is no 32-bit offset\n", distance);
        exit(2);
    }
    return offset;
}

static int read_past_end(uint64_t distance) {
    uint64_t offset = past_end(distance);
    printf("reading 1 byte at 0x%" PRIx64 "; memory ends at 0x%" PRIx64 "\n", offset,
           memory_bytes());
    fflush(stdout);
    printf("read 0x%02x\n", *byte_at(offset));
    return not_stopped("a read past the end");
}

static int write_past_end(uint64_t distance) {
    uint64_t offset = past_end(distance);
    printf("writing 1 byte at 0x%" PRIx64 "; memory ends at 0x%" PRIx64 "\n", offset,
           memory_bytes());
    fflush(stdout);
    *byte_at(offset) = 0x5a;
    return not_stopped("a write past the end");
}

static int straddle_end(uint64_t unused) {
    (void)unused;
    uint64_t offset = memory_bytes() - 4;
    printf("writing 8 bytes at 0x%" PRIx64 "; memory ends at 0x%" PRIx64 "\n", offset,
           memory_bytes());
    fflush(stdout);
    *(volatile uint64_t *)(uintptr_t)offset = UINT64_C(0x5a5a5a5a5a5a5a5a);
    return not_stopped("a write across the end");
}

/* Grows by `step` pages until refused. New pages must be zero; old ones must keep their marks. */
static int grow_forever(uint64_t step) {
    if (step == 0 || step > 65536) {
        fprintf(stderr, "misbehave: a step is 1 to 65536 pages\n");
        return 2;
    }
    uint64_t first = __builtin_wasm_memory_size(0), now = first, grows = 0;
    printf("growing by %" PRIu64 " from %" PRIu64 " pages until refused\n", step, first);
    fflush(stdout);
    while (__builtin_wasm_memory_grow(0, (size_t)step) != SIZE_MAX) {
        for (uint64_t page = now; page < now + step; page++) {
            uint64_t start = page * PAGE;
            if (*byte_at(start) || *byte_at(start + PAGE / 2) || *byte_at(start + PAGE - 1)) {
                printf("NOT ZERO: new page %" PRIu64 "\n", page);
                return 1;
            }
            *byte_at(start + page % PAGE) = (unsigned char)(page % 251 + 1);
        }
        now += step;
        grows++;
        if (__builtin_wasm_memory_size(0) != now) {
            printf("WRONG SIZE after growing to %" PRIu64 " pages\n", now);
            return 1;
        }
    }
    if (__builtin_wasm_memory_size(0) != now) {
        printf("WRONG SIZE after a refused growth\n");
        return 1;
    }
    for (uint64_t page = first; page < now; page++)
        if (*byte_at(page * PAGE + page % PAGE) != page % 251 + 1) {
            printf("LOST: the mark in page %" PRIu64 "\n", page);
            return 1;
        }
    printf("refused at %" PRIu64 " pages after %" PRIu64 " growths; new pages were zero and all %"
           PRIu64 " marks are in place\n", now, grows, now - first);
    return 0;
}

static int grow_huge(uint64_t unused) {
    (void)unused;
    size_t before = __builtin_wasm_memory_size(0);
    static const size_t steps[] = {65536, 65537, 0x80000000u, 0xffffffffu};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        volatile size_t step = steps[i];
        if (__builtin_wasm_memory_grow(0, step) != SIZE_MAX) {
            printf("GRANTED: %zu more pages\n", step);
            return 1;
        }
    }
    if (__builtin_wasm_memory_size(0) != before) {
        printf("WRONG SIZE after refused growths\n");
        return 1;
    }
    printf("impossible growths were refused; still %zu pages\n", before);
    return 0;
}

static uint32_t descend(uint32_t depth);
static uint32_t (*volatile descend_again)(uint32_t) = descend;
static volatile uint32_t deepest = UINT32_MAX;

/* Neither a tail call nor a sum that could be kept in a loop, and called through a pointer. */
static uint32_t descend(uint32_t depth) {
    if (depth == deepest) return depth;
    return descend_again(depth + 1) * 31 ^ depth;
}

static int recurse(uint64_t unused) {
    (void)unused;
    printf("calling itself until the call stack ends\n");
    fflush(stdout);
    printf("came back with %" PRIu32 "\n", descend(0));
    return not_stopped("recursion");
}

static int descend_wide(int depth);
static int (*volatile descend_wide_again)(int) = descend_wide;

static int descend_wide(int depth) {
    volatile char frame[1024];
    frame[0] = (char)depth;
    frame[1023] = (char)(depth >> 8);
    return descend_wide_again(depth + 1) * 31 + frame[0] + frame[1023];
}

/* The data stack lies at the bottom of memory: below it is offset -1, so overflow traps. */
static int overflow_stack(uint64_t unused) {
    (void)unused;
    printf("using 1 KiB of the data stack per call until there is none\n");
    fflush(stdout);
    printf("came back with %d\n", descend_wide(0));
    return not_stopped("overflow of the data stack");
}

static int exit_with(uint64_t code) {
    printf("leaving with exit code %" PRIu64 "\n", code);
    fflush(stdout);
    exit((int)code);
}

static int abort_now(uint64_t unused) {
    (void)unused;
    printf("executing an unreachable instruction\n");
    fflush(stdout);
    abort();
}

static int divide_by_zero(uint64_t unused) {
    (void)unused;
    volatile int one = 1, zero = 0; /* both volatile: 1 / x is compiled to comparisons */
    printf("dividing 1 by 0\n");
    fflush(stdout);
    printf("got %d\n", one / zero);
    return not_stopped("a division by zero");
}

static int call_wrong_type(uint64_t unused) {
    (void)unused;
    union {
        uint32_t (*real)(uint32_t);
        double (*pretended)(double, double);
    } function = {.real = descend_again};
    double (*volatile call)(double, double) = function.pretended;
    printf("calling a function through a pointer of another type\n");
    fflush(stdout);
    printf("got %f\n", call(1.0, 2.0));
    return not_stopped("a call with the wrong type");
}

static int read_null(uint64_t unused) {
    (void)unused;
    unsigned char *volatile null = NULL;
    volatile unsigned char *place = null;
    unsigned before = *place;
    *place = (unsigned char)(before ^ 0xff);
    unsigned after = *place;
    *place = (unsigned char)before;
    if (after != (before ^ 0xff)) {
        printf("LOST: the byte written at offset 0\n");
        return 1;
    }
    printf("offset 0 held 0x%02x and can be written: in WebAssembly it is memory like any other\n",
           before);
    return 0;
}

enum argument { NONE, OPTIONAL, REQUIRED };

static const struct way {
    const char *name;
    int (*run)(uint64_t);
    enum argument argument;
    uint64_t usual;
    const char *help;
} WAYS[] = {
    {"read-past-end", read_past_end, OPTIONAL, 0, "[DISTANCE]  read a byte past the end: trap"},
    {"write-past-end", write_past_end, OPTIONAL, 0, "[DISTANCE]  write a byte past the end: trap"},
    {"straddle-end", straddle_end, NONE, 0, "            write 8 bytes, 4 past the end: trap"},
    {"grow-forever", grow_forever, OPTIONAL, 1, "[STEP]      grow until refused, use every page"},
    {"grow-huge", grow_huge, NONE, 0, "            ask for more than can exist: refused"},
    {"recurse", recurse, NONE, 0, "            call itself without end: trap"},
    {"overflow-stack", overflow_stack, NONE, 0, "            use up the data stack: trap"},
    {"exit", exit_with, REQUIRED, 0, "N           leave with exit code N (0 to 125)"},
    {"abort", abort_now, NONE, 0, "            unreachable instruction: trap"},
    {"divide-by-zero", divide_by_zero, NONE, 0, "            divide by zero: trap"},
    {"call-wrong-type", call_wrong_type, NONE, 0, "            pointer of the wrong type: trap"},
    {"null", read_null, NONE, 0, "            use offset 0, which is allowed"},
};
enum { WAY_COUNT = sizeof WAYS / sizeof *WAYS };

static int usage(void) {
    fprintf(stderr, "usage: misbehave WAY [NUMBER]\n");
    for (size_t i = 0; i < WAY_COUNT; i++)
        fprintf(stderr, "  %-15s %s\n", WAYS[i].name, WAYS[i].help);
    return 2;
}

int main(int argc, char **argv) {
    if (argc < 2) return usage();
    const struct way *way = NULL;
    for (size_t i = 0; i < WAY_COUNT; i++)
        if (strcmp(argv[1], WAYS[i].name) == 0) way = &WAYS[i];
    if (!way) {
        fprintf(stderr, "misbehave: no such way: %s\n", argv[1]);
        return usage();
    }
    uint64_t number = way->usual;
    if (argc > 3 || (argc > 2 && way->argument == NONE) || (argc < 3 && way->argument == REQUIRED))
        return usage();
    if (argc == 3) {
        char *end;
        number = strtoull(argv[2], &end, 0);
        uint64_t most = way->run == exit_with ? 125 : UINT32_MAX;
        if (argv[2][0] < '0' || argv[2][0] > '9' || *end || number > most) {
            fprintf(stderr, "misbehave: not a number from 0 to %" PRIu64 ": %s\n", most, argv[2]);
            return 2;
        }
    }
    return way->run(number);
}
