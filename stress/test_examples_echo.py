#!/usr/bin/env python3
"""The example echo: every byte comes back, over many connections, whatever the peers do to theirs."""

import os
import random
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

from examples import SAFETY_S, Server, program, raise_descriptor_limit, scaled

CONNECTIONS = scaled(1000, 100)


def connect(server):
    family = socket.AF_UNIX if isinstance(server.address, str) else socket.AF_INET
    peer = socket.socket(family, socket.SOCK_STREAM)
    peer.settimeout(SAFETY_S)
    peer.connect(server.address)
    return peer


def receive_all(peer, length):
    """`length` bytes, or fewer if the stream ends before."""
    parts = []
    while length > 0 and (part := peer.recv(length)):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def reset(peer):
    """Ends a connection with RST and not FIN."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


class Echo(unittest.TestCase):
    def round_trip(self, peer, data):
        """Sends and receives at the same time: neither side's buffers need to hold it all."""
        sender = threading.Thread(target=peer.sendall, args=(data,))
        sender.start()
        got = receive_all(peer, len(data))
        sender.join()
        self.assertEqual(len(got), len(data))
        self.assertTrue(got == data, "other bytes came back")

    def check_all(self, server):
        with connect(server) as peer:
            self.round_trip(peer, b"x")
            self.round_trip(peer, random.randbytes(scaled(16 << 20, 1 << 20)))

    def test_bytes_over_tcp(self):
        with Server("echo", "--port", "0") as server:
            self.check_all(server)
            self.assertEqual(server.stop(), 0)

    def test_bytes_over_ipv6(self):
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError as error:
            self.skipTest(f"this machine has no IPv6 loopback: {error}")
        with Server("echo", "--listen", "[::1]:0") as server:
            with socket.create_connection(server.address, SAFETY_S) as peer:
                self.round_trip(peer, random.randbytes(100000))
            self.assertEqual(server.stop(), 0)

    def test_bytes_over_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "echo.sock")
            with Server("echo", "--listen", "unix:" + path) as server:
                self.check_all(server)
                second = subprocess.run([program("echo"), "--listen", "unix:" + path], capture_output=True, text=True,
                                        timeout=SAFETY_S, check=False)
                self.assertEqual(second.returncode, 1)
                self.assertEqual(second.stderr, f"echo: cannot listen on unix:{path}: Address already in use\n")
                self.assertEqual(server.stop(), 0)
            self.assertFalse(os.path.exists(path), "the socket's file was left behind")

    def test_many_connections(self):
        raise_descriptor_limit(CONNECTIONS + 100)
        with Server("echo", "--port", "0") as server:
            peers = [connect(server) for _ in range(CONNECTIONS)]
            for turn in range(3):
                for i, peer in enumerate(peers):
                    peer.sendall(b"%d:%d;" % (turn, i) * 20)
                for i, peer in enumerate(peers):
                    expected = b"%d:%d;" % (turn, i) * 20
                    self.assertEqual(receive_all(peer, len(expected)), expected)
            for peer in peers:
                peer.close()
            self.assertEqual(server.stop(), 0)

    def test_half_close(self):
        data = random.randbytes(200000)
        with Server("echo", "--port", "0") as server, connect(server) as peer:
            sender = threading.Thread(target=lambda: (peer.sendall(data), peer.shutdown(socket.SHUT_WR)))
            sender.start()
            self.assertTrue(receive_all(peer, len(data)) == data)
            self.assertEqual(peer.recv(1), b"", "the server closes after the end")
            sender.join()
            self.assertEqual(server.stop(), 0)

    def test_resets(self):
        with Server("echo", "--port", "0") as server:
            before = len(os.listdir(f"/proc/{server.process.pid}/fd"))
            for turn in range(CONNECTIONS // 2):
                peer = connect(server)
                if turn % 2:
                    peer.sendall(random.randbytes(10000))  # reset with the answer under way
                reset(peer)
            self.check_all(server)
            with connect(server) as last:  # accepted and served after all of them
                self.round_trip(last, b"last")
            self.wait_for_descriptors(server, before)
            self.assertEqual(server.stop(), 0)

    def wait_for_descriptors(self, server, count):
        """Waits until the server has closed what its peers closed; CTest's time-out ends it if it never does."""
        while len(os.listdir(f"/proc/{server.process.pid}/fd")) > count:
            with connect(server) as peer:
                self.round_trip(peer, b"meanwhile")

    def test_graceful_end(self):
        with Server("echo", "--port", "0") as server:
            idle = connect(server)
            self.round_trip(idle, b"once")
            start = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.assertLess(time.monotonic() - start, 4, "an idle connection uses up the five seconds of grace")
            self.assertEqual(idle.recv(1), b"")
            idle.close()
            with socket.socket() as late, self.assertRaises(ConnectionRefusedError):
                late.connect(server.address)

    def test_idle_costs_nothing(self):
        with Server("echo", "--port", "0") as server:
            peers = [connect(server) for _ in range(50)]
            for peer in peers:
                self.round_trip(peer, b"once")
            before = server.processor_seconds()
            threading.Event().wait(1)  # what is measured is this second
            self.assertLessEqual(server.processor_seconds() - before, 0.05)
            for peer in peers:
                peer.close()
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    program("echo")
    unittest.main(verbosity=2)
