/* word-index: writes a text, indexes every word of it, answers queries, and checks itself.
 *
 *   generator --> text, in chunks of 64 KiB --> index: word -> list of (line, place in the text)
 *                        |                        |
 *                        +---- plain scan         +---- answer
 *                                   \______ same? ______/
 *
 * It is a program of the kind a runtime meets every day: many small allocations, some large ones,
 * a hash table that is rebuilt as it fills, and a linear memory that grows a little at a time.
 * Nothing depends on a clock or on chance: the same arguments always print the same text.
 *
 *   word-index [--words N] [QUERY...]
 *
 * A QUERY is a word, or several joined by `+`: then the lines that hold all of them are counted.
 * Exit codes: 0 done, 1 index and scan disagree, 2 wrong arguments, 3 out of memory.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_WORDS = 1500000,
    MOST_WORDS = 100000000,
    CHUNK_BYTES = 64 * 1024,
    LONGEST_WORD = 31,
    MOST_QUERIES = 16,
    MOST_TERMS = 4,
    FIRST_BLOCK_POSTINGS = 4,
    LARGEST_BLOCK_POSTINGS = 512,
    BAR_WIDTH = 32,
};

/* ---- the vocabulary: frequent little words first, then nouns, then nouns in pairs ---- */

static const char *const WORDS[] = {
    "the",     "of",      "and",     "a",       "to",      "in",      "is",      "that",
    "it",      "was",     "for",     "on",      "with",    "as",      "by",      "at",
    "from",    "or",      "an",      "be",      "this",    "which",   "but",     "not",
    "river",   "stone",   "lantern", "harbour", "wind",    "field",   "bridge",  "clock",
    "winter",  "garden",  "copper",  "paper",   "signal",  "tower",   "valley",  "morning",
    "salt",    "sail",    "forest",  "mirror",  "candle",  "thunder", "meadow",  "iron",
    "glass",   "window",  "summer",  "shadow",  "silver",  "market",  "island",  "letter",
    "anchor",  "barley",  "canyon",  "desert",  "ember",   "falcon",  "granite", "hammer",
    "ivory",   "juniper", "kettle",  "ladder",  "maple",   "needle",  "orchard", "pepper",
    "quarry",  "ribbon",  "saddle",  "timber",  "umber",   "velvet",  "willow",  "yarrow",
    "amber",   "beacon",  "cedar",   "dune",    "echo",    "fern",    "gravel",  "heron",
    "inlet",   "jasper",  "kelp",    "linen",   "marble",  "nettle",  "otter",   "pebble",
    "quill",   "raven",   "spruce",  "tundra",  "urchin",  "violet",  "walnut",  "zephyr",
    "acorn",   "brook",   "cliff",   "delta",   "elm",     "frost",   "glade",   "hazel",
    "ice",     "jade",    "knoll",   "lake",    "moss",    "north",   "oak",     "pine",
    "quartz",  "reed",    "shore",   "thorn",   "upland",  "vine",    "wave",    "yew",
};
enum {
    LISTED = sizeof WORDS / sizeof *WORDS,
    LITTLE = 24,
    NOUNS = LISTED - LITTLE,
    PAIRS = NOUNS * NOUNS,
    OCTAVES = 13, /* ranks run from 0 to 2^13 - 2, which stays below LISTED + PAIRS */
};
_Static_assert((1 << OCTAVES) - 1 <= LISTED + PAIRS, "every rank must name a word");

static uint64_t random_state = 0x5eed;

/* A number from 0 to `limit` - 1, the next of a fixed sequence. The state steps through all 64-bit
 * values (multiplier 5 modulo 8, odd increment); only its better, upper half is used. */
static uint32_t random_below(uint32_t limit) {
    random_state = random_state * 0x5851f42d4c957f2du + 0x5eedu;
    return (uint32_t)((random_state >> 32) * limit >> 32);
}

/* Writes a word into `out` and returns its length. Each octave of ranks is drawn equally often,
 * so a word twice as far down the list is about half as frequent, as in natural text. */
static size_t random_word(char out[LONGEST_WORD + 1]) {
    uint32_t octave_size = 1u << random_below(OCTAVES);
    uint32_t rank = octave_size - 1 + random_below(octave_size);
    if (rank < LISTED) {
        size_t length = strlen(WORDS[rank]);
        memcpy(out, WORDS[rank], length + 1);
        return length;
    }
    /* 7919 shares no factor with PAIRS: every pair is reached once, neighbours look unrelated. */
    uint32_t pair = (rank - LISTED) * 7919u % PAIRS;
    const char *front = WORDS[LITTLE + pair / NOUNS], *back = WORDS[LITTLE + pair % NOUNS];
    size_t front_length = strlen(front), back_length = strlen(back);
    memcpy(out, front, front_length);
    memcpy(out + front_length, back, back_length + 1);
    return front_length + back_length;
}

/* ---- memory: every allocation passes here, so that running out has one answer ---- */

static size_t first_pages, last_pages, growths;

static size_t pages_now(void) { return __builtin_wasm_memory_size(0); }

static void notice_growth(void) {
    size_t now = pages_now();
    growths += now != last_pages;
    last_pages = now;
}

static void *must(void *block, size_t bytes) {
    if (!block) {
        fflush(stdout);
        fprintf(stderr, "word-index: out of memory: %zu bytes refused at %zu pages\n", bytes,
                pages_now());
        exit(3);
    }
    notice_growth();
    return block;
}

static void *take(size_t bytes) { return must(malloc(bytes), bytes); }

static void *take_zeroed(size_t count, size_t each) {
    return must(calloc(count, each), count * each);
}

/* ---- the text: chunks that no word straddles; a place is chunk * CHUNK_BYTES + offset ---- */

static struct {
    char **chunks;
    uint32_t *used; /* bytes used of each chunk */
    uint32_t count, room;
    uint32_t lines, words;
    uint64_t bytes;
} text;

static const char *at(uint32_t place) {
    return text.chunks[place / CHUNK_BYTES] + place % CHUNK_BYTES;
}

static void text_add_chunk(void) {
    if (text.count == text.room) {
        text.room = text.room ? text.room * 2 : 16;
        size_t pointers = text.room * sizeof *text.chunks, sizes = text.room * sizeof *text.used;
        text.chunks = must(realloc(text.chunks, pointers), pointers);
        text.used = must(realloc(text.used, sizes), sizes);
    }
    text.chunks[text.count] = take(CHUNK_BYTES);
    text.used[text.count++] = 0;
}

/* Appends a word and the blank or line end that follows it; returns where the word begins. */
static uint32_t text_append(const char *word, size_t length, char after) {
    if (text.count == 0 || text.used[text.count - 1] + length + 1 > CHUNK_BYTES) text_add_chunk();
    uint32_t chunk = text.count - 1, offset = text.used[chunk];
    memcpy(text.chunks[chunk] + offset, word, length);
    text.chunks[chunk][offset + length] = after;
    text.used[chunk] += (uint32_t)length + 1;
    text.bytes += length + 1;
    return chunk * CHUNK_BYTES + offset;
}

/* ---- the index: a hash table of words, each with a chain of ever larger posting blocks ---- */

typedef struct {
    uint32_t line, place;
} posting;

typedef struct block {
    struct block *next;
    uint32_t used, room;
    posting postings[];
} block;

typedef struct {
    uint32_t hash, first_place, length, count, lines, last_line;
    block *first, *last;
} entry;

static struct {
    entry **slots; /* open addressing; a power of two, at most half full */
    uint32_t slot_count, entry_count;
} table;

static uint32_t fnv(uint32_t hash, const void *bytes, size_t length) {
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < length; i++) hash = (hash ^ byte[i]) * 0x01000193u;
    return hash;
}
enum { FNV_START = 0x811c9dc5 };

static entry **slot_of(uint32_t hash, const char *word, size_t length) {
    uint32_t mask = table.slot_count - 1;
    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        entry *found = table.slots[i];
        if (!found || (found->hash == hash && found->length == length &&
                       memcmp(at(found->first_place), word, length) == 0))
            return &table.slots[i];
    }
}

static void table_make_room(void) {
    if (table.slot_count && table.entry_count * 2 < table.slot_count) return;
    entry **old = table.slots;
    uint32_t old_count = table.slot_count;
    table.slot_count = old_count ? old_count * 2 : 256;
    table.slots = take_zeroed(table.slot_count, sizeof *table.slots);
    for (uint32_t i = 0; i < old_count; i++)
        if (old[i]) *slot_of(old[i]->hash, at(old[i]->first_place), old[i]->length) = old[i];
    free(old);
}

static void index_word(uint32_t line, uint32_t place, size_t length) {
    const char *word = at(place);
    uint32_t hash = fnv((uint32_t)FNV_START, word, length);
    table_make_room();
    entry **slot = slot_of(hash, word, length);
    if (!*slot) {
        *slot = take_zeroed(1, sizeof **slot);
        (*slot)->hash = hash;
        (*slot)->first_place = place;
        (*slot)->length = (uint32_t)length;
        table.entry_count++;
    }
    entry *found = *slot;
    if (!found->last || found->last->used == found->last->room) {
        uint32_t room = found->last ? found->last->room * 2 : FIRST_BLOCK_POSTINGS;
        if (room > LARGEST_BLOCK_POSTINGS) room = LARGEST_BLOCK_POSTINGS;
        block *fresh = take(sizeof *fresh + room * sizeof *fresh->postings);
        fresh->next = NULL;
        fresh->used = 0;
        fresh->room = room;
        if (found->last) found->last->next = fresh;
        else found->first = fresh;
        found->last = fresh;
    }
    found->last->postings[found->last->used++] = (posting){line, place};
    if (found->count++ == 0 || found->last_line != line) found->lines++;
    found->last_line = line;
}

/* ---- writing text and index ---- */

static void build(uint32_t words) {
    char word[LONGEST_WORD + 1];
    uint32_t left_in_line = 0;
    for (; text.words < words; text.words++) {
        if (left_in_line == 0) {
            left_in_line = 8 + random_below(8);
            text.lines++;
        }
        size_t length = random_word(word);
        left_in_line--;
        char after = left_in_line == 0 || text.words + 1 == words ? '\n' : ' ';
        index_word(text.lines, text_append(word, length, after), length);
    }
}

/* ---- answering ---- */

typedef struct {
    uint32_t terms;
    char term[MOST_TERMS][LONGEST_WORD + 1];
} query;

typedef struct {
    uint32_t lines, occurrences; /* lines that hold every term; occurrences of the first in them */
    uint32_t first_line, first_place;
    uint32_t checksum; /* over each of these lines and places, in order */
} answer;

static void answer_add(answer *to, uint32_t line, uint32_t place, bool new_line) {
    if (to->occurrences++ == 0) {
        to->first_line = line;
        to->first_place = place;
    }
    to->lines += new_line;
    posting hit = {line, place};
    to->checksum = fnv(to->checksum, &hit, sizeof hit);
}

typedef struct {
    const block *block;
    uint32_t next;
} cursor;

static const posting *cursor_peek(cursor *walk) {
    while (walk->block && walk->next == walk->block->used) {
        walk->block = walk->block->next;
        walk->next = 0;
    }
    return walk->block ? &walk->block->postings[walk->next] : NULL;
}

/* Walks the posting lists of all terms side by side. */
static answer ask_index(const query *asked) {
    answer result = {.checksum = (uint32_t)FNV_START};
    cursor walks[MOST_TERMS];
    for (uint32_t term = 0; term < asked->terms; term++) {
        size_t length = strlen(asked->term[term]);
        uint32_t hash = fnv((uint32_t)FNV_START, asked->term[term], length);
        entry *found = *slot_of(hash, asked->term[term], length);
        walks[term] = (cursor){found ? found->first : NULL, 0};
    }
    uint32_t previous_line = 0;
    for (const posting *hit; (hit = cursor_peek(&walks[0])); walks[0].next++) {
        bool everywhere = true;
        for (uint32_t term = 1; term < asked->terms; term++) {
            const posting *other;
            while ((other = cursor_peek(&walks[term])) && other->line < hit->line)
                walks[term].next++;
            everywhere = everywhere && other && other->line == hit->line;
        }
        if (!everywhere) continue;
        answer_add(&result, hit->line, hit->place, hit->line != previous_line);
        previous_line = hit->line;
    }
    return result;
}

/* Reads the whole text again, letter by letter, and knows nothing of the index. */
static answer ask_scan(const query *asked) {
    answer result = {.checksum = (uint32_t)FNV_START};
    size_t lengths[MOST_TERMS];
    for (uint32_t term = 0; term < asked->terms; term++) lengths[term] = strlen(asked->term[term]);
    uint32_t line = 1, seen = 0, waiting = 0;
    uint32_t waiting_places[16]; /* a line has at most 15 words */
    for (uint32_t chunk = 0; chunk < text.count; chunk++) {
        const char *bytes = text.chunks[chunk];
        uint32_t start = 0;
        for (uint32_t i = 0; i < text.used[chunk]; i++) {
            if (bytes[i] != ' ' && bytes[i] != '\n') continue;
            for (uint32_t term = 0; term < asked->terms; term++) {
                if (i - start != lengths[term] ||
                    memcmp(bytes + start, asked->term[term], lengths[term]) != 0)
                    continue;
                seen |= 1u << term;
                if (term == 0) waiting_places[waiting++] = chunk * CHUNK_BYTES + start;
            }
            start = i + 1;
            if (bytes[i] != '\n') continue;
            if (seen == (1u << asked->terms) - 1)
                for (uint32_t hit = 0; hit < waiting; hit++)
                    answer_add(&result, line, waiting_places[hit], hit == 0);
            line++;
            seen = waiting = 0;
        }
    }
    return result;
}

/* ---- printing ---- */

/* A number with a blank between groups of three digits; valid until the fourth call after it. */
static const char *grouped(uint64_t number) {
    static char buffers[4][32];
    static int turn;
    char *out = buffers[turn = (turn + 1) % 4] + 31;
    *out = 0;
    for (int digit = 0; number || digit == 0; digit++, number /= 10) {
        if (digit && digit % 3 == 0) *--out = ' ';
        *--out = (char)('0' + number % 10);
    }
    return out;
}

static int most_frequent_first(const void *left, const void *right) {
    const entry *a = *(entry *const *)left, *b = *(entry *const *)right;
    if (a->count != b->count) return a->count < b->count ? 1 : -1;
    return a->first_place < b->first_place ? -1 : 1;
}

/* Prints the most frequent words; returns a checksum over the whole index in that order. */
static uint32_t print_frequencies(void) {
    entry **sorted = take(table.entry_count * sizeof *sorted);
    uint32_t count = 0, checksum = (uint32_t)FNV_START;
    for (uint32_t i = 0; i < table.slot_count; i++)
        if (table.slots[i]) sorted[count++] = table.slots[i];
    qsort(sorted, count, sizeof *sorted, most_frequent_first);
    for (uint32_t i = 0; i < count && i < 5; i++) {
        uint32_t bar = (uint32_t)((uint64_t)sorted[i]->count * BAR_WIDTH / sorted[0]->count);
        printf("  %-6.*s %9s  %.*s\n", (int)sorted[i]->length, at(sorted[i]->first_place),
               grouped(sorted[i]->count), (int)bar, "################################");
    }
    for (uint32_t i = 0; i < count; i++)
        for (const block *part = sorted[i]->first; part; part = part->next)
            checksum = fnv(checksum, part->postings, part->used * sizeof *part->postings);
    free(sorted);
    return checksum;
}

static uint32_t text_checksum(void) {
    uint32_t checksum = (uint32_t)FNV_START;
    for (uint32_t chunk = 0; chunk < text.count; chunk++)
        checksum = fnv(checksum, text.chunks[chunk], text.used[chunk]);
    return checksum;
}

static void print_query(const query *asked, const answer *found) {
    printf("query ");
    for (uint32_t term = 0; term < asked->terms; term++)
        printf("%s%s", term ? " + " : "", asked->term[term]);
    printf("\n  %s in %s %s\n", found->occurrences == 1 ? "once" : grouped(found->occurrences),
           grouped(found->lines), found->lines == 1 ? "line" : "lines");
    if (found->occurrences == 0) return;
    /* A line may run over from the chunk before; what lies in this chunk is enough to see. */
    const char *chunk = text.chunks[found->first_place / CHUNK_BYTES];
    uint32_t start = found->first_place % CHUNK_BYTES, end = start;
    uint32_t used = text.used[found->first_place / CHUNK_BYTES];
    while (start > 0 && chunk[start - 1] != '\n') start--;
    while (end < used && chunk[end] != '\n') end++;
    printf("  line %s: %.*s\n", grouped(found->first_line), (int)(end - start), chunk + start);
}

/* ---- arguments ---- */

static int refuse(const char *what, const char *argument) {
    fprintf(stderr, "word-index: %s: %s\n", what, argument);
    fprintf(stderr, "usage: word-index [--words N] [QUERY...]   (QUERY: word, or word+word)\n");
    return 2;
}

/* Splits `argument` at each `+`; false unless it is one to four words of lower-case letters. */
static bool parse_query(const char *argument, query *out) {
    out->terms = 0;
    while (out->terms < MOST_TERMS) {
        size_t length = strspn(argument, "abcdefghijklmnopqrstuvwxyz");
        if (length == 0 || length > LONGEST_WORD) return false;
        memcpy(out->term[out->terms], argument, length);
        out->term[out->terms++][length] = 0;
        if (argument[length] == 0) return true;
        if (argument[length] != '+') return false;
        argument += length + 1;
    }
    return false;
}

int main(int argc, char **argv) {
    static query queries[MOST_QUERIES];
    static char *const usual[] = {"river", "harbour+lantern", "elmwillow"};
    uint32_t words = DEFAULT_WORDS, query_count = 0;
    first_pages = last_pages = pages_now();

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--words") == 0) {
            if (++i == argc) return refuse("a number must follow", "--words");
            char *end;
            unsigned long long wanted = strtoull(argv[i], &end, 10);
            if (argv[i][0] < '0' || argv[i][0] > '9' || *end || !wanted || wanted > MOST_WORDS)
                return refuse("not a number from 1 to 100000000", argv[i]);
            words = (uint32_t)wanted;
        } else if (query_count == MOST_QUERIES) {
            return refuse("more than 16 queries", argv[i]);
        } else if (!parse_query(argv[i], &queries[query_count++])) {
            return refuse("not one to four lower-case words joined by +", argv[i]);
        }
    }
    if (query_count == 0)
        for (; query_count < sizeof usual / sizeof *usual; query_count++)
            parse_query(usual[query_count], &queries[query_count]);

    build(words);
    printf("text   %s words in %s lines, %s bytes\n", grouped(text.words), grouped(text.lines),
           grouped(text.bytes));
    printf("index  %s different words; the most frequent:\n", grouped(table.entry_count));
    uint32_t index_checksum = print_frequencies();

    uint64_t compared = 0;
    bool agree = true;
    for (uint32_t i = 0; i < query_count; i++) {
        answer indexed = ask_index(&queries[i]), scanned = ask_scan(&queries[i]);
        print_query(&queries[i], &indexed);
        agree = agree && indexed.lines == scanned.lines &&
                indexed.occurrences == scanned.occurrences &&
                indexed.checksum == scanned.checksum;
        compared += scanned.occurrences;
    }
    printf("checksum  text %08x, index %08x\n", text_checksum(), index_checksum);
    printf("memory    %zu pages at the start, %zu now, %zu growths\n", first_pages, pages_now(),
           growths);
    if (!agree) {
        printf("check     INDEX AND SCAN DISAGREE\n");
        return 1;
    }
    printf("check     index and scan agree (places compared: %s)\n", grouped(compared));
    return 0;
}
