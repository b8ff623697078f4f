#!/usr/bin/env python3
"""The Rust peers: they have the workloads of WORKLOADS.md, with our parameters; each runs once and finds its outcome right;
their servers answer as ours do. The micro-benchmarks of Rust crates have the cases of ours, and each runs.

Building them takes minutes, so no test does: what is not built is skipped, with the command that builds it.
"""
# ctest-plain-only: yes
# ctest-slow: yes

import json
import os
import re
import socket
import subprocess
import tempfile
import tomllib
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from examples import BUILD, SAFETY_S, Server, skip

PEERS = Path(__file__).resolve().parent.parent / "bench" / "peers"
WORKLOADS = PEERS.parent / "WORKLOADS.md"
MICRO = "micro-rust"
WORKERS = 3
SERVED = re.compile(r"(echo|http)_\d+")  # run by a load generator, not by the peer


def run(program, *arguments):
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=SAFETY_S, check=False)


def sources(name):
    return [path for directory in (name, "rust-common") for path in (PEERS / directory).rglob("*")
            if path.suffix == ".rs" or path.name == "Cargo.toml"]


def built(name):
    """The peer's program, or None and why not."""
    program = Path(BUILD) / "peers" / name / "release" / (name if name == MICRO else f"{name}-workload")
    build = (f"cargo build --release --manifest-path bench/peers/{name}/Cargo.toml "
             f"--target-dir {Path(BUILD) / 'peers' / name}")
    if not program.exists():
        return None, f"{name} is not built: {build}"
    if max(path.stat().st_mtime for path in sources(name)) > program.stat().st_mtime:
        return None, f"{name} is older than its source: {build}"
    return str(program), None


def expand(name):
    """The names that a pattern of WORKLOADS.md stands for."""
    match = re.fullmatch(r"(.*)\{(.*)\}(.*)", name)
    return [match[1] + part + match[3] for part in match[2].split(",")] if match else [name]


def described():
    """The names in WORKLOADS.md, those of servers left out."""
    names, braces = set(), ""
    for cell in re.findall(r"^\| ([a-z][^|]*) \| (?:core|wide|long)", WORKLOADS.read_text(encoding="utf-8"), re.M):
        cell = cell.replace("{same}", braces)
        braces = (re.search(r"\{.*\}", cell) or [braces])[0]
        for pattern in re.split(r", (?![^{]*\})", cell):
            names.update(expand(pattern))
    return {name for name in names if not SERVED.fullmatch(name)}


class Peer:
    """What is tested of each; a class below says which."""
    name = services = None
    transports = ["tcp"]

    @classmethod
    def setUpClass(cls):
        cls.program, reason = built(cls.name)
        if reason:
            raise unittest.SkipTest(reason)
        cls.listed = json.loads(run(cls.program, "--list", "--json").stdout)
        cls.rows = {row["name"]: row for row in cls.listed["workloads"]}

    def test_it_has_every_workload(self):
        self.assertGreater(len(described()), 60)
        self.assertEqual(set(self.rows), described())

    def test_its_parameters_are_ours(self):
        program = Path(BUILD) / "bench" / "workload"
        if not program.exists():
            self.skipTest(f"{program} is not built")
        ours = {row["name"]: row for row in json.loads(run(program, "--list", "--json").stdout)["workloads"]}
        self.assertEqual(set(ours) - set(self.rows), set())
        keys = ("ops", "ops_per_worker", "workers", "effort", "measures")
        for name, row in ours.items():
            with self.subTest(workload=name):
                self.assertEqual({key: self.rows[name][key] for key in keys}, {key: row[key] for key in keys})

    def test_each_once(self):
        for name, row in self.rows.items():
            if row["effort"] == "long":
                continue
            with self.subTest(workload=name):
                done = run(self.program, "--workload", name, "--workers", str(WORKERS), "--iterations", "1")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                result = json.loads(done.stdout)
                self.assertTrue(result["checked"])
                self.assertEqual(result["check"], row["check"])
                self.assertEqual(result["workers"], row["workers"] or WORKERS)
                self.assertEqual(result["ops_per_iteration"],
                                 row["ops"] * (result["workers"] if row["ops_per_worker"] else 1))
                self.assertEqual(len(result["samples_ns"]), 1)
                self.assertGreater(result["samples_ns"][0], 0)

    def test_latencies_make_the_value_of_mixed(self):
        result = json.loads(run(self.program, "--workload", "mixed", "--iterations", "1").stdout)
        self.assertEqual(result["latency_ns"]["count"], 16 * 100)
        self.assertEqual(result["samples_ns"], [result["latency_ns"]["p99"]])

    def test_it_tells_the_version_that_is_pinned(self):
        with open(PEERS / self.name / "Cargo.toml", "rb") as manifest:
            dependencies = tomllib.load(manifest)["dependencies"]
        for name, dependency in dependencies.items():
            version = dependency if isinstance(dependency, str) else dependency.get("version", "=in this tree")
            self.assertTrue(version.startswith("="), f"{name} is not pinned: {version}")
        self.assertEqual(self.listed["peer"], f"{self.name} {dependencies[self.name]['version'].removeprefix('=')}")

    def test_wrong_usage_is_told(self):
        for arguments, message in ((["--workload", "nonesuch"], "there are: spawn_many_local"),
                                   (["--workload", "fib", "--workers", "0"], "from 1 to 1024"),
                                   (["--workload"], "wants a value"), ([], "--workload is missing"),
                                   (["--serve", "nonesuch"], f"there are: {', '.join(self.services)}"),
                                   (["--serve", "echo", "--port", "65536"], "from 0 to 65535"),
                                   (["--nonesuch"], "there are: --workload")):
            with self.subTest(arguments=arguments):
                done = run(self.program, *arguments)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertEqual(done.stderr.count("\n"), 1)
                self.assertIn(message, done.stderr)

    def test_it_lists_what_it_serves(self):
        self.assertEqual((self.listed["serves"], self.listed["transports"]), (self.services, self.transports))

    def serve(self, service, *where):
        return Server(self.name, "--serve", service, "--workers", "2", *where, path=self.program)

    def test_echo_server(self):
        data = os.urandom(100_000)
        with self.serve("echo") as server:
            for part in (data[:1], data):
                with socket.create_connection(server.address, SAFETY_S) as peer:
                    peer.sendall(part)
                    peer.shutdown(socket.SHUT_WR)
                    self.assertTrue(peer.makefile("rb").read() == part, "other bytes came back")
            self.assertEqual(server.stop(), 0)

    def test_a_port_in_use_is_told(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            done = run(self.program, "--serve", "echo", "--port", port)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(f"127.0.0.1:{port}", done.stderr)


class Tokio(Peer, unittest.TestCase):
    name = "tokio"
    services = ["echo", "http"]
    transports = ["tcp", "unix"]

    def test_echo_server_on_a_unix_socket(self):
        data = os.urandom(100_000)
        with tempfile.TemporaryDirectory() as folder, self.serve("echo", "--unix", f"{folder}/socket") as server:
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(server.address)
                peer.sendall(data)
                peer.shutdown(socket.SHUT_WR)
                self.assertTrue(peer.makefile("rb").read() == data, "other bytes came back")
            taken = run(self.program, "--serve", "echo", "--unix", server.address)
            self.assertEqual(taken.returncode, 1)
            self.assertIn(f"cannot serve echo on unix:{server.address}: ", taken.stderr)
            self.assertEqual(server.stop(), 0)
            self.assertEqual(os.listdir(folder), [])

    def test_http_is_not_served_on_a_unix_socket(self):
        done = run(self.program, "--serve", "http", "--unix", "socket")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--unix: http is served on TCP only", done.stderr)

    def test_http_server(self):
        with self.serve("http") as server:
            with urllib.request.urlopen(server.url + "/", timeout=SAFETY_S) as answer:
                self.assertEqual((answer.status, answer.read()), (200, b"Hello, world!"))
                headers = {name.lower() for name in answer.headers} - {"connection"}
                self.assertEqual(headers, {"date", "content-type", "content-length"})
                self.assertEqual(answer.headers["Content-Type"], "text/plain")
            for path, method, status in (("/nonesuch", "GET", 404), ("/", "DELETE", 405)):
                request = urllib.request.Request(server.url + path, method=method)
                with self.assertRaises(urllib.error.HTTPError) as refused:
                    urllib.request.urlopen(request, timeout=SAFETY_S)
                self.assertEqual(refused.exception.code, status)
                refused.exception.close()
            self.assertEqual(server.stop(), 0)


class AsyncExecutor(Peer, unittest.TestCase):
    name = "async-executor"
    services = ["echo"]

    def test_it_has_no_unix_sockets(self):
        done = run(self.program, "--serve", "echo", "--unix", "socket")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--unix: async-executor-workload serves on TCP only", done.stderr)


class Micro(unittest.TestCase):
    OURS = {"queue": "gq_mutex", "deque": "dq_mutex"}  # any would do: all have the same cases, but for what bounds bring
    BOUNDED = {"crossbeam_arrayqueue", "st3_lifo", "st3_fifo"}
    KEYS = ("part", "base", "measures", "core", "axis")

    @classmethod
    def setUpClass(cls):
        cls.program, reason = built(MICRO)
        if reason:
            raise unittest.SkipTest(reason)
        cls.cases = json.loads(run(cls.program, "--list-cases", "--json").stdout)
        cls.implementations = {case["implementation"]: case["part"] for case in cls.cases}

    def shapes(self, cases, implementation):
        """What is told of each case, by its shape; without those that hang on bounds, which are counted."""
        told = {case["shape"]: {key: case[key] for key in self.KEYS}
                for case in cases if case["implementation"] == implementation}
        by_bounds = [shape for shape in told if shape == "growth/1" or "/capacity:" in shape]
        return {shape: told[shape] for shape in told if shape not in by_bounds}, len(by_bounds)

    def test_its_cases_are_ours(self):
        program = Path(BUILD) / "bench" / "micro"
        if not program.exists():
            self.skipTest(f"{program} is not built")
        ours = json.loads(run(program, "--list-cases", "--json").stdout)
        self.assertEqual(len(self.implementations), 7)
        for implementation, part in self.implementations.items():
            with self.subTest(implementation=implementation):
                told, by_bounds = self.shapes(self.cases, implementation)
                self.assertEqual(told, self.shapes(ours, self.OURS[part])[0])
                self.assertEqual(by_bounds > 0, (implementation in self.BOUNDED) == (part == "queue"))

    def test_each_once(self):
        done = run(self.program, "--benchmark_min_time=0.005", "--benchmark_format=json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        found = json.loads(done.stdout)["benchmarks"]
        self.assertEqual([entry["name"] for entry in found], [case["case"] for case in self.cases])
        for entry, case in zip(found, self.cases):
            with self.subTest(case=case["case"]):
                self.assertNotIn("error_occurred", entry)
                self.assertEqual(entry["time_unit"], "ns")
                self.assertGreater(entry["real_time"], 0)
                self.assertEqual("p99" in entry, case["measures"] == "p99 latency")

    def test_wrong_usage_is_told(self):
        for arguments, message in ((["--benchmark_filter=^nonesuch$"], "no case matches"),
                                   (["--benchmark_filter=("], "wants a regular expression"),
                                   (["--benchmark_min_time=0"], "above 0"),
                                   (["--benchmark_format=csv"], "console or json"),
                                   (["--nonesuch"], "there are: --list-cases")):
            with self.subTest(arguments=arguments):
                done = run(self.program, *arguments)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertEqual(done.stderr.count("\n"), 1)
                self.assertIn(message, done.stderr)


if __name__ == "__main__":
    reasons = [reason for _, reason in map(built, (Tokio.name, AsyncExecutor.name, MICRO)) if reason]
    for reason in reasons:
        print(f"SKIPPED: {reason}", flush=True)
    if len(reasons) == 3:
        skip("no Rust peer is built")
    unittest.main()
