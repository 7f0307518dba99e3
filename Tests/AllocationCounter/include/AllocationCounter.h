// Counts the memory allocations of one thread, by standing in front of malloc in the test executable.
#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdint.h>

/// Whether this build counts; sanitizers bring a malloc of their own.
int allocation_counter_works(void);
/// Counts the allocations of the thread `tid` from now on, beginning with 0; 0 stops.
void allocation_counter_watch(int32_t tid);
/// The allocations since then.
uint64_t allocation_counter_value(void);

#endif
