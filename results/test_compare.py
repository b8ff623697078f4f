#!/usr/bin/python3
# ctest-timeout: 900
"""compare against a stand-in for the workload binary: blocks, failed checks, interruption, bad input, bad bundles."""
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import unittest
from collections import Counter

import bundle as bundles
import plan
import sample
from common import Refusal
from testing import HERE, TIMEOUT_S, WithBuild, install

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

FAKE_HTTPD = """#!/usr/bin/python3
import http.server, os, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(int(os.environ.get("FAKE_STATUS", "200")))
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_):
        pass
signal.signal(signal.SIGTERM, lambda *_: os._exit(int(os.environ.get("FAKE_EXIT", "0"))))
http.server.ThreadingHTTPServer.request_queue_size = 128
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
"""


class Plan(unittest.TestCase):
    cells = {"a": ["x", "y", "z"], "b": ["x", "z"]}

    def test_each_block_is_complete_and_keeps_a_workload_together(self):
        for block in range(20):
            order = plan.order_of_block(self.cells, 1, block)
            self.assertEqual(sorted(order), sorted((w, arm) for w, arms in self.cells.items() for arm in arms))
            runs = [w for k, (w, _) in enumerate(order) if k == 0 or order[k - 1][0] != w]
            self.assertEqual(len(runs), len(self.cells))

    def test_order_is_shuffled_and_repeats_with_the_seed(self):
        orders = [plan.order_of_block(self.cells, 1, block) for block in range(20)]
        self.assertGreater(len(set(map(tuple, orders))), 5)
        self.assertEqual(orders, [plan.order_of_block(self.cells, 1, block) for block in range(20)])
        self.assertNotEqual(orders, [plan.order_of_block(self.cells, 2, block) for block in range(20)])

    def test_every_arm_comes_first_about_equally_often(self):
        first = Counter(plan.order_of_block({"a": ["x", "y", "z"]}, 3, block)[0][1] for block in range(300))
        self.assertTrue(all(70 <= count <= 130 for count in first.values()), first)

    def test_default_plan_fits_five_minutes_on_two_cores(self):
        # Four arms over ten workloads with a tenth of a second of overhead, and three of http.
        costs = [plan.Cost(0.1, 0.01)] * 40 + [plan.Cost(1.2, scales=False)] * 3
        blocks, budget_ms = plan.choose_effort(costs, 60 * plan.DEFAULT_MINUTES, fill=False)
        self.assertGreaterEqual(blocks, plan.MIN_BLOCKS)
        self.assertLessEqual(blocks * plan.block_seconds(costs, budget_ms), 285)

    def test_time_that_is_too_short_keeps_the_blocks_and_shrinks_the_samples(self):
        costs = [plan.Cost(0.1, 0.01)] * 400
        self.assertEqual(plan.choose_effort(costs, 60), (plan.MIN_BLOCKS, plan.MIN_BUDGET_MS))

    def test_stops_between_blocks_when_the_time_is_up(self):
        self.assertFalse(plan.time_is_up(12, 120, 131))
        self.assertTrue(plan.time_is_up(12, 120, 129))
        self.assertFalse(plan.time_is_up(plan.MIN_BLOCKS - 1, 500, 100))  # never fewer than nine

    def test_control_is_the_default_again(self):
        arms = plan.make_arms(["q", "r"], ["d"], ["e"], ["tokio"], dynamic=True)
        self.assertEqual([arm.id for arm in arms], ["q+d+e", "r+d+e", "A/A", "q+d+e dynamic", "tokio"])
        self.assertEqual((arms[2].queue, arms[2].deque, arms[2].reactor), ("q", "d", "e"))


class Bundles(WithBuild):
    def test_a_whole_run(self):
        done = self.compare("--queues", "mutex")
        self.assertEqual(done.returncode, 0, done.stderr)
        found = bundles.load(self.bundle())
        self.assertEqual(found.plan["blocks"], 2)
        # Two combinations and the control, three workloads, a pilot and two blocks.
        self.assertEqual(len(found.samples), 3 * 3 * 3)
        for block in range(3):
            cells = [(s["workload"], s["arm"]) for s in found.samples if s["block"] == block]
            self.assertEqual(len(cells), 9)
            self.assertEqual(len(set(cells)), 9)
        self.assertIn("httpd", found.plan["skipped"][0])
        self.assertIn("SKIPPED", done.stderr)
        self.assertNotIn(str(self.top), (found.path / "samples.jsonl").read_text() + str(found.plan))
        for name in ("report.html", "table.md", "charts/control.svg"):
            self.assertTrue((found.path / name).is_file(), name)

    def test_finds_the_truth(self):
        done = self.compare("--queues", "mutex", "--workloads", "fib", "--json", blocks=9, FAKE_FACTOR_MUTEX="1.3")
        summary = json.loads(done.stdout)
        found, = [c for c in summary["comparisons"] if c["arm"] == "mutex+mutex+epoll"]
        self.assertEqual(found["verdict"], "worse")
        self.assertLess(found["interval"][0], 1.3 * 1.02)
        self.assertGreater(found["interval"][1], 1.3 / 1.02)
        self.assertEqual(summary["control"]["false_verdicts"], 0)

    def test_a_second_run_gets_another_name(self):
        for _ in range(2):
            self.assertEqual(self.compare("--workloads", "fib", blocks=1).returncode, 0)
        names = sorted(path.name for path in self.out.iterdir())
        self.assertEqual(len(names), 2)
        self.assertEqual(names[1], names[0] + "-2")

    def test_failed_check(self):
        done = self.compare("--workloads", "fib,echo", FAKE_FAIL="fib")
        self.assertEqual(done.returncode, 1)
        found = bundles.load(self.bundle())
        failed = [s for s in found.samples if s["value_ns"] is None]
        self.assertEqual({s["workload"] for s in failed}, {"fib"})
        self.assertEqual(found.summary["failed"], [s["id"] for s in failed])
        self.assertIn("Failed checks", (found.path / "report.html").read_text())
        self.assertFalse([c for c in found.summary["comparisons"] if c["workload"] == "fib"])
        self.assertTrue([c for c in found.summary["comparisons"] if c["workload"] == "echo"])

    def test_crash_is_a_failed_check(self):
        done = self.compare("--workloads", "fib", FAKE_CRASH="fib")
        self.assertEqual(done.returncode, 1)
        self.assertIn("killed by signal 6", done.stderr)

    def test_interruption_leaves_only_partial(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number):
                self.interrupt(number)

    def interrupt(self, number):
        command = self.command("compare.py", "--blocks", 50, "--peers", "none", "--out", self.out)
        with subprocess.Popen(command, env=self.environment(FAKE_SLOW_S="0.05"), stderr=subprocess.PIPE,
                              text=True) as running:
            for line in running.stderr:
                if "block 0" in line:  # a sample has been taken
                    break
            running.send_signal(number)
            rest = running.stderr.read()
            code = running.wait(TIMEOUT_S)
        self.assertEqual(code, 130, rest)
        self.assertNotIn("Traceback", rest)
        self.assertIn("not a bundle", rest)
        left = list(self.out.iterdir())
        self.assertTrue(left and all(path.name.endswith(".partial") for path in left), left)
        with self.assertRaisesRegex(Refusal, "interrupted"):
            bundles.load(left[0])
        shutil.rmtree(left[0])


class Http(WithBuild):
    def setUp(self):
        super().setUp()
        if shutil.which("wrk") is None:
            self.skipTest("wrk is missing")
        httpd = self.top / "httpd.py"
        httpd.write_text(FAKE_HTTPD)
        install(httpd, self.build / "executor" / "examples" / "httpd")

    def one(self, **extra):
        done = self.compare("--queues", "mutex", "--deques", "mutex", "--workloads", "http", blocks=1, **extra)
        return done, bundles.load(self.bundle())

    def test_a_good_server(self):
        done, found = self.one()
        self.assertEqual(done.returncode, 0, done.stderr)
        for taken in found.samples:
            self.assertGreater(taken["http"]["requests"], 0)
            self.assertAlmostEqual(taken["value_ns"], 1e9 / taken["http"]["requests_per_s"])
            self.assertEqual(set(taken["http"]["latency_ms"]), {"p50", "p75", "p90", "p99"})
        self.assertIn("HTTP latency", (found.path / "report.html").read_text())

    def test_bad_responses_fail(self):
        done, found = self.one(FAKE_STATUS="500")
        self.assertEqual(done.returncode, 1)
        self.assertIn("not 2xx", found.samples[0]["failure"])
        self.assertGreater(found.samples[0]["http"]["non_2xx"], 0)

    def test_an_unclean_end_fails(self):
        done, found = self.one(FAKE_EXIT="3")
        self.assertEqual(done.returncode, 1)
        self.assertIn("httpd: exit code 3", found.samples[0]["failure"])


class Wrk(unittest.TestCase):
    def test_numbers_and_units(self):
        found = sample.parse_wrk(WRK_TEXT)
        self.assertEqual(found["latency_ms"], {"p50": 0.74, "p75": 5.18, "p90": 7.45, "p99": 1200.0})
        self.assertEqual((found["requests"], found["requests_per_s"], found["non_2xx"]), (1743, 1584.04, 17))
        self.assertEqual(list(found["socket_errors"].values()), [1, 2, 3, 4])

    def test_no_result(self):
        with self.assertRaises(sample.SampleFailure):
            sample.parse_wrk("unable to connect to 127.0.0.1:1 Connection refused")


class BadInput(WithBuild):
    def test_unknown_names_list_the_right_ones(self):
        self.assert_refused(self.compare("--queues", "mutexx"), "queue 'mutexx'", "mutex, ring")
        self.assert_refused(self.compare("--deques", "nope"), "chase_lev, mutex")
        self.assert_refused(self.compare("--reactors", "iocp"), "known: epoll")
        self.assert_refused(self.compare("--workloads", "fib,fob"), "'fob'", "spawn_many_local, fib, echo, http")
        self.assert_refused(self.compare(peers="java"), "java", "tokio, none")
        self.assertEqual(list(self.out.iterdir()), [])

    def test_bad_numbers(self):
        for arguments in (("--blocks", "0"), ("--budget-ms", "-1"), ("--workers", "0"), ("--minutes", "0")):
            with self.subTest(arguments):
                self.assert_refused(self.run_program("compare.py", *arguments), arguments[0])
        self.assert_refused(self.run_program("compare.py", "--minutes", "x"), "--minutes")
        self.assert_refused(self.run_program("compare.py", "--full", "--minutes", "3"), "exclude each other")

    def test_missing_binary(self):
        shutil.rmtree(self.build)
        self.assert_refused(self.compare(), "bench/workload is missing")

    def test_binary_that_says_nonsense(self):
        (self.build / "bench" / "workload").write_text("#!/bin/sh\necho hello\n")
        self.assert_refused(self.compare(), "--list --json", "unusable")

    def test_output_that_cannot_be_written(self):
        (self.out / "file").write_text("")
        done = self.run_program("compare.py", "--peers", "none", "--out", self.out / "file")
        self.assert_refused(done, "cannot write a bundle into")

    def test_full_disk(self):
        """A limit on the size of files stands in for the full disk: the same failing write."""
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        environment = self.environment(PYTHONDONTWRITEBYTECODE="1")
        done = subprocess.run(self.command("compare.py", "--peers", "none", "--blocks", 2, "--out", self.out),
                              env=environment, preexec_fn=limit, capture_output=True, text=True, timeout=TIMEOUT_S,
                              check=False)
        self.assert_refused(done, "cannot write the bundle", "File too large", "which is not a bundle")
        self.assertTrue(all(path.name.endswith(".partial") for path in self.out.iterdir()))

    def test_help(self):
        for program in ("compare.py", "report.py", "list.py"):
            done = self.run_program(program, "--help")
            self.assertEqual(done.returncode, 0)
            self.assertIn("usage: stealyard", done.stdout)


class BadBundles(WithBuild):
    def setUp(self):
        super().setUp()
        self.compare_once("--workloads", "fib", blocks=1)
        self.path = self.bundle()
        bundles.load(self.path)  # it is good before each test spoils it

    def refused(self, *words):
        self.assert_refused(self.run_program("report.py", self.path), *words)

    def change(self, name, **values):
        content = json.loads((self.path / name).read_text())
        content.update(values)
        (self.path / name).write_text(json.dumps(content))

    def samples(self):
        return self.path / "samples.jsonl"

    def test_truncated_line(self):
        self.samples().write_bytes(self.samples().read_bytes()[:-20])
        self.refused("samples.jsonl", "truncated")

    def test_missing_sample(self):
        lines = self.samples().read_bytes().splitlines(keepends=True)
        self.samples().write_bytes(b"".join(lines[:-1]))
        self.refused("truncated", f"{len(lines) - 1} samples")

    def test_changed_number(self):
        text = self.samples().read_text()
        value = json.loads(text.splitlines()[0])["value_ns"]
        self.samples().write_text(text.replace(f'"value_ns":{value}', f'"value_ns":{value / 2}', 1))
        self.refused("changed since", "SHA-256")

    def test_corrupt(self):
        (self.path / "plan.json").write_text('{"format": ')
        self.refused("plan.json", "corrupt")

    def test_does_not_fit_the_schema(self):
        self.change("plan.json", blocks="many")
        self.refused("plan.json", "blocks", "schema")

    def test_other_versions(self):
        self.change("summary.json", schema=bundles.SCHEMA_VERSION + 1)
        self.refused(f"schema {bundles.SCHEMA_VERSION + 1}", "newer release")
        self.change("summary.json", schema=0)
        self.refused("schema 0", "measure again")

    def test_foreign(self):
        self.change("machine.json", format="criterion")
        self.refused("machine.json", "not of a stealyard-bundle")

    def test_inconsistent(self):
        arms = json.loads((self.path / "plan.json").read_text())["arms"]
        self.change("plan.json", arms=arms[:1])
        self.refused("inconsistent", "not in the plan")

    def test_missing_file_and_missing_bundle(self):
        (self.path / "machine.json").unlink()
        self.refused("machine.json is missing")
        self.assert_refused(self.run_program("report.py", self.top / "nowhere"), "no such bundle")
        self.assert_refused(self.run_program("report.py", HERE / "schema.json"), "not a directory")


if __name__ == "__main__":
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    unittest.main()
