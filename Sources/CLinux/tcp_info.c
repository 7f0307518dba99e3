// Apart from shims.c because the kernel's <linux/tcp.h>, which alone has the later fields of tcp_info, can not be
// included beside <netinet/tcp.h>.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

uint64_t clinux_acknowledged_bytes(int socket) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return UINT64_MAX;
    return info.tcpi_bytes_acked > 0 ? info.tcpi_bytes_acked - 1 : 0;
}

uint64_t clinux_consumed_bytes(int socket) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    int waiting = 0;
    // In this order: what arrives in between counts as waiting.
    if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return UINT64_MAX;
    if (ioctl(socket, FIONREAD, &waiting) != 0) return UINT64_MAX;
    return info.tcpi_bytes_received - (uint64_t)waiting;
}

struct clinux_tcp_rest {
    uint64_t sent, received;
    uint8_t options, send_scale, receive_scale;
};

bool clinux_tcp_is_at_rest(int socket, struct clinux_tcp_rest *rest) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    int waiting = 0;
    const uint8_t established = 1;
    // In this order: what arrives in between counts as waiting.
    if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return false;
    if (ioctl(socket, FIONREAD, &waiting) != 0) return false;
    if (info.tcpi_state != established || waiting != 0 || info.tcpi_unacked != 0 || info.tcpi_notsent_bytes != 0)
        return false;
    *rest = (struct clinux_tcp_rest){
        .sent = info.tcpi_bytes_acked,
        .received = info.tcpi_bytes_received,
        .options = info.tcpi_options,
        .send_scale = info.tcpi_snd_wscale,
        .receive_scale = info.tcpi_rcv_wscale,
    };
    return true;
}
