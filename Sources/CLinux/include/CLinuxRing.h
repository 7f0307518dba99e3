// io_uring by raw system calls: one ring with one group of provided buffers, used by one thread.
#ifndef CLINUX_RING_H
#define CLINUX_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// What the kernel reports; the layout of struct io_uring_cqe.
typedef struct clinux_completion {
    uint64_t data;
    int32_t result;
    uint32_t flags;
} clinux_completion;

typedef struct clinux_ring {
    int descriptor;
    bool enabled;
    uint32_t entry_mask, completion_mask;
    uint32_t entry_count;
    /// Entries that were written, of which the kernel has not been told.
    uint32_t tail, submitted;
    uint32_t *kernel_tail, *kernel_flags, *completion_head, *completion_tail;
    void *entries;
    clinux_completion *completions;
    void *memory;
    size_t memory_size, entries_size;
    void *buffer_ring;
    uint8_t *buffers;
    /// How much of each buffer was taken from it since the kernel got it.
    uint32_t *buffer_offsets;
    uint32_t buffer_count, buffer_size;
    uint16_t buffer_tail;
} clinux_ring;

/// So many buffers, a power of two, of so many bytes each.
typedef struct clinux_buffers {
    uint32_t count, size;
} clinux_buffers;

/// Sets up a ring with `entries` and `completions` (powers of two), and with provided buffers: `shared` ones, of which
/// the kernel gives each receive only as much as it fills (from 6.12 on), else `whole` ones, of which a receive takes
/// one; at once if `shared` is to be none. 0, or an errno: EINVAL and ENOSYS from kernels before 6.1, EPERM where it is
/// forbidden. The thread that enters it first owns it.
int clinux_ring_open(clinux_ring *ring, uint32_t entries, uint32_t completions, clinux_buffers shared,
                     clinux_buffers whole);
void clinux_ring_close(clinux_ring *ring);

/// Whether `count` entries can be written before the next `clinux_ring_enter`.
static inline bool clinux_ring_has_room(const clinux_ring *ring, uint32_t count) {
    return ring->tail - ring->submitted + count <= ring->entry_count;
}
/// Whether the kernel has all entries.
static inline bool clinux_ring_is_submitted(const clinux_ring *ring) { return ring->tail == ring->submitted; }

// Each of these writes one entry; there must be room.

/// Receives again and again into provided buffers, one completion each.
void clinux_ring_receive(clinux_ring *ring, int descriptor, uint64_t data);
/// Sends at once what the kernel takes at once. Completes only if that was not all. With `end_follows` the next entry
/// closes the descriptor, and is cancelled if that was not all; the last packet waits for it.
void clinux_ring_send_now(clinux_ring *ring, int descriptor, const void *bytes, uint32_t count, bool end_follows,
                          uint64_t data);
/// Sends as soon as the kernel takes something.
void clinux_ring_send(clinux_ring *ring, int descriptor, const void *bytes, uint32_t count, uint64_t data);
/// Completes once, when one of the poll(2) `events` is there.
void clinux_ring_poll(clinux_ring *ring, int descriptor, uint32_t events, uint64_t data);
/// Cancels the entry that was written with `target`.
void clinux_ring_cancel(clinux_ring *ring, uint64_t target, uint64_t data);
/// Cancels all that is under way.
void clinux_ring_cancel_all(clinux_ring *ring, uint64_t data);
void clinux_ring_close_descriptor(clinux_ring *ring, int descriptor, uint64_t data);

/// Hands the written entries to the kernel and waits for `least` completions, at most `timeout` nanoseconds (-1:
/// without end). 0, or an errno; running out of time is none.
int clinux_ring_enter(clinux_ring *ring, uint32_t least, int64_t timeout);

/// The completions that wait, by position from `head` up to, without, `tail`.
static inline uint32_t clinux_ring_head(const clinux_ring *ring) { return *ring->completion_head; }
static inline uint32_t clinux_ring_tail(const clinux_ring *ring) {
    return __atomic_load_n(ring->completion_tail, __ATOMIC_ACQUIRE);
}
/// Whether the kernel holds completions for which there was no place.
static inline bool clinux_ring_has_overflown(const clinux_ring *ring) {
    return __atomic_load_n(ring->kernel_flags, __ATOMIC_RELAXED) & 2;
}
static inline clinux_completion *clinux_ring_completion(const clinux_ring *ring, uint32_t position) {
    return &ring->completions[position & ring->completion_mask];
}
/// Gives the kernel the places of the completions before `head`.
static inline void clinux_ring_advance(clinux_ring *ring, uint32_t head) {
    __atomic_store_n(ring->completion_head, head, __ATOMIC_RELEASE);
}

/// Whether further completions of the same entry follow.
static inline bool clinux_completion_has_more(const clinux_completion *completion) {
    return completion->flags & 2;
}
/// Whether the bytes of a receive are in a provided buffer.
static inline bool clinux_completion_has_buffer(const clinux_completion *completion) { return completion->flags & 1; }
/// The bytes that a receive brought. They stay valid until `clinux_ring_release`.
static inline const uint8_t *clinux_ring_received(const clinux_ring *ring, const clinux_completion *completion) {
    uint32_t buffer = completion->flags >> 16;
    return ring->buffers + (size_t)buffer * ring->buffer_size + ring->buffer_offsets[buffer];
}
/// Lets go of the bytes that a receive brought: to be called once for each completion that has a buffer, in order.
void clinux_ring_release(clinux_ring *ring, const clinux_completion *completion);

#endif
