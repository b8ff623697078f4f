#!/usr/bin/env python3
# ctest-plain-only: yes
"""The micro-benchmarks: names, lists, counters, the checks in the run that is timed, exact figures, bad input."""

import collections
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BUILD = Path(os.environ["STEALYARD_BUILD"]) / "bench"
SOURCE = Path(os.environ["STEALYARD_SOURCE"])
SAFETY_S = 120
PROCESSORS = len(os.sched_getaffinity(0))
COUNTERS = {"empty", "full", "retry", "peak_rss_kib", "grown_kib"}
LATENCIES = {"p50", "p90", "p99", "p99_9", "p99_99", "latency_max", "latency_count"}
# What the machine at hand or a bounded implementation may add to a shape, or lack.
OPTIONAL = ("/capacity:", "growth/")


def run(program, *flags):
    return subprocess.run([BUILD / program, *flags], capture_output=True, text=True, timeout=SAFETY_S, check=False)


def listed(program="micro"):
    return json.loads(run(program, "--list-cases", "--json").stdout)


def measured(program, pattern, *flags):
    """({name: entry}, exit status, stderr)"""
    done = run(program, f"--benchmark_filter={pattern}", "--benchmark_format=json", *flags)
    return {entry["name"]: entry for entry in json.loads(done.stdout)["benchmarks"]}, done.returncode, done.stderr


class Names(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cases = listed()

    def test_every_name_is_well_formed_and_unique(self):
        names = [case["case"] for case in self.cases]
        self.assertEqual(len(names), len(set(names)))
        for case in self.cases:
            parts = [case["part"], case["shape"], *filter(None, [case["implementation"]])]
            self.assertEqual(case["case"], "/".join(parts))
            self.assertRegex(case["shape"], r"^[a-z0-9_:]+(/[a-z0-9_:]+)*$")
            self.assertRegex(case["implementation"] or "none", r"^[a-z0-9_]+$")
            self.assertIn(case["part"], ("queue", "deque", "reactor", "reference"))
            self.assertEqual(case["part"] == "reference", case["implementation"] is None)
            self.assertRegex(case["measures"], r"^(duration|p[0-9.]+ latency)$")
            self.assertEqual(case["order"] is not None, case["part"] == "queue")

    def test_what_is_no_fifo_says_so_beside_its_figure(self):
        orders = {case["case"]: case["order"] for case in self.cases}
        runs, status, _ = measured("micro", "^queue/pairs/1/(gq_mutex|gq_sharded|moodycamel.*)$", "--operations=1000")
        self.assertEqual(status, 0)
        self.assertIn("queue/pairs/1/gq_sharded", runs)
        for name, entry in runs.items():
            expected = None if orders[name] == "FIFO" else f"no FIFO: {orders[name]}"
            self.assertEqual(entry.get("label"), expected)
            self.assertEqual(expected is None, name.endswith("gq_mutex"))

    def test_the_lists_agree(self):
        names = [case["case"] for case in self.cases]
        for flag in ("--list-cases", "--benchmark_list_tests", "--benchmark_list_tests=true"):
            self.assertEqual(run("micro", flag).stdout.split(), names)
        some = run("micro", "--list-cases", "--benchmark_filter=^deque/owner/").stdout.split()
        self.assertEqual(some, [name for name in names if name.startswith("deque/owner/")])
        others = run("micro", "--list-cases", "--benchmark_filter=-^deque/owner/").stdout.split()
        self.assertEqual(others, [name for name in names if name not in some])

    def test_every_entry_of_the_lists_has_the_same_shapes(self):
        inventory = json.loads(run("workload", "--list", "--json").stdout)
        for part in ("queue", "deque"):
            shapes = collections.defaultdict(set)
            for case in self.cases:
                if case["part"] == part and not any(word in case["shape"] for word in OPTIONAL):
                    shapes[case["implementation"]].add(case["shape"])
            for entry in inventory[f"{part}s"]:
                self.assertIn(entry["name"], shapes)
            self.assertEqual(len(set(map(frozenset, shapes.values()))), 1, f"{part}s have different cases")

    def test_the_points_of_a_curve(self):
        curves = collections.defaultdict(list)
        for case in self.cases:
            prefix = f"{case['part']}/"
            self.assertTrue(case["base"].startswith(prefix))
            if case["axis"] is None:
                self.assertEqual(case["base"], prefix + case["shape"])
                continue
            first, _, *rest = case["shape"].split("/")
            self.assertEqual(case["base"], prefix + "/".join([first, *rest]))
            curves[case["base"], case["implementation"]].append(case["axis"])
        for curve, points in curves.items():
            self.assertEqual(len({point["axis"] for point in points}), 1, curve)
            self.assertEqual(len({point["x"] for point in points}), len(points), curve)
        most = max(point["x"] for point in curves["queue/transfer/batch:1", "gq_mutex"])
        self.assertEqual(most, 4 * PROCESSORS)

    def test_one_and_three_thieves_with_every_grain_beside_their_limit(self):
        grains = [case["shape"].split("/")[1:] for case in self.cases if case["shape"].startswith("thieves/")
                  and "/grain:" in case["shape"] and case["implementation"] == "dq_mutex"]
        found = {thieves: {grain for n, grain in grains if n == thieves} for thieves, _ in grains}
        self.assertIn("1", found)
        for thieves in {"1", "3"} & set(found):
            self.assertEqual(found[thieves], {"grain:0", "grain:50", "grain:500"})
        limits = {case["shape"] for case in self.cases if case["shape"].startswith("plain_stacks/")}
        self.assertEqual(limits, {f"plain_stacks/{int(n) + 1}/{grain}" for n, grain in grains})

    def test_each_part_has_core_cases(self):
        core = {case["part"] for case in self.cases if case["core"]}
        self.assertEqual(core, {case["part"] for case in self.cases})


class Runs(unittest.TestCase):
    def check(self, case, entry):
        name = case["case"]
        self.assertNotIn("error_occurred", entry, name)
        self.assertGreater(entry["real_time"], 0, name)
        self.assertEqual(entry["time_unit"], "ns", name)
        self.assertLessEqual(COUNTERS, set(entry), name)
        if case["measures"] != "duration":
            self.assertLessEqual(LATENCIES, set(entry), name)
            percentiles = [entry[key] for key in ("p50", "p90", "p99", "p99_9", "p99_99", "latency_max")]
            self.assertEqual(percentiles, sorted(percentiles), name)
            self.assertGreater(entry["latency_count"], 0, name)
        if "fairness" in entry:
            self.assertTrue(0 <= entry["fairness"] <= 1, name)

    def test_each_case_reports_its_counters(self):
        cases = [case for case in listed()  # test_micro_rx.py has the long ones
                 if case["part"] != "reactor" or (case["core"] and not case["shape"].endswith("n:1000000"))]
        shapes = sorted({case["shape"] for case in cases if case["part"] == "reactor"})
        pattern = f"^((queue|deque|reference)/|reactor/({'|'.join(shapes)})/)"
        found, status, errors = measured("micro", pattern, "--benchmark_min_time=0.004")
        self.assertEqual(status, 0, errors)
        self.assertEqual(list(found), [case["case"] for case in cases])
        for case in cases:
            self.check(case, found[case["case"]])
        for name in ("queue/transfer/2:2/batch:1/gq_mutex", "queue/mixed/2/gq_mutex", "reference/fetch_add/2"):
            if name in found:
                self.assertIn("fairness", found[name])
        self.assertNotIn("fairness", found["queue/transfer/1:1/batch:1/gq_mutex"])

    def test_the_window_is_what_was_asked_for(self):
        found, _, _ = measured("micro", "^(queue|reference)/(pairs|mixed|fetch_add)/[12](/gq_mutex)?$",
                               "--benchmark_min_time=0.05")
        for name, entry in found.items():
            self.assertGreaterEqual(entry["real_time"] * entry["iterations"], 0.0499e9, name)

    def test_a_number_of_operations(self):
        found, status, _ = measured("micro", "^queue/pairs/1/gq_mutex$", "--operations=5000")
        self.assertEqual(status, 0)
        self.assertTrue(5000 <= found["queue/pairs/1/gq_mutex"]["iterations"] < 7000)
        _, status, errors = measured("micro", "^queue/mixed/2/gq_mutex$", "--operations=5000")
        self.assertEqual(status, 1)
        self.assertIn("for cases of one thread", errors)

    def test_a_file_has_plain_names(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "out.json"
            done = run("micro", "--benchmark_filter=^deque/owner/depth:64/dq_mutex$", f"--benchmark_out={path}",
                       "--benchmark_min_time=0.002", "--benchmark_repetitions=2")
            self.assertEqual(done.returncode, 0, done.stderr)
            names = {entry["run_name"] for entry in json.loads(path.read_text(encoding="utf-8"))["benchmarks"]}
        self.assertEqual(names, {"deque/owner/depth:64/dq_mutex"})


class Faults(unittest.TestCase):
    """What is wrong once in a while (bench/micro_broken.c) does not get a figure."""

    def expect(self, fault, shapes, message, part="queue"):
        for shape in shapes:
            name = f"{part}/{shape}/{fault}"
            for seconds in ("0.1", "1", "5"):  # on a crowded machine a thread may not run in a short window
                found, status, errors = measured("micro_broken", f"^{name}$", f"--benchmark_min_time={seconds}")
                if status != 0:
                    break
            self.assertEqual(status, 1, f"{name} passed")
            self.assertTrue(found[name]["error_occurred"])
            self.assertRegex(found[name]["error_message"], message)
            self.assertIn(f"micro: {name}: ", errors)

    def test_a_loss(self):
        self.expect("loses", ["pairs/1", "burst/64"], "items are missing")
        self.expect("loses", ["transfer/1:1/batch:1", "mixed/2"], "lost")

    def test_a_double(self):
        self.expect("doubles", ["pairs/1", "transfer/1:1/batch:1", "transfer/1:1/batch:32", "mixed/2"],
                    "twice|another order")

    def test_another_order(self):
        self.expect("reorders", ["burst/64", "transfer/1:1/batch:1"], "another order")

    def test_a_stranger(self):
        self.expect("invents", ["pairs/1", "transfer/1:1/batch:32", "mixed/2"], "never pushed")

    def test_an_empty_queue_that_is_not(self):
        self.expect("haunted", ["empty/1"], "is not empty")

    def test_deques(self):
        lost = ["owner/depth:1", "owner/depth:64", "thieves/1/grain:0", "latency/1/rate:100000"]
        self.expect("dq_loses", lost, "lost", "deque")
        self.expect("dq_doubles", ["thieves/1/grain:0", "thieves/1/steal:1", "latency/1/rate:100000"], "twice", "deque")
        self.expect("dq_reorders", ["owner/depth:64"], "another order", "deque")
        self.expect("dq_loses", ["theft/batch:1", "theft/batch:32"], "another number of items", "deque")
        self.expect("dq_doubles", ["theft/batch:1", "theft/batch:32"], "another number of items", "deque")

    def test_good_ones_pass_beside_them(self):
        _, status, errors = measured("micro_broken", "^(queue/(pairs/1|mixed/2)/gq_mutex|deque/.*/dq_mutex)$",
                                     "--benchmark_min_time=0.02")
        self.assertEqual(status, 0, errors)


class Bounds(unittest.TestCase):
    def test_a_bounded_queue_is_filled(self):
        names = run("micro_broken", "--list-cases", "--benchmark_filter=/capacity:[0-9]+/").stdout.split()
        implementations = {name.rpartition("/")[2] for name in names}
        self.assertLess({"capped", "gq_vyukov"}, implementations)
        self.assertFalse({"gq_mutex", "moodycamel"} & implementations)
        self.assertEqual({name.split("/")[-2] for name in names}, {"capacity:64", "capacity:1024"})
        found, status, errors = measured("micro_broken", "^queue/.*/capped$", "--benchmark_min_time=0.02")
        self.assertEqual(status, 0, errors)
        self.assertGreater(max(entry["full"] for name, entry in found.items() if "/capacity:64/" in name), 0)
        self.assertEqual(found["queue/pairs/1/capped"]["full"], 0)


class Exact(unittest.TestCase):
    def test_what_is_counted(self):
        found, status, errors = measured("micro_counting", "^(queue/pairs/1/gq_mutex|deque/owner/depth:1/dq_chase_lev|"
                                         "deque/theft/batch:(1|32)/dq_(chase_lev|mutex)|reference/plain_stack/64|"
                                         "reference/(fetch_add|malloc_free|plain_ring)/1)$", "--operations=20480")
        self.assertEqual(status, 0, errors)
        expected = {"queue/pairs/1/gq_mutex": (0, 0, 2, 0, 0), "deque/owner/depth:1/dq_chase_lev": (1, 1, 0, 0, 0),
                    "reference/fetch_add/1": (1, 0, 0, 0, 0), "reference/malloc_free/1": (0, 0, 0, 1, 128),
                    "reference/plain_ring/1": (0, 0, 0, 0, 0), "reference/plain_stack/64": (0, 0, 0, 0, 0),
                    # Of a theft only what the thief does: Chase and Lev's is a compare-and-swap and a fence an item.
                    "deque/theft/batch:1/dq_chase_lev": (1, 1, 0, 0, 0),
                    "deque/theft/batch:32/dq_chase_lev": (32, 32, 0, 0, 0),
                    "deque/theft/batch:32/dq_mutex": (0, 0, found["deque/theft/batch:32/dq_mutex"]["locks"], 0, 0)}
        for name, figures in expected.items():
            got = [found[name][key] for key in ("rmw", "fences", "locks", "allocations", "bytes")]
            self.assertEqual(tuple(got), figures, name)

    def membarrier_works(self):
        number = 324 if os.uname().machine == "x86_64" else 283  # the generic one
        commands = ctypes.CDLL(None).syscall(number, 0, 0, 0)
        return commands > 0 and commands & 8 != 0  # MEMBARRIER_CMD_PRIVATE_EXPEDITED

    def exact(self, *flags, **environment):
        return subprocess.run([sys.executable, SOURCE / "bench" / "exact.py", *flags], capture_output=True, text=True,
                              timeout=SAFETY_S, check=False, env={**os.environ, **environment})

    def test_the_rows_of_a_bundle(self):
        done = self.exact("--quick", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = {(row["workload"], row["arm"]): row for row in json.loads(done.stdout)["rows"]}
        pairs = rows["queue/pairs/1", "gq_mutex"]
        self.assertEqual(pairs, {"workload": "queue/pairs/1", "arm": "gq_mutex", "per": "operation",
                                 "instructions": None, "rmw": 4, "fences": 0, "membarriers": 0, "allocations": 0,
                                 "bytes": 0, "system_calls": None, "how": "counting build"})
        self.assertEqual(rows["deque/theft/batch:1", "dq_chase_lev_asym"]["membarriers"] > 0, self.membarrier_works())
        for (_, arm), row in rows.items():
            if arm in ("moodycamel", "boost_lockfree"):
                self.assertIsNone(row["rmw"])
        self.assertNotIn("onetbb", {arm for _, arm in rows})

    def test_nothing_to_count_with(self):
        done = self.exact("--quick", STEALYARD_BUILD="/nonexistent")
        self.assertEqual(done.returncode, 2)
        self.assertIn("/nonexistent/bench/workload is missing: build it", done.stderr)


class Usage(unittest.TestCase):
    def expect(self, message, *flags):
        done = run("micro", *flags)
        self.assertEqual(done.returncode, 2, flags)
        self.assertRegex(done.stderr, message)
        self.assertEqual(done.stdout, "")

    def test_bad_input(self):
        self.expect('no case matches "nonesuch"; --list-cases', "--benchmark_filter=nonesuch")
        self.expect(r'wants a regular expression, not "\("', "--benchmark_filter=(")
        for text in ("", "0", "-1", "x", "1x", "1e9", "nan"):
            self.expect(f'min_time wants seconds, .* not "{text}"', f"--benchmark_min_time={text}")
        for text in ("", "0", "-1", "x", "1x", "99999999999999999999"):
            self.expect(f'--operations wants a number .* not "{text}"', f"--operations={text}")
        self.expect("nonesuch", "--nonesuch")

    def test_help(self):
        done = run("micro", "--help")
        self.assertEqual(done.returncode, 0)
        self.assertTrue(done.stdout.startswith("usage: micro "))


if __name__ == "__main__":
    if not (BUILD / "micro").exists():
        print("SKIP: micro is not built: it needs Google Benchmark (Debian: apt-get install libbenchmark-dev)")
        sys.exit(77)
    unittest.main(verbosity=2)
