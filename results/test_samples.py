#!/usr/bin/python3
# ctest-timeout: 120
"""One sample at a time: workloads, micro-benchmarks and servers of the stand-ins, and what may go wrong with each."""
import json
import os
import shutil
import stat
import sys
import tempfile
import unittest
from pathlib import Path

import bundle as bundles
import exact_figures
import peers
import plan
import sample
import sample_micro
import sample_server
from process import Job, SampleFailure
from testing import HERE

WRK_TEXT = """Running 1s test @ http://127.0.0.1:8080/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.75ms    2.43ms  16.18ms   80.47%
    Req/Sec     1.59k   203.25     1.99k    81.82%
  Latency Distribution
     50%  740.00us
     75%    5.18ms
     90%    7.45ms
     99%    1.20s
  1743 requests in 1.10s, 512.54KB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 17
Requests/sec:   1584.04
Transfer/sec:    465.80KB
"""

FAKE_ECHO_LOAD = """import json, os, sys
said = {"connections": 64, "seconds": 0.2, "seed": 1, "rate": None, "messages": 2000, "answered": 2200, "per_s": 1e4,
        "latency_ns": {"count": 2000, "max": 9000, "p50": 500, "p99.9": 8000}, "errors": {"reset": 0}, "checked": True,
        "check": "each byte"}
status = int(os.environ.get("FAKE_LOAD_STATUS", "0"))
if status:
    said.update(checked=False, check="connection 3 was ended by the server")
if status != 77:
    print(json.dumps(said))
if status:
    print("echo_load: " + ("too few descriptors" if status == 77 else said["check"]), file=sys.stderr)
sys.exit(status)
"""


def program(name):
    return [sys.executable, HERE / name]


class Samples(unittest.TestCase):
    def setUp(self):
        self.before = dict(os.environ)
        self.addCleanup(self.restore)

    def restore(self):
        os.environ.clear()
        os.environ.update(self.before)

    def take(self, job, **environment):
        os.environ.update(environment)
        record = sample.take("s00001", 1, "an arm", job)
        bundles.validate("the sample", "sample", record)
        return record


class Workloads(Samples):
    def job(self, name="fib", **more):
        command = [*program("fake_workload.py"), "--workload", name, "--deque", "dq_mutex", "--budget-ms", "20"]
        return Job(plan.Workload(name, name, 1000, workers=3, **more), command, 20)

    def test_a_good_one(self):
        found = self.take(self.job())
        self.assertEqual([found[key] for key in ("failure", "skipped", "checked", "workers")], [None, None, True, 3])
        self.assertEqual((found["ops_per_iteration"], found["iterations"]), (1000, 20))

    def test_failed_check_and_crash(self):
        self.assertIn("exit code 1", self.take(self.job(), FAKE_FAIL="fib")["failure"])
        found = self.take(self.job(), FAKE_FAIL="", FAKE_CRASH="fib")
        self.assertIn("killed by signal 6", found["failure"])
        self.assertIsNone(found["value_ns"])

    def test_status_77_is_neither_good_nor_failed(self):
        found = self.take(self.job(), FAKE_SKIP="fib")
        self.assertEqual((found["value_ns"], found["failure"], found["exit_code"]), (None, None, 77))
        self.assertEqual(found["skipped"], "workload: no descriptors left")

    def test_a_missing_program(self):
        job = Job(plan.Workload("fib", "", 1), ["/nowhere/at/all"], 20)
        self.assertIn("No such file", self.take(job)["failure"])

    def test_output_that_is_no_result(self):
        job = Job(plan.Workload("fib", "", 1), [sys.executable, "-c", "print('{}')"], 20)
        self.assertIn("unusable output", self.take(job)["failure"])


class Micro(Samples):
    def job(self, case="queue/pairs/1/gq_ring", measures="duration"):
        name = case.rpartition("/")[0]
        return Job(plan.Workload(name, name, 1, "micro", "queue", ("queue",), measures), program("fake_micro.py"), 20,
                   case=case)

    def test_time_counters_and_percentiles(self):
        found = self.take(self.job())
        self.assertEqual((found["failure"], found["value_ns"], found["ops_per_iteration"]), (None, 75.0, 1))
        self.assertEqual(found["failed_ops"], {"empty": 0.5, "full": 0.0, "retry": 0.25})
        self.assertEqual(found["latency_ns"], {"p50": 40.0, "p99.9": 90.0, "max": 100.0})
        self.assertEqual((found["fairness"], found["peak_rss_kib"]), (0.9, 2000.0))

    def test_a_workload_about_a_percentile_has_that_as_its_value(self):
        self.assertEqual(self.take(self.job(measures="p99.9 latency"))["value_ns"], 90.0)
        self.assertIn("p99 latency is None", self.take(self.job(measures="p99 latency"))["failure"])

    def test_one_case_only(self):
        """What a regular expression would take for its own is taken for the name."""
        job = self.job("queue/transfer/1+1/a.b/gq_x")
        pattern, = [part for part in sample_micro.command(job) if str(part).startswith("--benchmark_filter=")]
        self.assertEqual(pattern.partition("=")[2], r"^queue/transfer/1\+1/a\.b/gq_x$")

    def test_failed_check(self):
        found = self.take(self.job(), FAKE_FAIL="pairs")
        self.assertEqual(found["failure"], "check failed: an item was lost")

    def test_units(self):
        text = json.dumps({"benchmarks": [{"real_time": 1.5, "time_unit": "us"}]})
        self.assertEqual(sample_micro.only_benchmark(text)["real_time_ns"], 1500)
        for bad in ('{"benchmarks": []}', '{"benchmarks": [{"real_time": 1}, {"real_time": 1}]}', "nothing"):
            with self.assertRaisesRegex(SampleFailure, "unusable"):
                sample_micro.only_benchmark(bad)


class Servers(Samples):
    def job(self, kind="echo"):
        workload = plan.Workload(f"{kind}_64", "", 1, "server", base=kind, scale=("connections", 64))
        load = [sys.executable, "-c", FAKE_ECHO_LOAD] if kind == "echo" else ["wrk"]
        return Job(workload, [*program("fake_server.py"), "--port", "0"], 20, load=load, connections=64)

    def test_echo(self):
        found = self.take(self.job())
        self.assertEqual((found["failure"], found["value_ns"], found["iterations"]), (None, 1e5, 2200))
        self.assertEqual(found["latency_ns"]["p99.9"], 8000)
        self.assertEqual(found["load"]["connections"], 64)
        self.assertGreaterEqual(found["cpu_ns"], 0)
        self.assertGreater(found["peak_rss_kib"], 0)

    def test_echo_that_loses_a_connection(self):
        self.assertIn("ended by the server", self.take(self.job(), FAKE_LOAD_STATUS="1")["failure"])

    def test_too_few_descriptors(self):
        found = self.take(self.job(), FAKE_LOAD_STATUS="77")
        self.assertEqual((found["failure"], found["skipped"]), (None, "echo_load: too few descriptors"))

    def test_a_server_that_cannot_run_here(self):
        found = self.take(self.job(), FAKE_DIE="77")
        self.assertEqual((found["failure"], found["skipped"]), (None, "server: not on this machine"))

    def test_a_server_that_dies_is_to_blame_and_not_the_load(self):
        found = self.take(self.job(), FAKE_DIE="3")
        self.assertEqual(found["failure"], "server: exit code 3: server: not on this machine")

    def test_an_unclean_end(self):
        self.assertIn("server: exit code 3", self.take(self.job(), FAKE_EXIT="3")["failure"])

    def test_a_server_that_does_not_say_where_it_listens(self):
        self.assertIn("instead of where it listens", self.take(self.job(), FAKE_SILENT="1")["failure"])

    @unittest.skipIf(shutil.which("wrk") is None, "wrk is missing")
    def test_http(self):
        found = self.take(self.job("http"))
        self.assertIsNone(found["failure"])
        self.assertAlmostEqual(found["value_ns"], 1e9 / found["http"]["requests_per_s"])
        self.assertEqual(found["iterations"], found["http"]["requests"])
        self.assertEqual(set(found["latency_ns"]), {"count", "p50", "p75", "p90", "p99"})

    @unittest.skipIf(shutil.which("wrk") is None, "wrk is missing")
    def test_bad_responses(self):
        found = self.take(self.job("http"), FAKE_STATUS="500")
        self.assertIn("not 2xx", found["failure"])
        self.assertGreater(found["http"]["non_2xx"], 0)

    def test_processes_of_a_session_are_found(self):
        self.assertIn(str(os.getpid()), [path.name for path in sample_server.processes_of(os.getsid(0))])


class Wrk(unittest.TestCase):
    def test_numbers_and_units(self):
        found = sample_server.parse_wrk(WRK_TEXT)
        self.assertEqual(found["latency_ms"], {"p50": 0.74, "p75": 5.18, "p90": 7.45, "p99": 1200.0})
        self.assertEqual((found["requests"], found["requests_per_s"], found["non_2xx"]), (1743, 1584.04, 17))
        self.assertEqual(list(found["socket_errors"].values()), [1, 2, 3, 4])

    def test_no_result(self):
        with self.assertRaises(SampleFailure):
            sample_server.parse_wrk("unable to connect to 127.0.0.1:1 Connection refused")


class Programs(unittest.TestCase):
    """Peers and exact figures: what a program that is asked may answer."""

    def program(self, text):
        directory = tempfile.TemporaryDirectory(prefix="results-test-")
        self.addCleanup(directory.cleanup)
        path = Path(directory.name) / "program"
        path.write_text(f"#!{sys.executable}\n{text}")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def test_a_peer_tells_what_it_runs(self):
        text = """print('{"peer": "p 1.0", "workloads": [{"name": "fib"}], "serves": ["echo"]}')"""
        found = peers.ask("p", self.program(text))
        self.assertEqual((found.version, found.workloads, found.serves), ("p 1.0", ["fib"], ["echo"]))

    def test_a_peer_that_cannot_run_says_why(self):
        text = "import sys\nprint('p: no such kernel', file=sys.stderr)\nsys.exit(77)"
        with self.assertRaisesRegex(peers.Skipped, "^p: no such kernel$"):
            peers.ask("p", self.program(text))
        with self.assertRaisesRegex(peers.Skipped, "cannot be read"):
            peers.ask("p", self.program("print('hello')"))

    def test_a_missing_tool_is_named_with_how_to_get_it(self):
        with self.assertRaisesRegex(peers.Skipped, "no-such-tool is missing: apt-get install it"):
            peers.need_program("no-such-tool", "apt-get install it")

    def test_exact_figures(self):
        row = {"workload": "queue/pairs/1", "arm": "gq_mutex", "per": "operation", "instructions": None, "rmw": 4.0,
               "fences": 0.0, "allocations": 0.0, "bytes": 0.0, "how": "counting build"}
        rows, reason = exact_figures.take(False, self.program(f"print({json.dumps(json.dumps({'rows': [row]}))})"))
        self.assertEqual((rows, reason), ([row], None))
        for text, words in (("print('{}')", "unusable"), ("import sys\nsys.exit('it broke')", "exit code 1: it broke"),
                            ("import sys\nprint('no valgrind', file=sys.stderr)\nsys.exit(77)", "^no valgrind$"),
                            (f"print({json.dumps(json.dumps({'rows': [{**row, 'rmw': -1}]}))})", "rmw")):
            rows, reason = exact_figures.take(False, self.program(text))
            self.assertIsNone(rows)
            self.assertRegex(reason, words)
        self.assertIn("missing", exact_figures.take(False, Path("/nowhere/exact.py"))[1])


if __name__ == "__main__":
    unittest.main()
