#define _GNU_SOURCE
#include "include/CLinuxRing.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(clinux_completion) == sizeof(struct io_uring_cqe), "the kernel's layout");
_Static_assert(IORING_CQE_F_BUFFER == 1 && IORING_CQE_F_MORE == 2, "the flags that the header tests");

_Static_assert(IORING_SQ_CQ_OVERFLOW == 2, "the flag that the header tests");

// Not in the headers of 6.1: IOU_PBUF_RING_INC, IORING_CQE_F_BUF_MORE, and where io_uring_buf_reg has its flags.
static const uint16_t shares_buffers = 2;
static const uint32_t keeps_buffer = 1U << 4;
static const size_t flags_offset = 14;
_Static_assert(offsetof(struct io_uring_buf_reg, bgid) + sizeof(uint16_t) == 14, "the flags follow the group");

static const uint32_t setup_flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN
    | IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
static const uint32_t needed_features = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG
    | IORING_FEAT_CQE_SKIP;

static int map_rings(clinux_ring *ring, const struct io_uring_params *parameters) {
    size_t entry_part = parameters->sq_off.array + parameters->sq_entries * sizeof(uint32_t);
    size_t completion_part = parameters->cq_off.cqes + parameters->cq_entries * sizeof(struct io_uring_cqe);
    ring->memory_size = entry_part > completion_part ? entry_part : completion_part;
    ring->entries_size = parameters->sq_entries * sizeof(struct io_uring_sqe);
    void *memory = mmap(NULL, ring->memory_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                        ring->descriptor, IORING_OFF_SQ_RING);
    if (memory == MAP_FAILED) return errno;
    ring->memory = memory;
    void *entries = mmap(NULL, ring->entries_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                         ring->descriptor, IORING_OFF_SQES);
    if (entries == MAP_FAILED) return errno;
    ring->entries = entries;
    uint8_t *base = memory;
    ring->entry_mask = *(uint32_t *)(base + parameters->sq_off.ring_mask);
    ring->entry_count = parameters->sq_entries;
    ring->kernel_tail = (uint32_t *)(base + parameters->sq_off.tail);
    ring->kernel_flags = (uint32_t *)(base + parameters->sq_off.flags);
    ring->completion_mask = *(uint32_t *)(base + parameters->cq_off.ring_mask);
    ring->completion_head = (uint32_t *)(base + parameters->cq_off.head);
    ring->completion_tail = (uint32_t *)(base + parameters->cq_off.tail);
    ring->completions = (clinux_completion *)(base + parameters->cq_off.cqes);
    uint32_t *order = (uint32_t *)(base + parameters->sq_off.array);
    for (uint32_t index = 0; index < parameters->sq_entries; index++) order[index] = index;
    return 0;
}

static void drop_buffers(clinux_ring *ring) {
    if (ring->buffer_ring) munmap(ring->buffer_ring, ring->buffer_count * sizeof(struct io_uring_buf));
    if (ring->buffers) munmap(ring->buffers, (size_t)ring->buffer_count * ring->buffer_size);
    free(ring->buffer_offsets);
    ring->buffer_ring = ring->buffers = NULL;
    ring->buffer_offsets = NULL;
}

static void give_back(clinux_ring *ring, uint32_t buffer) {
    struct io_uring_buf_ring *buffers = ring->buffer_ring;
    struct io_uring_buf *place = &buffers->bufs[ring->buffer_tail & (ring->buffer_count - 1)];
    place->addr = (uintptr_t)(ring->buffers + (size_t)buffer * ring->buffer_size);
    place->len = ring->buffer_size;
    place->bid = (uint16_t)buffer;
    ring->buffer_offsets[buffer] = 0;
    ring->buffer_tail++;
    __atomic_store_n(&buffers->tail, ring->buffer_tail, __ATOMIC_RELEASE);
}

static int provide_buffers(clinux_ring *ring, clinux_buffers shape, uint16_t flags) {
    void *entries = mmap(NULL, shape.count * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (entries == MAP_FAILED) return errno;
    ring->buffer_ring = entries;
    ring->buffer_count = shape.count;
    ring->buffer_size = shape.size;
    void *buffers = mmap(NULL, (size_t)shape.count * shape.size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffers == MAP_FAILED) return errno;
    ring->buffers = buffers;
    ring->buffer_offsets = calloc(shape.count, sizeof *ring->buffer_offsets);
    if (!ring->buffer_offsets) return ENOMEM;
    // Older headers call the place of the flags a padding.
    struct io_uring_buf_reg registration = {.ring_addr = (uintptr_t)entries, .ring_entries = shape.count};
    memcpy((char *)&registration + flags_offset, &flags, sizeof flags);
    if (syscall(SYS_io_uring_register, ring->descriptor, IORING_REGISTER_PBUF_RING, &registration, 1) < 0)
        return errno;
    for (uint32_t buffer = 0; buffer < shape.count; buffer++) give_back(ring, buffer);
    return 0;
}

int clinux_ring_open(clinux_ring *ring, uint32_t entries, uint32_t completions, clinux_buffers shared,
                     clinux_buffers whole) {
    memset(ring, 0, sizeof *ring);
    struct io_uring_params parameters = {.flags = setup_flags, .cq_entries = completions};
    ring->descriptor = (int)syscall(SYS_io_uring_setup, entries, &parameters);
    if (ring->descriptor < 0) return errno;
    int error = (parameters.features & needed_features) == needed_features ? 0 : ENOSYS;
    if (error == 0) error = map_rings(ring, &parameters);
    if (error == 0) error = shared.count == 0 ? EINVAL : provide_buffers(ring, shared, shares_buffers);
    if (error == EINVAL) {
        drop_buffers(ring);
        error = provide_buffers(ring, whole, 0);
    }
    if (error != 0) clinux_ring_close(ring);
    return error;
}

void clinux_ring_close(clinux_ring *ring) {
    if (ring->descriptor >= 0) close(ring->descriptor);
    if (ring->memory) munmap(ring->memory, ring->memory_size);
    if (ring->entries) munmap(ring->entries, ring->entries_size);
    drop_buffers(ring);
    ring->descriptor = -1;
    ring->memory = ring->entries = NULL;
}

static struct io_uring_sqe *next_entry(clinux_ring *ring, uint8_t operation, int descriptor, uint64_t data) {
    struct io_uring_sqe *entry = (struct io_uring_sqe *)ring->entries + (ring->tail & ring->entry_mask);
    ring->tail++;
    memset(entry, 0, sizeof *entry);
    entry->opcode = operation;
    entry->fd = descriptor;
    entry->user_data = data;
    return entry;
}

void clinux_ring_receive(clinux_ring *ring, int descriptor, uint64_t data) {
    struct io_uring_sqe *entry = next_entry(ring, IORING_OP_RECV, descriptor, data);
    entry->ioprio = IORING_RECV_MULTISHOT;
    entry->flags = IOSQE_BUFFER_SELECT;
}

void clinux_ring_send_now(clinux_ring *ring, int descriptor, const void *bytes, uint32_t count, bool end_follows,
                          uint64_t data) {
    struct io_uring_sqe *entry = next_entry(ring, IORING_OP_SEND, descriptor, data);
    entry->addr = (uintptr_t)bytes;
    entry->len = count;
    // With MSG_WAITALL a short send is a failure, so it is reported in spite of IOSQE_CQE_SKIP_SUCCESS.
    entry->msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL;
    entry->flags = IOSQE_CQE_SKIP_SUCCESS;
    if (end_follows) {
        entry->msg_flags |= MSG_MORE;
        entry->flags |= IOSQE_IO_LINK;
    }
}

void clinux_ring_send(clinux_ring *ring, int descriptor, const void *bytes, uint32_t count, uint64_t data) {
    struct io_uring_sqe *entry = next_entry(ring, IORING_OP_SEND, descriptor, data);
    entry->addr = (uintptr_t)bytes;
    entry->len = count;
    entry->msg_flags = MSG_NOSIGNAL;
}

void clinux_ring_poll(clinux_ring *ring, int descriptor, uint32_t events, uint64_t data) {
    struct io_uring_sqe *entry = next_entry(ring, IORING_OP_POLL_ADD, descriptor, data);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    events = events << 16 | events >> 16;
#endif
    entry->poll32_events = events;
}

void clinux_ring_cancel(clinux_ring *ring, uint64_t target, uint64_t data) {
    struct io_uring_sqe *entry = next_entry(ring, IORING_OP_ASYNC_CANCEL, -1, data);
    entry->addr = target;
    entry->flags = IOSQE_CQE_SKIP_SUCCESS;
}

void clinux_ring_cancel_all(clinux_ring *ring, uint64_t data) {
    struct io_uring_sqe *entry = next_entry(ring, IORING_OP_ASYNC_CANCEL, -1, data);
    entry->cancel_flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
    entry->flags = IOSQE_CQE_SKIP_SUCCESS;
}

void clinux_ring_close_descriptor(clinux_ring *ring, int descriptor, uint64_t data) {
    struct io_uring_sqe *entry = next_entry(ring, IORING_OP_CLOSE, descriptor, data);
    entry->flags = IOSQE_CQE_SKIP_SUCCESS;
}

int clinux_ring_enter(clinux_ring *ring, uint32_t least, int64_t timeout) {
    if (!ring->enabled) {
        if (syscall(SYS_io_uring_register, ring->descriptor, IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0) return errno;
        ring->enabled = true;
    }
    struct __kernel_timespec limit = {.tv_sec = timeout / 1000000000, .tv_nsec = timeout % 1000000000};
    struct io_uring_getevents_arg argument = {
        .sigmask_sz = _NSIG / 8, .ts = timeout < 0 ? 0 : (uintptr_t)&limit};
    __atomic_store_n(ring->kernel_tail, ring->tail, __ATOMIC_RELEASE);
    long result = syscall(SYS_io_uring_enter, ring->descriptor, ring->tail - ring->submitted, least,
                          IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument, sizeof argument);
    if (result >= 0) {
        ring->submitted += (uint32_t)result;
        return 0;
    }
    return errno == ETIME ? 0 : errno;
}

void clinux_ring_release(clinux_ring *ring, const clinux_completion *completion) {
    uint32_t buffer = completion->flags >> 16;
    if (completion->flags & keeps_buffer) {
        ring->buffer_offsets[buffer] += (uint32_t)completion->result;
    } else {
        give_back(ring, buffer);
    }
}
