#!/usr/bin/env python3
"""The network benchmarks: echo_load measures what it says and believes no server, the peers serve and end as ours do.

ctest-serial: yes
"""

import json
import os
import random
import resource
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from examples import BUILD, SAFETY_S, Server, program, scaled, skip

SOURCE = os.environ.get("STEALYARD_SOURCE", os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
NGINX_PEER = os.path.join(SOURCE, "bench", "peers", "nginx", "nginx-peer")
MESSAGE = 64
WINDOW = scaled("0.2", "0.1")
BODY = b"Hello, world!"


def bench(name):
    return os.path.join(BUILD, "bench", name)


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=SAFETY_S, check=False, **options)


def load(place, connections, *arguments, seconds=WINDOW):
    """(exit status, the JSON object, stderr) of echo_load, for a port or the path of a Unix socket."""
    done = run(bench("echo_load"), "--unix" if isinstance(place, str) else "--port", str(place), "--connections",
               str(connections), "--seconds", seconds, *arguments)
    return done.returncode, json.loads(done.stdout), done.stderr


def free_path(test):
    """Where a Unix socket may be made."""
    folder = tempfile.TemporaryDirectory()
    test.addCleanup(folder.cleanup)
    return os.path.join(folder.name, "socket")


def xorshift_message(seed, connection):
    """The first message, as WORKLOADS.md describes the generator."""
    mask = (1 << 64) - 1
    state = ((seed ^ (connection + 1)) * 0x9E3779B97F4A7C15) & mask | 1
    message = b""
    while len(message) < MESSAGE:
        state ^= state << 13 & mask
        state ^= state >> 7
        state ^= state << 17 & mask
        message += struct.pack("<Q", state)
    return message


class FakeServer:
    """An echo server of known manners. `answer(number, message)`: what to send back to a connection; None: end it."""

    def __init__(self, answer):
        fake = self
        self.first = []  # messages

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                number = 0
                try:
                    while len(message := self.request.recv(MESSAGE, socket.MSG_WAITALL)) == MESSAGE:
                        if number == 0:
                            fake.first.append(message)
                        back = answer(number, message)
                        if back is None:
                            return
                        self.request.sendall(back)
                        number += 1
                except OSError:
                    pass  # the client ends its connections with a reset

        class Threaded(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self.server = Threaded(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()


class EchoLoad(unittest.TestCase):
    def check_good(self, status, result, connections):
        self.assertEqual(status, 0, result)
        self.assertTrue(result["checked"], result)
        self.assertEqual(result["connections"], connections)
        self.assertEqual(set(result["errors"].values()), {0})
        self.assertGreater(result["messages"], 0)
        self.assertAlmostEqual(result["per_s"], result["messages"] / result["seconds"], delta=0.1)
        latency = result["latency_ns"]
        ladder = [latency[name] for name in ("p50", "p90", "p99", "p99.9", "p99.99", "max")]
        self.assertEqual(ladder, sorted(ladder))
        self.assertLessEqual(abs(latency["count"] - result["messages"]), connections)

    def test_our_server(self):
        for workers in ("1", "3"):
            with Server("echo", "--port", "0", "--workers", workers) as server:
                for connections in (1, 5, scaled(200, 50)):
                    status, result, _ = load(server.address[1], connections)
                    self.check_good(status, result, connections)
                status, result, _ = load(server.address[1], 4, "--rate", "1000")
                self.check_good(status, result, 4)
                self.assertEqual(server.stop(), 0)

    def test_our_server_on_a_unix_socket(self):
        path = free_path(self)
        with Server("echo", "--listen", f"unix:{path}", "--workers", "2") as server:
            for connections in (1, 7):
                status, result, _ = load(path, connections)
                self.check_good(status, result, connections)
            self.assertEqual(server.stop(), 0)

    def test_it_measures_a_known_delay(self):
        delay = 0.02
        with FakeServer(lambda number, message: time.sleep(delay) or message) as server:
            status, result, _ = load(server.port, 2, seconds="0.5")
        self.check_good(status, result, 2)
        self.assertGreaterEqual(result["latency_ns"]["p50"], delay * 1e9)
        self.assertLessEqual(result["per_s"], 2 / delay + 4)

    def test_open_loop_counts_from_the_intended_start(self):
        delay = 0.02
        with FakeServer(lambda number, message: time.sleep(delay) or message) as server:
            _, easy, _ = load(server.port, 1, "--rate", "10", seconds="1")
            status, hard, _ = load(server.port, 1, "--rate", "100", seconds="1")
        self.assertIn(easy["latency_ns"]["count"], (9, 10, 11))
        self.assertEqual(status, 0, hard)
        # Half of them can be answered in time: the last waits for half a second, the one in the middle for a quarter.
        self.assertIn(hard["latency_ns"]["count"], (99, 100, 101))
        self.assertGreater(hard["latency_ns"]["p50"], 0.2e9)
        self.assertLess(hard["messages"], 60)

    def test_messages_are_those_of_the_seed(self):
        with FakeServer(lambda number, message: message) as server:
            load(server.port, 3, "--seed", "7")
        self.assertEqual(sorted(server.first), sorted(xorshift_message(7, i) for i in range(3)))

    def check_caught(self, answer, error, text, connections=3):
        with FakeServer(answer) as server:
            status, result, stderr = load(server.port, connections)
        self.assertEqual(status, 1)
        self.assertFalse(result["checked"])
        self.assertGreaterEqual(result["errors"][error], 1)
        self.assertIn(text, result["check"])
        self.assertIn(text, stderr)
        self.assertEqual(stderr.count("\n"), 1)

    def test_a_wrong_byte_is_caught(self):
        for place in (0, 31, MESSAGE - 1):
            def answer(number, message, place=place):
                wrong = bytes([message[place] ^ 1])
                return message[:place] + wrong + message[place + 1:] if number == 20 else message
            self.check_caught(answer, "mismatch", "other bytes came back")

    def test_another_message_is_caught(self):
        seen = []  # what came first is sent to everybody
        self.check_caught(lambda number, message: seen.append(message) or seen[0], "mismatch", "other bytes came back")

    def test_too_many_bytes_are_caught(self):
        self.check_caught(lambda number, message: message + b"x" if number == 20 else message, "mismatch",
                          "bytes came back")

    def test_a_lost_connection_is_caught(self):
        self.check_caught(lambda number, message: message if number < 20 else None, "reset", "ended by the server")
        self.check_caught(lambda number, message: message[:10] if number == 20 else message if number < 20 else None,
                          "unanswered", "not answered")

    def test_nobody_listens(self):
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))  # and does not listen, so the port is nobody's
            status, result, stderr = load(holder.getsockname()[1], 3)
        self.assertEqual((status, result["errors"]["connect"], result["latency_ns"]), (1, 1, None))
        self.assertIn("connection 1 of 3 cannot be made: Connection refused", stderr)

    def test_wrong_usage(self):
        for arguments, text in ((("--port", "1"), "--connections is missing"),
                                (("--connections", "1"), "--port is missing"),
                                (("--port", "0", "--connections", "1"),
                                 '--port wants a whole number from 1 to 65535, not "0"'),
                                (("--port", "1", "--connections", "1k"), 'not "1k"'),
                                (("--port", "1", "--connections", "1", "--seconds", "nan"),
                                 "--seconds wants a number from"),
                                (("--port", "1", "--connections", "1", "--rate"), "--rate wants"),
                                (("--port", "1", "--connections", "1", "--unix", "x"), "give one of them"),
                                (("--connections", "1", "--unix", "x" * 108), "--unix wants a path of 1 to 107 bytes"),
                                (("--fast", "1"), 'unknown flag "--fast"; there are: --port, --connections')):
            done = run(bench("echo_load"), *arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertIn(text, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)

    def test_nobody_listens_on_a_unix_socket(self):
        status, result, stderr = load(free_path(self), 3)
        self.assertEqual((status, result["errors"]["connect"]), (1, 1))
        self.assertIn("connection 1 of 3 cannot be made: No such file or directory", stderr)

    def test_too_few_descriptors(self):
        done = run(bench("echo_load"), "--port", "1", "--connections", "1000",
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (500, 500)))
        self.assertEqual(done.returncode, 77)
        self.assertIn("1000 connections need 1016 descriptors; the hard limit here is 500", done.stderr)


class LoopPeer:
    """What is asked of libuv-peer, libevent-peer and the physical limits alike."""

    loops = None
    version = None
    workloads = ["echo"]

    @property
    def path(self):
        path = bench(f"{self.loops}-peer")
        if not os.path.exists(path):
            self.skipTest(f"{self.loops}-peer is not built (./stealyard setup installs what it needs)")
        return path

    def serve(self, *arguments):
        return Server(self.loops, "--serve", "echo", *arguments, path=self.path)

    def test_it_lists_itself(self):
        listed = json.loads(run(self.path, "--list", "--json").stdout)
        self.assertRegex(listed["peer"], self.version or rf"^{self.loops} \d+\.\d+")
        self.assertEqual((listed["serves"], listed["transports"]), (["echo"], ["tcp", "unix"]))
        self.assertEqual([workload["name"] for workload in listed["workloads"]], self.workloads)

    def test_it_serves_and_ends(self):
        for workers in ("1", "3"):
            with self.serve("--workers", workers, "--port", "0") as server:
                for connections in (1, 7):
                    status, result, stderr = load(server.address[1], connections)
                    self.assertEqual(status, 0, stderr)
                    self.assertGreater(result["messages"], 0)
                with socket.create_connection(server.address, SAFETY_S):  # one that is open when it ends
                    self.assertEqual(server.stop(), 0)

    def test_it_serves_on_a_unix_socket(self):
        path = free_path(self)
        with self.serve("--workers", "2", "--unix", path) as server:
            self.assertEqual(server.address, path)
            for connections in (1, 7):
                status, _, stderr = load(path, connections)
                self.assertEqual(status, 0, stderr)
            taken = run(self.path, "--serve", "echo", "--unix", path)
            self.assertEqual(taken.returncode, 1)
            self.assertIn(f"cannot listen on unix:{path}: Address already in use", taken.stderr)
            self.assertEqual(server.stop(), 0)
        self.assertFalse(os.path.exists(path))

    def test_its_workers_share_the_load(self):
        with self.serve("--workers", "2") as server:
            load(server.address[1], 8)
            tasks = f"/proc/{server.process.pid}/task"
            busy = [self.processor_ns(f"{tasks}/{task}/schedstat") for task in os.listdir(tasks)]
            self.assertEqual(server.stop(), 0)
        least, most = sorted(busy)[-2:]
        self.assertGreater(least, most / 10)

    @staticmethod
    def processor_ns(path):
        with open(path, encoding="ascii") as schedstat:
            return int(schedstat.read().split()[0])

    def test_a_long_message_that_is_read_late(self):
        data = random.randbytes(scaled(8 << 20, 1 << 20))
        with self.serve("--port", "0") as server, socket.create_connection(server.address, SAFETY_S) as peer:
            sender = threading.Thread(target=peer.sendall, args=(data,))
            sender.start()
            got = bytearray()
            while len(got) < len(data) and (part := peer.recv(1 << 16)):
                got += part
            sender.join()
            self.assertTrue(bytes(got) == data, "other bytes came back")
            self.assertEqual(server.stop(), 0)

    def test_resets_do_not_end_it(self):
        with self.serve("--workers", "2") as server:
            for _ in range(20):
                with socket.create_connection(server.address, SAFETY_S) as peer:
                    peer.sendall(random.randbytes(1000))
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            status, _, stderr = load(server.address[1], 2)
            self.assertEqual(status, 0, stderr)
            self.assertEqual(server.stop(), 0)

    def test_the_workload(self):
        for workers in ("1", "3"):
            done = run(self.path, "--workload", "echo", "--workers", workers, "--iterations", "3", "--seed", "5")
            self.assertEqual(done.returncode, 0, done.stderr)
            result = json.loads(done.stdout)
            self.assertEqual((result["workload"], result["workers"], result["iterations"], result["seed"]),
                             ("echo", int(workers), 3, 5))
            self.assertEqual((result["ops_per_iteration"], len(result["samples_ns"]), result["checked"]),
                             (3200, 3, True))

    def test_wrong_usage(self):
        there_are = ", ".join(self.workloads) or "none"
        for arguments, status, text in (((), 2, "--workload or --serve is missing"),
                                        (("--serve", "http"), 2, 'cannot serve "http"; there are: echo'),
                                        (("--workload", "fib"), 2, f'unknown workload "fib"; there are: {there_are}'),
                                        (("--serve", "echo", "--port", "66000"), 2, "--port wants a whole number"),
                                        (("--speed", "1"), 2, 'unknown flag "--speed"; there are: --workload')):
            done = run(self.path, *arguments)
            self.assertEqual((done.returncode, done.stdout), (status, ""), arguments)
            self.assertIn(text, done.stderr)

    def test_a_taken_port(self):
        with self.serve("--port", "0") as server:
            port = str(server.address[1])
            done = run(self.path, "--serve", "echo", "--port", port)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"cannot listen on 127.0.0.1:{port}: Address already in use", done.stderr)
            self.assertEqual(server.stop(), 0)


class Limit(LoopPeer):
    """One thread, and only a server."""

    version = r"^physical limit: one thread, "
    workloads = []
    test_its_workers_share_the_load = None
    test_the_workload = None

    @staticmethod
    def narrow_connection(address):
        """The kernel keeps little of what is not read, so the server has to."""
        peer = socket.socket()
        peer.settimeout(SAFETY_S)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        peer.connect(address)
        return peer

    def test_many_slow_readers(self):
        """Together they send more than there are buffers for, and each reads only after the one before it."""
        data = random.randbytes(scaled(4 << 20, 2 << 20))
        with self.serve() as server:
            peers = [self.narrow_connection(server.address) for _ in range(8)]
            senders = [threading.Thread(target=peer.sendall, args=(data,)) for peer in peers]
            for sender in senders:
                sender.start()
            for peer in peers:
                with peer, peer.makefile("rb") as stream:
                    self.assertTrue(stream.read(len(data)) == data, "other bytes came back")
            for sender in senders:
                sender.join()
            status, _, stderr = load(server.address[1], 3)
            self.assertEqual(status, 0, stderr)
            self.assertEqual(server.stop(), 0)


class LimitRing(Limit):
    def setUp(self):
        if os.path.exists(bench(f"{self.loops}-peer")):
            listed = run(bench(f"{self.loops}-peer"), "--list")
            if listed.returncode == 77:
                self.skipTest(listed.stderr.strip())


class LimitEpoll(Limit, unittest.TestCase):
    loops = "limit-epoll"


class LimitUring(LimitRing, unittest.TestCase):
    loops = "limit-uring"


class LimitMultishot(LimitRing, unittest.TestCase):
    loops = "limit-multishot"


class EchoLean(unittest.TestCase):
    """Our echo server that holds no buffer, over each reactor: what it saves must not cost it bytes."""

    def servers(self):
        if not os.path.exists(bench("echo_lean")):
            self.skipTest("echo_lean is not built")
        reactors = json.loads(run(bench("workload"), "--list", "--json").stdout)["reactors"]
        for name in (entry["name"] for entry in reactors if entry["works_here"]):
            with self.subTest(name), Server("echo_lean", "--reactor", name, "--workers", "2",
                                            path=bench("echo_lean")) as server:
                yield server
                self.assertEqual(server.stop(), 0)

    def test_it_serves_and_ends(self):
        for server in self.servers():
            status, result, stderr = load(server.address[1], 7)
            self.assertEqual(status, 0, stderr)
            self.assertGreater(result["messages"], 0)
            with socket.create_connection(server.address, SAFETY_S):  # one that is open when it ends
                server.process.send_signal(signal.SIGTERM)
                server.process.wait(SAFETY_S)

    def test_a_long_message_that_is_read_late(self):
        data = random.randbytes(scaled(4 << 20, 1 << 20))
        for server in self.servers():
            with socket.create_connection(server.address, SAFETY_S) as peer:
                sender = threading.Thread(target=peer.sendall, args=(data,))
                sender.start()
                with peer.makefile("rb") as stream:
                    self.assertTrue(stream.read(len(data)) == data, "other bytes came back")
                sender.join()


class HeapTally(unittest.TestCase):
    """Blocks of 1,000 bytes take 1,008 with glibc's header; what the interpreter has besides is the same every time."""

    COUNT = 2000
    KEEP = "for i in range({0}): malloc(1000)"
    FREE = "for i in range({0}): free(malloc(1000))"
    GROW = "block = malloc(1000)\nfor i in range({0}): block = realloc(block, 1000 + 16 * i)\nfree(block)"

    def tally(self, text, count):
        module = bench("libheap_tally.so")
        if not os.path.exists(module):
            self.skipTest("libheap_tally.so is not built: it knows glibc only, and no sanitizer's allocator")
        names = ("import ctypes\nc = ctypes.CDLL(None)\nmalloc, realloc, free = c.malloc, c.realloc, c.free\n"
                 "for one in malloc, realloc: one.restype = ctypes.c_void_p\n"
                 "free.argtypes, realloc.argtypes = [ctypes.c_void_p], [ctypes.c_void_p, ctypes.c_size_t]\n")
        with tempfile.NamedTemporaryFile() as file:
            file.write(bytes(16))
            file.flush()
            done = run(sys.executable, "-c", names + text.format(count) + "\nimport os\nos._exit(0)", env={
                **os.environ, "LD_PRELOAD": module, "STEALYARD_HEAP_TALLY": file.name, "PYTHONHASHSEED": "0"})
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            file.seek(0)
            return struct.unpack("=QQ", file.read(16))

    def expect(self, text, size):
        few, many = (self.tally(text, count) for count in (1, 1 + self.COUNT))
        self.assertAlmostEqual(many[0] - few[0], size * self.COUNT, delta=0.02 * 1008 * self.COUNT)
        self.assertAlmostEqual(many[1] - few[1], self.COUNT if size else 0, delta=0.02 * self.COUNT)

    def test_what_is_kept_is_counted_and_what_is_given_back_is_not(self):
        self.expect(self.KEEP, 1008)
        self.expect(self.FREE, 0)
        self.expect(self.GROW, 0)


class Libuv(LoopPeer, unittest.TestCase):
    loops = "libuv"


class Libevent(LoopPeer, unittest.TestCase):
    loops = "libevent"


class Nginx(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        os.chmod(self.scratch.name, 0o755)
        os.environ["TMPDIR"] = self.scratch.name
        listed = run(NGINX_PEER, "--list", "--json")
        if listed.returncode == 77:
            self.skipTest(listed.stderr.strip())
        self.assertEqual(json.loads(listed.stdout)["serves"], ["http"])

    def serve(self, *arguments):
        return Server("nginx", "--serve", "http", *arguments, path=NGINX_PEER)

    def ask(self, stream):
        """The headers and the body of one more answer."""
        stream.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        stream.flush()
        self.assertEqual(stream.readline(), b"HTTP/1.1 200 OK\r\n")
        headers = {}
        while (line := stream.readline()) != b"\r\n":
            name, value = line.decode("ascii").rstrip("\r\n").split(": ", 1)
            headers[name] = value
        return headers, stream.read(int(headers["Content-Length"]))

    def answers(self, server, count):
        with socket.create_connection(server.address, SAFETY_S) as peer, peer.makefile("rwb") as stream:
            return [self.ask(stream) for _ in range(count)]

    def test_it_answers_as_the_example_does(self):
        program("httpd")
        with Server("httpd", "--port", "0") as ours, self.serve("--workers", "2", "--port", "0") as server:
            (our_headers, our_body), = self.answers(ours, 1)
            many = self.answers(server, 1200)  # over nginx's default limit for a connection
            for headers, body in many:
                self.assertEqual((body, our_body), (BODY, BODY))
                self.assertEqual(set(headers) - set(our_headers), {"Server", "Connection"})
                for name in ("Content-Type", "Content-Length"):
                    self.assertEqual(headers[name], our_headers[name])
            self.assertEqual((server.stop(), ours.stop()), (0, 0))

    def processes(self):
        """Processes that were started in this test's directory."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as line:
                    if self.scratch.name.encode() in line.read():
                        found.append(int(pid))
            except OSError:
                pass  # it has ended
        return found

    def test_it_leaves_nothing_behind(self):
        with self.serve("--workers", "3") as server:
            self.assertGreaterEqual(len(self.processes()), 1)  # the workers rename themselves
            with socket.create_connection(server.address, SAFETY_S):
                self.assertEqual(server.stop(), 0)
        self.assertEqual((self.processes(), os.listdir(self.scratch.name)), ([], []))
        with socket.socket() as late, self.assertRaises(ConnectionRefusedError):
            late.connect(server.address)

    def test_nginx_ends_when_its_wrapper_is_killed(self):
        with self.serve() as server:
            self.assertGreaterEqual(len(self.processes()), 1)
            server.process.kill()
            server.process.wait()
        while self.processes():  # CTest's time-out ends it if it never does
            time.sleep(0.01)

    def test_wrong_usage_and_a_taken_port(self):
        for arguments, text in (((), "--serve http or --list is missing"),
                                (("--serve", "echo"), "invalid choice: 'echo'"),
                                (("--serve", "http", "--workers", "0"), "wants a whole number from 1 to 1024"),
                                (("--speed",), "--speed")):
            done = run(NGINX_PEER, *arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertIn(text, done.stderr)
        with self.serve("--port", "0") as server:
            done = run(NGINX_PEER, "--serve", "http", "--port", str(server.address[1]))
            self.assertEqual(done.returncode, 1)
            self.assertIn("Address already in use", done.stderr)
            self.assertEqual(server.stop(), 0)


def main():
    program("echo")
    if not os.path.exists(bench("echo_load")):
        skip(f"echo_load is not built in {BUILD}")
    result = unittest.main(verbosity=2, exit=False).result
    if result.wasSuccessful() and result.skipped:
        skip("; ".join(sorted({reason for _, reason in result.skipped})))
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main()
