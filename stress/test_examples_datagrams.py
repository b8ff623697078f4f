#!/usr/bin/env python3
"""The example datagrams: each datagram comes back, whole and to whom it came from, with every reactor."""

import os
import random
import socket
import subprocess
import tempfile
import unittest

from examples import SAFETY_S, Server, program, scaled

PEERS = scaled(50, 10)


def reactors():
    """Those that run here. A wrong name's error lists the right ones."""
    wrong = subprocess.run([program("datagrams"), "--reactor", "?"], capture_output=True, text=True, check=False)
    names = [name.strip() for name in wrong.stderr.split("there are: ")[1].split(";")[0].split(", ")]
    run = {name: subprocess.run([program("hello"), "--reactor", name], capture_output=True, text=True, check=False)
           for name in names}
    for name in names:
        if run[name].returncode != 0:
            print(f"not tested: {name}: {run[name].stderr.strip()}")
    return [name for name in names if run[name].returncode == 0]


class Datagrams(unittest.TestCase):
    def peer(self, family, address=None):
        peer = socket.socket(family, socket.SOCK_DGRAM)
        self.addCleanup(peer.close)
        peer.settimeout(SAFETY_S)
        if address is not None:
            peer.bind(address)
        return peer

    def round_trip(self, peer, server, data):
        peer.sendto(data, server.address)
        got, sender = peer.recvfrom(1 << 18)
        self.assertTrue(got == data, "other bytes came back")
        self.assertEqual(sender[:2] if isinstance(sender, tuple) else sender, server.address)

    def stop(self, server, answered, received):
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.process.stdout.read(), f"answered {answered} of {received} datagrams\n")

    def test_every_length_over_udp(self):
        lengths = [0, 1, 1472, 1473, 65507]
        for reactor in reactors():
            with Server("datagrams", "--reactor", reactor) as server:
                peer = self.peer(socket.AF_INET)
                for length in lengths:
                    self.round_trip(peer, server, random.randbytes(length))
                self.stop(server, len(lengths), len(lengths))

    def test_many_peers(self):
        with Server("datagrams") as server:
            peers = [self.peer(socket.AF_INET) for _ in range(PEERS)]
            for turn in range(3):
                for i, peer in enumerate(peers):
                    peer.sendto(b"%d:%d" % (turn, i), server.address)
                for i, peer in enumerate(peers):
                    self.assertEqual(peer.recv(100), b"%d:%d" % (turn, i))
            self.stop(server, 3 * PEERS, 3 * PEERS)

    def test_over_ipv6(self):
        try:
            self.peer(socket.AF_INET6, ("::1", 0))
        except OSError as error:
            self.skipTest(f"this machine has no IPv6 loopback: {error}")
        with Server("datagrams", "--listen", "[::1]:0") as server:
            self.round_trip(self.peer(socket.AF_INET6), server, b"six")
            self.stop(server, 1, 1)

    def test_over_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "server")
            with Server("datagrams", "--listen", "unix:" + path) as server:
                self.round_trip(self.peer(socket.AF_UNIX, os.path.join(directory, "peer")), server, b"local" * 1000)
                self.peer(socket.AF_UNIX).sendto(b"nameless", path)  # cannot be answered
                second = subprocess.run([program("datagrams"), "--listen", "unix:" + path], capture_output=True,
                                        text=True, timeout=SAFETY_S, check=False)
                self.assertEqual(second.returncode, 1)
                self.assertEqual(second.stderr, f"datagrams: cannot listen on unix:{path}: Address already in use\n")
                self.round_trip(self.peer(socket.AF_UNIX, os.path.join(directory, "other")), server, b"after it")
                self.stop(server, 2, 3)
            self.assertFalse(os.path.exists(path), "the socket's file was left behind")

    def test_a_peer_that_is_gone(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "server")
            with Server("datagrams", "--listen", "unix:" + path) as server:
                gone = os.path.join(directory, "gone")
                peer = self.peer(socket.AF_UNIX, gone)
                os.unlink(gone)  # it sends under a name at which nobody is found
                peer.sendto(b"x", path)
                self.round_trip(self.peer(socket.AF_UNIX, os.path.join(directory, "peer")), server, b"next")
                self.stop(server, 1, 2)


if __name__ == "__main__":
    program("datagrams")
    unittest.main(verbosity=2)
