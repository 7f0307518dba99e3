// Swift 6.3 instruments with trace-pc-guard, which its own libFuzzer no longer takes. These definitions, linked in
// front of libFuzzer's, count the edges where libFuzzer looks for extra counters.
#include <stdint.h>

enum { COUNTERS = 1 << 16 };

__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t counters[COUNTERS];

void __sanitizer_cov_trace_pc_guard_init(uint32_t *start, uint32_t *stop) {
    static uint32_t last = 0;
    for (uint32_t *guard = start; guard < stop; guard++)
        if (*guard == 0) *guard = ++last % COUNTERS;
}

void __sanitizer_cov_trace_pc_guard(uint32_t *guard) {
    uint8_t *counter = &counters[*guard];
    if (*counter < UINT8_MAX) ++*counter;
}
