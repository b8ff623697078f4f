/* The list of reactor back ends: one line each. RX(stem): reactor/<stem>.c defines `const struct rx_ops <stem>_ops`. */
#ifndef STEALYARD_REACTOR_RX_LIST_H
#define STEALYARD_REACTOR_RX_LIST_H

#define RX_LIST(RX)                                                                                                    \
    RX(rx_epoll)                                                                                                       \
    RX(rx_epoll_oneshot)                                                                                               \
    RX(rx_poll)                                                                                                        \
    RX(rx_kqueue)                                                                                                      \
    RX(rx_uring_poll)                                                                                                  \
    RX(rx_uring)                                                                                                       \
    RX(rx_uring_local)                                                                                                 \
    RX(rx_uv)

#endif
