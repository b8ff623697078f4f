#!/usr/bin/env python3
"""10,000 idle connections open on httpd beside a load from wrk; what an idle connection costs in memory.

ctest-serial: yes
"""

import socket
import sys

from examples import SAFETY_S, SANITIZED, Server, program, raise_descriptor_limit, require, scaled, wrk

CONNECTIONS = scaled(10000, 1000)
BYTES_MAX = 4096  # of the server's own memory for an idle connection; the kernel's is its own matter
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def open_connections(server, count):
    """Spread over several source addresses, so that ports do not run out."""
    peers = []
    for i in range(count):
        peer = socket.socket()
        peer.settimeout(SAFETY_S)
        peer.bind((f"127.0.0.{2 + i // 2500}", 0))
        peer.connect(server.address)
        peers.append(peer)
    return peers


def ask_all(peers):
    """A request on each connection; every one has to be answered."""
    for peer in peers:
        peer.sendall(REQUEST)
    for i, peer in enumerate(peers):
        answer = peer.recv(4096)
        if not answer.startswith(b"HTTP/1.1 200 OK\r\n"):
            sys.exit(f"FAIL: connection {i} of {len(peers)} got {answer!r}")


def main():
    program("httpd")
    (wrk_path,) = require("wrk")
    raise_descriptor_limit(CONNECTIONS + 500)  # on either side: peers here, connections and wrk's in the server
    with Server("httpd", "--port", "0", "--idle-ms", "600000") as server:
        wrk(wrk_path, server.url + "/", "-t1", "-c32", "-d1s")  # what a working server takes anyway
        before = server.rss_bytes()
        peers = open_connections(server, CONNECTIONS)
        ask_all(peers)
        each = (server.rss_bytes() - before) / CONNECTIONS
        print(f"{CONNECTIONS} idle connections: {each:.0f} bytes of the server's memory each")
        wrk(wrk_path, server.url + "/", "-t1", "-c64", scaled("-d3s", "-d1s"))
        ask_all(peers)  # none was lost under the load
        print(f"all {CONNECTIONS} idle connections still answer")
        status = server.stop()
        if status != 0:
            sys.exit(f"FAIL: httpd ended with {status}")
        if any(peer.recv(1) != b"" for peer in peers):
            sys.exit("FAIL: a connection was not closed properly")
        if not SANITIZED and not 0 < each < BYTES_MAX:
            sys.exit(f"FAIL: {each:.0f} bytes for an idle connection, which is not below {BYTES_MAX}")


if __name__ == "__main__":
    main()
