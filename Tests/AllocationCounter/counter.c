#define _GNU_SOURCE
#include "include/AllocationCounter.h"

#include <errno.h>
#include <stddef.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic int32_t watched;
static _Atomic uint64_t count;

void allocation_counter_watch(int32_t tid) {
    atomic_store(&watched, 0);
    atomic_store(&count, 0);
    atomic_store(&watched, tid);
}

uint64_t allocation_counter_value(void) { return atomic_load(&count); }

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
int allocation_counter_works(void) { return 0; }
#else
int allocation_counter_works(void) { return 1; }

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static void note(void) {
    static __thread int32_t self;
    int32_t wanted = atomic_load_explicit(&watched, memory_order_relaxed);
    if (wanted == 0) return;
    if (self == 0) self = (int32_t)syscall(SYS_gettid);
    if (self == wanted) atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
}

void *malloc(size_t size) {
    note();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    note();
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
    note();
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    note();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    note();
    *result = __libc_memalign(alignment, size);
    return *result ? 0 : ENOMEM;
}
#endif
