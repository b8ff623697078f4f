#!/usr/bin/env python3
# ctest-plain-only: yes
"""The micro-benchmarks of reactors and timers: the same cases for each, sane figures, and faulty ones found out."""

import collections
import json
import os
import re
import resource
import subprocess
import sys
import unittest
from pathlib import Path

BUILD = Path(os.environ["STEALYARD_BUILD"]) / "bench"
sys.path.insert(0, os.path.join(os.environ["STEALYARD_SOURCE"], "bench"))
import exact  # noqa: E402
SAFETY_S = 120


def run(program, *flags, **options):
    return subprocess.run([BUILD / program, *flags], capture_output=True, text=True, timeout=SAFETY_S, check=False,
                          **options)


def measured(program, pattern, seconds):
    """({name: entry}, exit status, stderr)"""
    done = run(program, f"--benchmark_filter={pattern}", "--benchmark_format=json", f"--benchmark_min_time={seconds}")
    return {entry["name"]: entry for entry in json.loads(done.stdout)["benchmarks"]}, done.returncode, done.stderr


def shapes_by_implementation(**options):
    shapes = collections.defaultdict(set)
    for case in json.loads(run("micro", "--list-cases", "--json", "--benchmark_filter=^reactor/", **options).stdout):
        shapes[case["implementation"]].add(case["shape"])
    return shapes


def left_out():
    """The reactors that are not built, as the program says."""
    errors = run("micro", "--list-cases", "--benchmark_filter=^reactor/wake/").stderr
    return set(re.findall(r"^micro: (rx_\w+) is left out: \S", errors, re.MULTILINE))


def refused():
    """Those that are built and that this machine refuses."""
    reactors = json.loads(run("workload", "--list", "--json").stdout)["reactors"]
    return {entry["name"] for entry in reactors if not entry["works_here"]} - left_out()


class Names(unittest.TestCase):
    def test_every_reactor_and_peer_has_the_same_cases(self):
        inventory = json.loads(run("workload", "--list", "--json").stdout)
        shapes = shapes_by_implementation()
        timers = {f"timers/{load}/n:{n}" for load in ("fire", "cancel") for n in (1000, 1000000)}
        steady = {f"timers/steady/{load}/n:{n}" for load in ("fire", "cancel") for n in (10, 1000, 100000, 1000000)}
        stores = [entry["name"] for entry in inventory["timers"]]
        ours = [entry["name"] for entry in inventory["reactors"] if entry["name"] not in left_out()]
        expected = shapes["epoll_raw"]
        self.assertIn("bench/n:1000/a:100/w:1000", expected)
        self.assertLessEqual({"pingpong/socketpair", "pingpong/pipe", "pingpong/tcp", "wake"}, expected)
        for name in ours:
            self.assertEqual(shapes[name], expected, name)
        for name in stores:
            self.assertEqual(shapes[name], timers | steady, name)
        self.assertEqual(shapes["plain_heap"], steady)
        for name in {"libuv", "libevent"} & set(shapes):
            self.assertEqual(shapes[name], expected | timers, name)
        self.assertLessEqual(set(shapes), {*ours, "epoll_raw", *stores, "plain_heap", "libuv", "libevent"})

    def test_sizes_follow_the_limit_on_descriptors(self):
        for limit, largest in ((1000, 1000), (5000, 2000), (15000, 7000)):
            shapes = shapes_by_implementation(
                preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
            sizes = {int(shape.split("/")[1].removeprefix("n:")) for shape in shapes["epoll_raw"]
                     if shape.startswith("bench/")}
            self.assertEqual(max(sizes), largest)
        done = run("micro", "--list-cases",
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000)))
        self.assertEqual(done.stderr.count("reactor/bench/n:10000 is left out: too few descriptors"), 1)

    def test_too_few_descriptors_for_a_case(self):
        done = run("micro", "--benchmark_filter=^reactor/bench/n:1000/a:1/w:100/epoll_raw$",
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000)))
        self.assertEqual(done.returncode, 1)
        self.assertIn("micro: reactor/bench/n:1000/a:1/w:100/epoll_raw: too few descriptors", done.stderr)


class Runs(unittest.TestCase):
    def test_every_case_runs(self):
        # All but what takes seconds and is the same code with more timers.
        pattern = "^reactor/([^t]|timers/(steady/[a-z]+/n:10{1,5}/|[a-z]+/n:(1000/|1000000/tm_)))"
        names = run("micro", "--list-cases", f"--benchmark_filter={pattern}").stdout.split()
        found, status, errors = measured("micro", pattern, 0.002)
        self.assertEqual(set(found), set(names))
        failed = {name for name, entry in found.items() if entry.get("error_occurred")}
        self.assertEqual(failed, {name for name in names if name.rpartition("/")[2] in refused()}, errors)
        self.assertEqual(status, 1 if failed else 0)
        for name in failed:
            self.assertIn("the reactor does not work on this machine: ", found[name]["error_message"])
        for name in found.keys() - failed:
            entry = found[name]
            self.assertGreater(entry["real_time"], 0, name)
            if "/bench/" in name:
                self.assertEqual(entry["full"], 0, name)  # the buffers hold what comes together

    def test_the_bytes_of_one_run(self):
        for active, writes in ((1, 100), (100, 1000)):
            name = f"reactor/bench/n:100/a:{active}/w:{writes}/"
            done = run("micro", f"--benchmark_filter=^{name}", "--operations=1", "--benchmark_format=json")
            entries = json.loads(done.stdout)["benchmarks"]
            self.assertIn(f"{name}rx_epoll", [entry["name"] for entry in entries])
            for entry in entries:
                if not entry.get("error_occurred"):
                    self.assertEqual(entry["iterations"], active + writes, entry["name"])

    def test_a_wake_up_takes_time(self):
        # Long, for on a crowded machine each wake-up waits for its turn on a processor.
        found, _, errors = measured("micro", "^reactor/wake/", 0.5)
        refuse = refused()
        for name, entry in found.items():
            if name.rpartition("/")[2] in refuse:
                continue
            self.assertGreater(entry.get("latency_count", 0), 10, f"{name}: {errors}")
            self.assertGreater(entry["p50"], 500, name)  # two system calls and a switch cannot be had for less


class SystemCalls(unittest.TestCase):
    """The column of bench/exact.py that is of reactors alone."""

    SUMMARY = "    calls syscall\n--------- ----------------\n     1024 recvfrom\n        7 write\n--------- ------\n"

    def test_the_total_of_a_summary(self):
        self.assertEqual(exact.total_of(self.SUMMARY + "     1031 total\n"), 1031)
        with self.assertRaisesRegex(exact.Refusal, "strace printed no count"):
            exact.total_of(self.SUMMARY)

    def test_a_tool_that_is_not_there_or_does_not_work(self):
        self.assertIsNone(exact.unusable("true", []))
        self.assertRegex(exact.unusable("no-such-tool", []), "they need no-such-tool .Debian: apt-get install")
        self.assertRegex(exact.unusable("false", []), "false does not work here: exit code 1")

    def test_rows_with_and_without_others(self):
        rows = {("reactor/wake", "a"): exact.row_of("reactor/wake", "a", "counting build", rmw=2.0)}
        exact.add_system_calls(rows, [("reactor/wake", "a", 3.0), ("reactor/wake", "b", 4.0)])
        self.assertEqual([(row["arm"], row["rmw"], row["system_calls"], row["how"]) for row in rows.values()],
                         [("a", 2.0, 3.0, "counting build"), ("b", None, 4.0, "strace")])

    def test_what_hand_written_epoll_takes(self):
        if reason := exact.unusable("strace", ["-o", os.devnull, "true"]):
            print(f"SKIP: {reason}")
            self.skipTest(reason)
        counts = {case["implementation"]: exact.system_calls(str(BUILD / "micro"), case)
                  for case in exact.cases(str(BUILD / "micro"), r"^reactor/pingpong/pipe/(epoll_raw|rx_epoll)$")}
        # A write, a wait and a read, there and back.
        self.assertEqual(counts["epoll_raw"], 6)
        self.assertGreaterEqual(counts["rx_epoll"], 6)
        self.assertLessEqual(counts["rx_epoll"], 8)  # a first try on either side


class Faults(unittest.TestCase):
    """Engines and stores that are wrong once in a while (bench/micro_broken_rx.c) do not get a figure."""

    def expect(self, fault, shapes, message, seconds=0.1):
        for shape in shapes:
            name = f"reactor/{shape}/{fault}"
            found, status, errors = measured("micro_broken", f"^{name}$", seconds)
            self.assertEqual(status, 1, f"{name} passed")
            self.assertEqual(found[name]["error_message"], message)
            self.assertIn(f"micro: {name}: {message}", errors)

    def test_a_lost_event(self):
        self.expect("loses", ("bench/n:100/a:1/w:100", "pingpong/tcp"), "an event was lost")

    def test_another_byte(self):
        self.expect("alters", ("bench/n:100/a:1/w:100",), "another byte came than was written")
        self.expect("alters", ("pingpong/pipe",), "another byte came than was sent")

    def test_a_lost_wake_up(self):
        self.expect("sleeps", ("wake",), "a wake-up was lost", 1.0)  # for one in 20 to come on a crowded machine

    def test_timers(self):
        # On a busy machine a round may start its timers so slowly that it proves nothing: several rounds.
        for fault, shape, message in (("early", "fire", "a timer fired early"),
                                      ("backwards", "fire", "a timer fired before an earlier one"),
                                      ("late", "fire", "a timer did not fire when it was due"),
                                      ("deaf", "cancel", "a timer fired twice, or was cancelled"),
                                      ("twice", "fire", "a timer fired twice, or was cancelled")):
            self.expect(fault, (f"timers/{shape}/n:1000",), message, seconds=1)

    def test_stores_of_deadlines(self):
        for fault, message in (("early_store", "a timer fired early"),
                               ("late_store", "a timer did not fire when it was due"),
                               ("backwards_store", "a timer fired before an earlier one"),
                               ("double_store", "a timer fired early"),
                               ("losing_store", "a timer was lost")):
            self.expect(fault, ("timers/steady/fire/n:1000", "timers/steady/cancel/n:1000"), message)


if __name__ == "__main__":
    if not (BUILD / "micro").exists():
        print(f"SKIPPED: {BUILD / 'micro'} is not built (./stealyard setup installs Google Benchmark)")
        sys.exit(77)
    unittest.main(verbosity=2)
