/* Contents that know when they are damaged. */
#include "check.h"

static wasm_arena_arenas_t *arenas;

static wasm_arena_memory_t *pages(uint32_t count, uint8_t **base)
{
    wasm_arena_memory_t *memory = NULL;
    OK(wasm_arena_memory_create(arenas, NULL, &memory, error));
    OK(wasm_arena_memory_allocate(memory, count, 8, base, error));
    return memory;
}

static void damage_is_found_and_named(void)
{
    uint8_t *base = NULL;
    uint8_t bytes[16];
    wasm_arena_memory_t *memory = pages(1, &base);
    wasm_arena_atomic_t *atomic = NULL;
    struct wasm_arena_atomic_info_t info;
    struct wasm_arena_scrub_t scrubbed;
    struct wasm_arena_atomic_statistics_t account;
    struct wasm_arena_error_t damage;
    wasm_arena_level_t level = -1;
    unsigned bit;

    OK(wasm_arena_atomic_create(memory, NULL, 0, &atomic, error));
    OK(wasm_arena_atomic_info(atomic, &info, error));
    CHECK_EQUAL(info.size, WASM_ARENA_PAGE_SIZE);
    CHECK_EQUAL(info.block_size * info.block_count, info.size);
    CHECK_EQUAL(info.is_mirrored, 0);

    /* The memory itself is lent. */
    EXPECT(WASM_ARENA_ERROR_LENT, wasm_arena_memory_grow(memory, 1, 1, NULL, error));
    EXPECT(WASM_ARENA_ERROR_LENT, wasm_arena_memory_read(memory, 0, bytes, 1, error));
    EXPECT(WASM_ARENA_ERROR_LENT, wasm_arena_memory_free(memory, error));
    EXPECT(WASM_ARENA_ERROR_LENT, wasm_arena_memory_destroy(memory, error));
    EXPECT(WASM_ARENA_ERROR_LENT, wasm_arena_atomic_create(memory, NULL, 0, &atomic, error));

    OK(wasm_arena_atomic_write(atomic, 5, (const uint8_t *)"calibration", 11, error));
    OK(wasm_arena_atomic_copy_within(atomic, 5, 7, 11, error));
    OK(wasm_arena_atomic_read(atomic, 7, bytes, 11, error));
    CHECK(memcmp(bytes, "calibration", 11) == 0);
    OK(wasm_arena_atomic_fill(atomic, 1000, 100, 0xee, error));
    OK(wasm_arena_atomic_try_read(atomic, 1099, bytes, 2, error));
    CHECK(bytes[0] == 0xee && bytes[1] == 0);
    EXPECT(WASM_ARENA_ERROR_OUT_OF_RANGE,
           wasm_arena_atomic_write(atomic, WASM_ARENA_PAGE_SIZE - 1, bytes, 2, error));
    OK(wasm_arena_atomic_last_damage(atomic, &damage, error));
    CHECK_EQUAL(damage.status, WASM_ARENA_OK);

    for (bit = 0; bit < 8 * info.block_size; bit++) {
        /* Behind the back of the operations, as a stray particle would. */
        base[bit / 8] ^= (uint8_t)(1u << bit % 8);
        EXPECT(WASM_ARENA_ERROR_BLOCK_DAMAGED, wasm_arena_atomic_read(atomic, 8, bytes, 4, error));
        CHECK_EQUAL(last_error.block, 0);
        CHECK_EQUAL(last_error.offset, 0);
        CHECK_EQUAL(last_error.length, info.block_size);
        CHECK_EQUAL(last_error.repaired, 0);
        CHECK(last_error.stored != last_error.computed);
        CHECK(bytes[0] == 0 && bytes[3] == 0);
        base[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    OK(wasm_arena_atomic_verify(atomic, error));
    base[info.block_size * 3] ^= 1;
    EXPECT(WASM_ARENA_ERROR_BLOCK_DAMAGED, wasm_arena_atomic_verify(atomic, error));
    CHECK_EQUAL(last_error.block, 3);
    OK(wasm_arena_atomic_verify_range(atomic, 0, 3 * (size_t)info.block_size, error));
    OK(wasm_arena_atomic_scrub(atomic, (size_t)info.block_count, &scrubbed, error));
    CHECK_EQUAL(scrubbed.blocks_checked, info.block_count);
    CHECK_EQUAL(scrubbed.blocks_damaged, 1);
    CHECK_EQUAL(scrubbed.completed_pass, 1);
    CHECK_EQUAL(scrubbed.first_damage.status, WASM_ARENA_ERROR_BLOCK_DAMAGED);
    CHECK_EQUAL(scrubbed.first_damage.block, 3);
    OK(wasm_arena_atomic_last_damage(atomic, &damage, error));
    CHECK_EQUAL(damage.block, 3);
    /* A guest's own write is damage until it is told. */
    OK(wasm_arena_atomic_resync(atomic, 3 * (size_t)info.block_size, 1, error));
    OK(wasm_arena_atomic_scrub(atomic, (size_t)info.block_count, &scrubbed, error));
    CHECK_EQUAL(scrubbed.blocks_damaged, 0);
    CHECK_EQUAL(scrubbed.first_damage.status, WASM_ARENA_OK);

    OK(wasm_arena_atomic_set_level(atomic, WASM_ARENA_LEVEL_OFF, error));
    OK(wasm_arena_atomic_level(atomic, &level, error));
    CHECK_EQUAL(level, WASM_ARENA_LEVEL_OFF);
    EXPECT(WASM_ARENA_ERROR_NOT_VERIFYING, wasm_arena_atomic_verify(atomic, error));
    EXPECT(WASM_ARENA_ERROR_INVALID_ARGUMENT, wasm_arena_atomic_set_level(atomic, 9, error));
    OK(wasm_arena_atomic_set_level(atomic, WASM_ARENA_LEVEL_CRITICAL, error));
    OK(wasm_arena_atomic_statistics(atomic, &account, error));
    CHECK(account.writes >= 3 && account.blocks_damaged >= 8 * info.block_size);

    OK(wasm_arena_atomic_close(atomic, error));
    EXPECT(WASM_ARENA_ERROR_STALE_HANDLE, wasm_arena_atomic_close(atomic, error));
    OK(wasm_arena_memory_read(memory, 7, bytes, 11, error));
    CHECK(memcmp(bytes, "calibration", 11) == 0);
    OK(wasm_arena_memory_destroy(memory, error));
}

static void exchange(void)
{
    uint8_t *base = NULL;
    wasm_arena_memory_t *memory = pages(1, &base);
    wasm_arena_atomic_t *atomic = NULL;
    uint64_t wide = 9;
    uint32_t word = 9;
    uint16_t half = 9;
    uint8_t byte = 9;
    uint32_t previous = 9;

    OK(wasm_arena_atomic_create(memory, NULL, 64, &atomic, error));
    OK(wasm_arena_atomic_compare_exchange_u64(atomic, 3, 0, UINT64_C(0x1122334455667788), &wide,
                                              error));
    CHECK_EQUAL(wide, 0);
    CHECK(base[3] == 0x88 && base[10] == 0x11);
    OK(wasm_arena_atomic_compare_exchange_u32(atomic, 3, 1, 2, &word, error));
    CHECK_EQUAL(word, 0x55667788);
    OK(wasm_arena_atomic_compare_exchange_u16(atomic, 3, 0x7788, 0xabcd, &half, error));
    CHECK_EQUAL(half, 0x7788);
    OK(wasm_arena_atomic_compare_exchange_u8(atomic, 3, 0xcd, 0x11, &byte, error));
    CHECK_EQUAL(byte, 0xcd);
    OK(wasm_arena_atomic_compare_exchange_u8(atomic, 3, 0x11, 0x12, NULL, error));
    CHECK(base[3] == 0x12 && base[4] == 0xab);
    OK(wasm_arena_atomic_grow(atomic, 2, &previous, error));
    CHECK_EQUAL(previous, 1);
    OK(wasm_arena_atomic_verify(atomic, error));
    EXPECT(WASM_ARENA_ERROR_BEYOND_MAXIMUM, wasm_arena_atomic_grow(atomic, 6, &previous, error));
    OK(wasm_arena_atomic_verify(atomic, error));
    OK(wasm_arena_atomic_close(atomic, error));
    OK(wasm_arena_memory_destroy(memory, error));
}

static void a_second_copy_repairs(void)
{
    uint8_t *base = NULL;
    uint8_t *copy = NULL;
    uint8_t byte = 0;
    wasm_arena_memory_t *memory = pages(2, &base);
    wasm_arena_memory_t *mirror = pages(1, &copy);
    wasm_arena_memory_t *empty = NULL;
    wasm_arena_atomic_t *atomic = NULL;
    struct wasm_arena_error_t damage;

    EXPECT(WASM_ARENA_ERROR_MIRROR_TOO_SMALL,
           wasm_arena_atomic_create(memory, mirror, 0, &atomic, error));
    CHECK_EQUAL(last_error.available, WASM_ARENA_PAGE_SIZE);
    EXPECT(WASM_ARENA_ERROR_IN_USE, wasm_arena_atomic_create(memory, memory, 0, &atomic, error));
    OK(wasm_arena_memory_create(arenas, NULL, &empty, error));
    EXPECT(WASM_ARENA_ERROR_NOT_ALLOCATED,
           wasm_arena_atomic_create(memory, empty, 0, &atomic, error));
    EXPECT(WASM_ARENA_ERROR_NOT_ALLOCATED,
           wasm_arena_atomic_create(empty, NULL, 0, &atomic, error));
    /* Nothing is lent after a refusal. */
    OK(wasm_arena_memory_grow(mirror, 1, 1, &copy, error));
    OK(wasm_arena_memory_protect(mirror, 0, WASM_ARENA_PAGE_SIZE, WASM_ARENA_PROTECTION_READ,
                                 error));
    EXPECT(WASM_ARENA_ERROR_PROTECTED,
           wasm_arena_atomic_create(memory, mirror, 0, &atomic, error));
    OK(wasm_arena_memory_protect(mirror, 0, WASM_ARENA_PAGE_SIZE,
                                 WASM_ARENA_PROTECTION_READ_WRITE, error));

    OK(wasm_arena_atomic_create(memory, mirror, 0, &atomic, error));
    EXPECT(WASM_ARENA_ERROR_LENT, wasm_arena_memory_reset(mirror, error));
    OK(wasm_arena_atomic_fill(atomic, 0, 2 * WASM_ARENA_PAGE_SIZE, 7, error));
    base[100] = 8;
    OK(wasm_arena_atomic_read(atomic, 100, &byte, 1, error));
    CHECK(byte == 7 && base[100] == 7);
    OK(wasm_arena_atomic_last_damage(atomic, &damage, error));
    CHECK_EQUAL(damage.status, WASM_ARENA_ERROR_BLOCK_DAMAGED);
    CHECK_EQUAL(damage.repaired, 1);
    copy[200] = 9;
    EXPECT(WASM_ARENA_ERROR_MIRROR_DAMAGED, wasm_arena_atomic_verify(atomic, error));
    CHECK_EQUAL(last_error.found, 200);
    OK(wasm_arena_atomic_scrub(atomic, SIZE_MAX, NULL, error));
    CHECK_EQUAL(copy[200], 7);
    OK(wasm_arena_atomic_grow(atomic, 1, NULL, error));
    OK(wasm_arena_atomic_verify(atomic, error));
    OK(wasm_arena_atomic_close(atomic, error));
    OK(wasm_arena_memory_destroy(memory, error));
    OK(wasm_arena_memory_destroy(mirror, error));
    OK(wasm_arena_memory_destroy(empty, error));
}

int main(void)
{
    OK(wasm_arena_arenas_create(NULL, &arenas, error));
    damage_is_found_and_named();
    exchange();
    a_second_copy_repairs();
    OK(wasm_arena_arenas_destroy(arenas, error));
    puts("atomic: ok");
    return 0;
}
