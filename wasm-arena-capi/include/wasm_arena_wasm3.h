/*
 * Puts wasm3's memory on arenas: linear memories and large stacks between guards, everything else in
 * a heap of bounded time.
 *
 * wasm3 takes all of its memory in one source file, `m3_core.c`, by calloc, realloc and free. Compile
 * that file with `-include wasm_arena_wasm3.h`, and call wasm_arena_wasm3_use before wasm3 does
 * anything. Tried with wasm3 0.4.7; later versions call the same three.
 *
 * wasm3 compares every access with the size of the memory, so its memories may move as they grow.
 */
#ifndef WASM_ARENA_WASM3_H
#define WASM_ARENA_WASM3_H

#include <stdlib.h>

#include "wasm_arena.h"

#define calloc(count, size) wasm_arena_wasm3_calloc(count, size)
#define realloc(block, size) wasm_arena_wasm3_realloc(block, size)
#define free(block) wasm_arena_wasm3_free(block)

#endif
