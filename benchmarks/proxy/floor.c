// The least that a proxy can cost on a machine: passes bytes on between each client and a backend connection of its
// own, and looks at none of them. No proxy that makes the same system calls can be below it.
// Usage: floor PORT BACKEND_PORT epoll|io_uring
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "CLinuxRing.h"

enum { SCRATCH = 256 << 10, TURN = 256, DESCRIPTORS = 32768, COMPLETIONS = 4096 };

static int peers[DESCRIPTORS];
static int backend_port;

static void demand(int holds, const char *what) {
    if (holds) return;
    perror(what);
    exit(1);
}

static struct sockaddr_in loopback(int port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void set(int socket, int level, int option) {
    int on = 1;
    demand(setsockopt(socket, level, option, &on, sizeof on) == 0, "setsockopt");
}

static int listen_on(int port) {
    struct sockaddr_in address = loopback(port);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    set(listener, SOL_SOCKET, SO_REUSEADDR);
    demand(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 4096) == 0, "listen");
    return listener;
}

// Accepts a client and connects it; -1 when there is none.
static int accept_pair(int listener) {
    struct sockaddr_in address = loopback(backend_port);
    int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (client < 0) return -1;
    int backend = socket(AF_INET, SOCK_STREAM, 0);
    demand(connect(backend, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    demand(client < DESCRIPTORS && backend < DESCRIPTORS, "too many connections");
    set(client, IPPROTO_TCP, TCP_NODELAY);
    set(backend, IPPROTO_TCP, TCP_NODELAY);
    peers[client] = backend;
    peers[backend] = client;
    return client;
}

static void end_pair(int descriptor) {
    int peer = peers[descriptor];
    if (peer == 0) return;
    peers[descriptor] = peers[peer] = 0;
    close(descriptor);
    close(peer);
}

// Only the end of a connection excuses that not all was sent.
static void demand_loss(int code) {
    demand(code == EPIPE || code == ECONNRESET || code == EBADF, "send in one piece");
}

static void pass_on(int descriptor, char *scratch) {
    if (peers[descriptor] == 0) return;
    ssize_t count;
    do {
        count = recv(descriptor, scratch, SCRATCH, MSG_DONTWAIT);
        if (count == 0 || (count < 0 && errno != EAGAIN)) return end_pair(descriptor);
        if (count > 0 && send(peers[descriptor], scratch, count, MSG_NOSIGNAL) != count) return demand_loss(errno);
    } while (count == SCRATCH);
}

static void run_epoll(int listener) {
    static char scratch[SCRATCH];
    struct epoll_event events[TURN], event = {.events = EPOLLIN, .data.fd = listener};
    int poller = epoll_create1(0);
    demand(epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) == 0, "epoll_ctl");
    for (;;) {
        int count = epoll_wait(poller, events, TURN, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd != listener) {
                pass_on(events[i].data.fd, scratch);
                continue;
            }
            int client = accept_pair(listener);
            if (client < 0) continue;
            for (int end = client, n = 0; n < 2; n++, end = peers[client]) {
                event = (struct epoll_event){.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = end};
                demand(epoll_ctl(poller, EPOLL_CTL_ADD, end, &event) == 0, "epoll_ctl");
            }
        }
    }
}

// What a completion is of: the listener, a receive (the descriptor), or a send that fell short.
enum { LISTENER = 0, SEND = -1 };

static void run_ring(int listener) {
    clinux_ring ring;
    clinux_buffers shared = {16, 16 << 10}, whole = {256, 8 << 10};
    demand(clinux_ring_open(&ring, 1024, COMPLETIONS, shared, whole) == 0, "io_uring");
    clinux_ring_poll(&ring, listener, EPOLLIN, LISTENER);
    for (;;) {
        int code = clinux_ring_enter(&ring, 1, -1);
        demand(code == 0 || code == EINTR, "io_uring_enter");
        uint32_t head = clinux_ring_head(&ring), tail = clinux_ring_tail(&ring);
        for (; head != tail; head++) {
            clinux_completion completion = *clinux_ring_completion(&ring, head);
            int descriptor = (int)completion.data;
            if (descriptor == SEND) {
                demand_loss(-completion.result);
                continue;
            }
            if (!clinux_ring_has_room(&ring, 3)) break;
            if (descriptor == LISTENER) {
                int client = accept_pair(listener);
                if (client >= 0) {
                    clinux_ring_receive(&ring, client, client);
                    clinux_ring_receive(&ring, peers[client], peers[client]);
                }
                clinux_ring_poll(&ring, listener, EPOLLIN, LISTENER);
                continue;
            }
            if (clinux_completion_has_buffer(&completion)) {
                const uint8_t *bytes = clinux_ring_received(&ring, &completion);
                if (peers[descriptor] != 0)
                    clinux_ring_send_now(&ring, peers[descriptor], bytes, completion.result, false, SEND);
                // Entries are carried out as they are handed over, and only then does the kernel fill buffers again.
                clinux_ring_release(&ring, &completion);
            } else if (completion.result != -ENOBUFS) {
                end_pair(descriptor);
                continue;
            }
            if (!clinux_completion_has_more(&completion) && peers[descriptor] != 0)
                clinux_ring_receive(&ring, descriptor, descriptor);
        }
        clinux_ring_advance(&ring, head);
    }
}

int main(int count, char **arguments) {
    demand(count == 4, "usage: floor PORT BACKEND_PORT epoll|io_uring");
    backend_port = atoi(arguments[2]);
    int listener = listen_on(atoi(arguments[1]));
    if (strcmp(arguments[3], "epoll") == 0) run_epoll(listener);
    run_ring(listener);
}
