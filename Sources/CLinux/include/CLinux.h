// Linux interfaces that Swift's Glibc module does not carry. No logic lives here:
// each inline function only gives a macro or a GNU-only call a name that Swift can import.
#ifndef CLINUX_H
#define CLINUX_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/inet_diag.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "CLinuxRing.h"

/// accept4 with SOCK_NONBLOCK and SOCK_CLOEXEC; -1 and errno on failure.
int clinux_accept(int listener, struct sockaddr *address, socklen_t *length);
/// send(2) with MSG_NOSIGNAL, and recv(2), which are no points of cancellation. With `end_follows` (MSG_MORE) the last
/// packet waits for the shutdown or close that comes at once.
ssize_t clinux_send(int socket, const void *bytes, size_t count, bool end_follows);
ssize_t clinux_receive(int socket, void *bytes, size_t count);
/// pipe2 with O_CLOEXEC and O_NONBLOCK.
int clinux_pipe(int descriptors[2]);
/// splice(2) without offsets, SPLICE_F_MOVE | SPLICE_F_NONBLOCK.
ssize_t clinux_splice(int from, int to, size_t length);
/// Payload bytes of a TCP connection that its peer has acknowledged (tcpi_bytes_acked less the SYN).
/// UINT64_MAX if unknown: then all of them must be taken for delivered.
uint64_t clinux_acknowledged_bytes(int socket);
/// Payload bytes of a TCP connection that were taken out of the kernel's queue; too few, never too many, if some arrive
/// meanwhile. UINT64_MAX if unknown.
uint64_t clinux_consumed_bytes(int socket);
/// memfd_create(2) with MFD_CLOEXEC.
int clinux_memfd(const char *name);
/// sendmsg(2) of one datagram with at most CLINUX_PASSED descriptors (SCM_RIGHTS); never waits.
ssize_t clinux_send_passing(int socket, const void *bytes, size_t count, const int *descriptors, size_t passed);
/// recvmsg(2) of one datagram and the descriptors that came with it, of which there is room for CLINUX_PASSED; they are
/// close-on-exec. Never waits.
ssize_t clinux_receive_passed(int socket, void *bytes, size_t capacity, int *descriptors, size_t *passed);
enum { CLINUX_PASSED = 64 };
/// fork(2), whose parent ends: the process that returns is a child of init, or -1 and errno. Only for a process with one
/// thread.
int clinux_detach(void);
/// pidfd_send_signal(2).
int clinux_pidfd_signal(int pidfd, int number);
/// Of an established TCP connection, the payload bytes since its beginning that the peer has acknowledged, and those that
/// came from it, and what the two ends agreed on (tcpi_options).
struct clinux_tcp_rest {
    uint64_t sent, received;
    uint8_t options, send_scale, receive_scale;
};
/// Whether nothing waits to be read, sent or acknowledged, and then the rest; false also for what is no such connection.
bool clinux_tcp_is_at_rest(int socket, struct clinux_tcp_rest *rest);
/// F_SETPIPE_SZ; the capacity that the pipe has now, or -1 and errno.
int clinux_set_pipe_capacity(int pipe, int bytes);
/// fallocate(2) with mode 0.
int clinux_fallocate(int descriptor, off_t offset, off_t length);
/// Names the calling thread (at most 15 bytes are kept).
int clinux_name_thread(const char *name);
/// Pins the calling thread to one processor.
int clinux_pin_thread(int processor);
/// Puts the calling thread under SCHED_FIFO at `priority`; 0, or an errno.
int clinux_set_fifo(int priority);
/// Sets the calling thread's nice value; 0, or an errno.
int clinux_set_thread_nice(int nice);
/// The process at the other end of a Unix socket (SO_PEERCRED); -1 if unknown.
pid_t clinux_peer_pid(int socket);
/// The user at the other end of a Unix socket (SO_PEERCRED); (uid_t)-1 if unknown.
uid_t clinux_peer_uid(int socket);
/// CRC32C (Castagnoli) of `length` bytes, continuing from `seed` (0 to start).
uint32_t clinux_crc32c(uint32_t seed, const void *bytes, size_t length);
/// A descriptor that becomes readable when the process has ended (Linux 5.3); -1 with errno.
int clinux_pidfd_open(pid_t pid);
/// posix_spawn_file_actions_addchdir_np(3): where the child begins; 0, or an errno.
int clinux_spawn_in(posix_spawn_file_actions_t *actions, const char *directory);
/// WIFEXITED, WEXITSTATUS and WTERMSIG as functions.
bool clinux_exited(int status);
int clinux_exit_status(int status);
int clinux_term_signal(int status);

#endif
