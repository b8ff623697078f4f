#!/usr/bin/python3
# ctest-timeout: 120
"""Servers against each other (load.py) and the memory of idle connections (memory.py), with stand-ins for servers."""
import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import load
import memory
import servers
from common import EXIT_INTERRUPTED, Refusal
from testing import HERE

POINT = ("tcp", 64)
LOAD = """import json, os, sys
status = int(os.environ.get("FAKE_LOAD_STATUS", "0"))
print(json.dumps({"messages": 2000, "answered": 2200, "per_s": 1e4, "checked": not status, "check": "a byte was lost",
                  "latency_ns": {"p50": 500, "p99": 8000}}))
sys.exit(status)
"""


def stand_in(name, program="fake_server.py", **more):
    return servers.Arm(name, (sys.executable, str(HERE / program)), **more)


def record(rate, cpu_ns, **more):
    return {"value_ns": 1e9 / rate, "cpu_ns": cpu_ns * 100, "iterations": 100, "disturbed": None, "failure": None,
            "latency_ns": {"p50": 500, "p99": 8000}, "peak_rss_kib": 3000.0, **more}


def records(**arms):
    """Nine blocks, in which everything varies by up to 8 % together, and by ±1 % apart."""
    return {(POINT, name.replace("_", "-", name.startswith("limit"))):
            {block: record(rate * (1 + block / 100 + (block * k) % 3 / 100), cpu_ns * (1 + block / 100 + (block * k) % 3
                                                                                       / 100))
             for block in range(1, 10)} for k, (name, (rate, cpu_ns)) in enumerate(arms.items(), 1)}


class Rows(unittest.TestCase):
    def row(self, name, found, limit=None):
        return load.row(POINT, stand_in(name, limit=limit), found, "echo", 1)

    def test_ratios_are_above_one_for_who_is_better(self):
        found = records(rx_epoll=(1000, 2000), limit_epoll=(1100, 1900), tokio=(900, 4000))
        row = self.row("rx_epoll", found, "limit-epoll")
        versus = row["better_than"]
        self.assertEqual(set(versus), {"limit", "tokio"})
        for name, kind, expected in (("tokio", "cpu", 2), ("tokio", "rate", 10 / 9), ("limit", "cpu", 0.95),
                                     ("limit", "rate", 10 / 11)):
            got = versus[name][kind]
            self.assertAlmostEqual(got["ratio"], expected, delta=0.03 * expected)
            self.assertTrue(got["low"] <= got["ratio"] <= got["high"])
        self.assertEqual(self.row("tokio", found)["better_than"].keys(), {"rx_epoll"})

    def test_medians(self):
        row = self.row("rx_epoll", records(rx_epoll=(1000, 2000)))
        self.assertAlmostEqual(row["cpu_ns_per_message"]["median"], 2000, delta=200)
        self.assertAlmostEqual(row["messages_per_s"]["median"], 1000, delta=100)
        self.assertEqual((row["n"], row["failed"], row["better_than"]), (9, 0, {}))

    def test_pairs_are_of_one_block(self):
        found = records(rx_epoll=(1000, 2000), tokio=(900, 4000))
        for block in (1, 2, 3):
            found[POINT, "tokio"][block].update(value_ns=None, failure="it died")
        row = self.row("rx_epoll", found)
        self.assertEqual(row["better_than"]["tokio"]["cpu"]["n"], 6)
        self.assertEqual(self.row("tokio", found)["failed"], 3)

    def test_where_the_kernel_does_not_tell_processor_time(self):
        found = records(rx_epoll=(1000, 2000), tokio=(900, 4000))
        for one in found[POINT, "tokio"].values():
            one["cpu_ns"] = None
        self.assertIsNone(self.row("rx_epoll", found)["better_than"]["tokio"]["cpu"])
        self.assertIsNone(self.row("tokio", found)["cpu_ns_per_message"])

    def test_the_table_has_the_cheapest_first_and_a_column_for_each_that_is_there(self):
        found = records(rx_epoll=(1000, 2000), tokio=(900, 4000), go=(900, 1000))
        lines = load.table("echo", [self.row(name, found) for name in ("rx_epoll", "tokio", "go")])
        self.assertEqual([line.split(" | ")[0] for line in lines[2:]], ["| go", "| rx_epoll", "| tokio"])
        self.assertIn("| CPU: tokio | CPU: go | CPU: rx_epoll | rate: tokio |", lines[0])
        self.assertEqual({line.count("|") for line in lines}, {11})


class Load(unittest.TestCase):
    """The program, with other servers and another load."""

    arms = [stand_in("rx_a", ours=True, limit="limit-a"), stand_in("limit-a", transports=("tcp",))]

    def run_load(self, *arguments, arms=None, skipped=(), **environment):
        """(exit code, stdout, stderr, the JSON file)"""
        out, err = io.StringIO(), io.StringIO()
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(out), contextlib.redirect_stderr(
                err), mock.patch.object(servers, "choose", lambda *_: (arms or self.arms, list(skipped))), \
                mock.patch.object(servers, "need_load", lambda _: [sys.executable, "-c", LOAD]), \
                mock.patch.dict(os.environ, environment):
            path = Path(folder) / "found.json"
            code = load.main(["echo", "--transports", "tcp", "--seconds", "0.05", "--json", str(path), *arguments])
            return code, out.getvalue(), err.getvalue(), json.loads(path.read_text()) if path.exists() else None

    def test_all_blocks_of_all_servers(self):
        code, out, err, found = self.run_load("--connections", "1,64", "--blocks", "3", skipped=["go: it is missing"])
        self.assertEqual(code, 0, err)
        self.assertIn("SKIPPED go: it is missing", err)
        self.assertEqual(len(found["samples"]), 12)
        self.assertEqual({(row["server"], row["connections"], row["n"]) for row in found["rows"]},
                         {(name, k, 3) for name in ("rx_a", "limit-a") for k in (1, 64)})
        for row in found["rows"]:
            self.assertAlmostEqual(row["messages_per_s"]["median"], 1e4)
        self.assertIn("## echo over tcp, 64 connections, 1 worker", out)
        self.assertIn("limit-multishot for rx_uring_local", out)

    def test_the_order_is_another_in_each_block_and_the_same_for_a_seed(self):
        def order(seed):
            _, _, _, found = self.run_load("--connections", "1,64", "--blocks", "4", "--seed", seed)
            taken = sorted(found["samples"], key=lambda one: one["id"])
            return [(one["block"], one["connections"], one["arm"]) for one in taken]
        first = order("1")
        self.assertEqual(first, order("1"))
        self.assertEqual([one[0] for one in first], [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4)
        self.assertGreater(len({tuple(one[1:] for one in first[k:k + 4]) for k in range(0, 16, 4)}), 1)
        for k in range(0, 16, 2):  # a point's servers come directly after each other
            self.assertEqual(first[k][1], first[k + 1][1])
        self.assertEqual({one[2] for one in first[::2]}, {"rx_a", "limit-a"})  # either comes first now and then

    def test_a_server_that_fails_is_told_and_has_no_figures(self):
        code, out, err, found = self.run_load("--connections", "1", "--blocks", "1", FAKE_LOAD_STATUS="1")
        self.assertEqual(code, 1)
        self.assertIn("FAILED rx_a, tcp, 1 connections", err)
        self.assertEqual([row["cpu_ns_per_message"] for row in found["rows"]], [None, None])

    def test_what_cannot_run_here_is_skipped_once_and_by_name(self):
        code, _, err, found = self.run_load("--connections", "1", "--blocks", "2", FAKE_DIE="77")
        self.assertEqual(code, 0)
        self.assertEqual(err.count("SKIPPED rx_a, tcp, 1 connections: server: not on this machine"), 1)
        self.assertEqual(len(found["samples"]), 2)

    def test_an_interruption_shows_what_is_there(self):
        with mock.patch.object(load.Run, "block", side_effect=KeyboardInterrupt):
            self.assertEqual(self.run_load("--connections", "1")[0], EXIT_INTERRUPTED)

    def test_too_many_connections_and_transports_that_are_not_there(self):
        with self.assertRaisesRegex(Refusal, "nothing is left to measure"):
            self.run_load("--connections", "100000000")
        with contextlib.redirect_stderr(io.StringIO()) as err:
            found = load.points(argparse.Namespace(transports=["unix"], connections=[1]), self.arms)
        self.assertEqual([arm.name for arm in found["unix", 1]], ["rx_a"])
        self.assertIn("SKIPPED limit-a over unix: it serves on tcp only", err.getvalue())

    def test_a_dry_run_measures_nothing(self):
        code, out, _, found = self.run_load("--connections", "1", "--dry-run")
        self.assertEqual((code, found), (0, None))
        self.assertIn("echo over tcp, 1 connections: rx_a, limit-a", out)

    def test_bad_input(self):
        for arguments, words in ((["--seconds", "0"], "--seconds 0 is not a usable time"),
                                 (["--blocks", "0"], "--blocks 0 is too small"),
                                 (["--connections", "1,x"], "--connections wants whole numbers"),
                                 (["--transports", "udp"], "no transport 'udp'; there are: tcp, unix")):
            with self.assertRaisesRegex(Refusal, words):
                self.run_load(*arguments)
        with self.assertRaisesRegex(Refusal, "http has no transport 'unix'; there are: tcp"):
            load.parse(["http", "--transports", "unix"])


class Memory(unittest.TestCase):
    args = argparse.Namespace(few=50, many=250)

    def measure(self, used=True, **environment):
        with mock.patch.dict(os.environ, environment):
            return memory.measure(stand_in("hoarder", "fake_hoarder.py"), self.args, used)

    def test_what_a_server_keeps_for_a_connection_is_found(self):
        none, some, more = (self.measure(FAKE_HOARD=str(hoard)) for hoard in (0, 40000, 80000))
        self.assertAlmostEqual(some["private"] - none["private"], 40000, delta=4000)
        self.assertAlmostEqual(more["private"] - some["private"], 40000, delta=4000)
        self.assertLess(none["private"], 20000)

    def test_a_server_that_loses_a_connection_or_alters_bytes_or_ends_badly(self):
        with self.assertRaisesRegex(memory.SampleFailure, "ended a connection|connections, then"):
            self.measure(FAKE_LOSE="70")
        with self.assertRaisesRegex(memory.SampleFailure, "other bytes came back"):
            self.measure(FAKE_WRONG="1")
        with self.assertRaisesRegex(memory.SampleFailure, "exit code 3"):
            self.measure(FAKE_EXIT="3")

    def test_an_interruption_shows_what_is_there(self):
        figures = {"private": 320.0, "kernel": 9000.0, "allocated": None, "blocks": None}
        arms = [stand_in("rx_a"), stand_in("rx_b")]
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()), \
                mock.patch.object(servers, "choose", lambda *_: (arms, [])), \
                mock.patch.object(memory, "measure", side_effect=[figures, figures, KeyboardInterrupt]):
            self.assertEqual(memory.main([]), EXIT_INTERRUPTED)
        self.assertIn("| rx_a | 320 | – | 320 | – | – | 9,000 |", out.getvalue())
        self.assertIn("| rx_b | – |", out.getvalue())

    def test_what_the_kernel_tells(self):
        self.assertEqual(memory.private_bytes("Rss:    9 kB\nPrivate_Dirty:    3 kB\nSwap:      1 kB\n"), 4096)
        self.assertEqual(memory.kernel_bytes("Slab:    5 kB\nPageTables:     2 kB\nMemFree:  7 kB\n"), 7168)

    def test_growth(self):
        before = {"private": 1000, "kernel": 500, "heap": (100, 1)}
        after = {"private": 5000, "kernel": 2500, "heap": (900, 5)}
        self.assertEqual(memory.growth(before, after, 4),
                         {"private": 1000, "kernel": 500, "allocated": 200, "blocks": 1})
        self.assertIsNone(memory.growth({**before, "heap": None}, after, 4)["allocated"])

    def test_the_table(self):
        figures = {"private": 4561.6, "kernel": 9000.0, "allocated": None, "blocks": None}
        lines = memory.table([{"server": "go", "silent": figures, "used": None}])
        self.assertEqual(lines[2], "| go | 4,562 | – | – | – | – | – |")
        self.assertEqual({line.count("|") for line in lines}, {8})

    def test_bad_input(self):
        for arguments in (["--few", "0"], ["--few", "9", "--many", "9"]):
            with self.assertRaisesRegex(Refusal, "the first of them less"):
                memory.parse(arguments)
        with mock.patch.object(memory.resource, "getrlimit", lambda _: (100, 200)), self.assertRaisesRegex(
                Refusal, "--many needs 9100 descriptors, the hard limit is 200"):
            memory.parse([])


if __name__ == "__main__":
    unittest.main(verbosity=2)
