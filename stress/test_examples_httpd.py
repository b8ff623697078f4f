#!/usr/bin/env python3
"""The example httpd: what HTTP/1.1 asks of a server, limits, time-outs, and load.

ctest-serial: yes
"""

import re
import socket
import subprocess
import time
import unittest

from examples import SAFETY_S, Server, program, require, scaled, wrk

BODY = b"Hello, world!"
CURL, WRK = require("curl", "wrk")


def curl(*arguments):
    """curl's output, without progress."""
    return subprocess.run([CURL, "-sS", "--max-time", str(SAFETY_S), *arguments], capture_output=True, text=True,
                          timeout=SAFETY_S * 2, check=True)


class Peer:
    """A raw connection, to send what curl would not."""

    def __init__(self, server):
        self.socket = socket.create_connection(server.address, SAFETY_S)
        self.stream = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def answer(self, head=False):
        """(status, headers, body) of the next answer; None at the end of the stream."""
        line = self.stream.readline()
        if not line:
            return None
        status = int(re.fullmatch(rb"HTTP/1\.1 (\d{3}) [^\r\n]+\r\n", line)[1])
        headers = {}
        while (line := self.stream.readline()) != b"\r\n":
            name, value = line.decode("ascii").rstrip("\r\n").split(": ", 1)
            headers[name.lower()] = value
        body = b"" if head else self.stream.read(int(headers["content-length"]))
        return status, headers, body

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stream.close()
        self.socket.close()


class Httpd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("httpd", "--port", "0", "--idle-ms", "60000")

    @classmethod
    def tearDownClass(cls):
        with cls.server as server:
            assert server.stop() == 0, "httpd's exit status"

    def peer(self):
        return Peer(self.server)

    def test_curl_gets_the_text_over_one_connection(self):
        url = self.server.url + "/"
        done = curl("-v", url, url, url)
        self.assertEqual(done.stdout.encode(), BODY * 3)
        self.assertEqual(done.stderr.count("Connected to"), 1)
        self.assertEqual(done.stderr.count("Re-using existing connection"), 2)

    def test_curl_head_and_404_and_405(self):
        head = curl("-I", self.server.url + "/").stdout
        self.assertTrue(head.startswith("HTTP/1.1 200 OK\n"))  # newlines are translated
        self.assertIn(f"Content-Length: {len(BODY)}\n", head)
        status = ("-o", "/dev/null", "-w", "%{http_code}")
        self.assertEqual(curl(*status, self.server.url + "/nothing").stdout, "404")
        self.assertEqual(curl(*status, self.server.url + "/?query").stdout, "200")
        self.assertEqual(curl(*status, "-d", "some=data", self.server.url + "/").stdout, "405")

    def test_the_date_is_now(self):
        with self.peer() as peer:
            peer.send(b"GET / HTTP/1.1\r\n\r\n")
            date = peer.answer()[1]["date"]
        told = time.mktime(time.strptime(date, "%a, %d %b %Y %H:%M:%S GMT")) - time.timezone
        self.assertLess(abs(time.time() - told), 5)

    def test_pipelining(self):
        count = 500
        with self.peer() as peer:
            peer.send(b"".join(b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"" if i % 3 else b"no") for i in range(count)))
            statuses = [peer.answer()[0] for _ in range(count)]
        self.assertEqual(statuses, [200 if i % 3 else 404 for i in range(count)])

    def test_a_request_that_comes_byte_by_byte(self):
        with self.peer() as peer:
            peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in b"GET / HTTP/1.1\r\nHost: x\r\n\r\nHEAD /?a HTTP/1.1\r\n\r\n":
                peer.send(bytes([byte]))
            self.assertEqual(peer.answer()[::2], (200, BODY))
            self.assertEqual(peer.answer(head=True)[0], 200)

    def test_head_has_no_body(self):
        with self.peer() as peer:
            peer.send(b"HEAD / HTTP/1.1\r\n\r\nHEAD /x HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n")
            self.assertEqual([peer.answer(head=True)[0] for _ in range(2)], [200, 404])
            self.assertEqual(peer.answer()[::2], (200, BODY))  # begins right behind the others' headers

    def test_a_body_is_skipped(self):
        with self.peer() as peer:
            peer.send(b"POST / HTTP/1.1\r\nContent-Length: 60000\r\n\r\n" + b"GET / HTTP/1.1\r\n\r\n".ljust(60000, b"x"))
            peer.send(b"PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n")
            self.assertEqual([peer.answer()[0] for _ in range(3)], [405, 404, 200])

    def test_connection_close_is_honoured(self):
        for request, told in ((b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "close"),
                              (b"GET / HTTP/1.0\r\n\r\n", "close")):
            with self.peer() as peer:
                peer.send(request + b"GET / HTTP/1.1\r\n\r\n")  # the second is not answered
                status, headers, body = peer.answer()
                self.assertEqual((status, headers.get("connection"), body), (200, told, BODY))
                self.assertIsNone(peer.answer())

    def test_http_1_0_keep_alive(self):
        with self.peer() as peer:
            for _ in range(2):
                peer.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                self.assertEqual(peer.answer()[1]["connection"], "keep-alive")

    def test_an_upgrade_is_ignored(self):
        with self.peer() as peer:
            peer.send(b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nGET / HTTP/1.1\r\n\r\n")
            self.assertEqual([peer.answer()[0] for _ in range(2)], [200, 200])
            peer.send(b"CONNECT x:80 HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n")
            self.assertEqual([peer.answer()[0] for _ in range(2)], [404, 200])

    def refused(self, request):
        """The status with which a request is refused, after which the connection ends."""
        with self.peer() as peer:
            peer.send(request)
            status, headers, _ = peer.answer()
            self.assertEqual(headers["connection"], "close")
            self.assertIsNone(peer.answer())
            return status

    def test_bad_requests_are_refused(self):
        for request in (b"\x16\x03\x01\x02\x00\x01\x00", b"HELLO\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
                        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"):
            self.assertEqual(self.refused(request), 400, request)

    def test_a_bad_request_behind_good_ones(self):
        with self.peer() as peer:
            peer.send(b"GET / HTTP/1.1\r\n\r\n" * 3 + b"\0")
            self.assertEqual([peer.answer()[0] for _ in range(4)], [200, 200, 200, 400])
            self.assertIsNone(peer.answer())

    def test_too_large_requests_are_refused(self):
        self.assertEqual(self.refused(b"GET / HTTP/1.1\r\nCookie: " + b"x" * 9000 + b"\r\n\r\n"), 431)
        self.assertEqual(self.refused(b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n"), 431)
        self.assertEqual(self.refused(b"POST / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n"), 413)
        chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
        self.assertEqual(self.refused(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 3), 413)

    def test_wrk_sees_no_error(self):
        for connections in ("1", "64", "256"):
            wrk(WRK, self.server.url + "/", "-t1", "-c" + connections, scaled("-d2s", "-d1s"))


class Slow(unittest.TestCase):
    def test_slow_peers_are_bounded(self):
        with Server("httpd", "--port", "0", "--idle-ms", "300") as server:
            with Peer(server) as silent, Peer(server) as dripping, Peer(server) as deaf:
                start = time.monotonic()
                dripping.send(b"GET / HTTP/1.1\r\nX: ")  # and no end, ever
                deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                deaf.socket.setblocking(False)
                try:
                    while True:  # until the server takes no more, for it cannot send
                        deaf.send(b"GET / HTTP/1.1\r\n\r\n" * 1000)
                except (BlockingIOError, ConnectionError):
                    pass
                self.assertIsNone(silent.answer())
                self.assertGreaterEqual(time.monotonic() - start, 0.29)
                self.assertIsNone(dripping.answer())
                self.assertLess(time.monotonic() - start, 10)
                self.wait_until_closed(server)
            self.assertEqual(server.stop(), 0)

    def wait_until_closed(self, server):
        """Waits until the server has no connection left; CTest's time-out ends it if it never has."""
        path = f"/proc/{server.process.pid}/net/tcp"
        mine = ":%04X " % server.address[1]
        established = "01"
        while True:
            with open(path, encoding="ascii") as table:
                rows = [line.split() for line in table if mine in line]
            if not any(row[1].endswith(mine.strip()) and row[3] == established for row in rows):
                return
            time.sleep(0.02)

    def test_a_steady_peer_outlives_the_time_out(self):
        with Server("httpd", "--port", "0", "--idle-ms", "400") as server, Peer(server) as peer:
            for _ in range(6):
                time.sleep(0.15)  # together well over the limit, which counts from each request
                peer.send(b"GET / HTTP/1.1\r\n\r\n")
                self.assertEqual(peer.answer()[0], 200)
            self.assertEqual(server.stop(), 0)


class End(unittest.TestCase):
    def test_graceful_end(self):
        with Server("httpd", "--port", "0") as server, Peer(server) as idle:
            idle.send(b"GET / HTTP/1.1\r\n\r\n")
            self.assertEqual(idle.answer()[0], 200)
            start = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.assertLess(time.monotonic() - start, 4, "idle connections keep the server from ending")
            self.assertIsNone(idle.answer())

    def test_end_under_load(self):
        with Server("httpd", "--port", "0") as server:
            load = subprocess.Popen([WRK, "-t1", "-c32", "-d2s", server.url + "/"], stdout=subprocess.PIPE)
            with Peer(server) as peer:
                peer.send(b"GET / HTTP/1.1\r\n\r\n")
                self.assertEqual(peer.answer()[0], 200)
            start = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.assertLess(time.monotonic() - start, 4)
            load.communicate(timeout=SAFETY_S)


if __name__ == "__main__":
    program("httpd")
    unittest.main(verbosity=2)
