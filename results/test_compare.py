#!/usr/bin/python3
# ctest-timeout: 300
"""compare against stand-ins for the programs that it runs: whole bundles, failed checks, bad input, bad bundles."""
import json
import resource
import shutil
import subprocess
import unittest

import bundle as bundles
from testing import HERE, TIMEOUT_S, WithBuild, install

DEFAULT = "gq_mutex+dq_chase_lev+rx_epoll"


class Bundles(WithBuild):
    def test_a_whole_run(self):
        done = self.compare(blocks=1, peers="made_up_peer")
        self.assertEqual(done.returncode, 0, done.stderr)
        found = bundles.load(self.bundle())
        plan = found.plan
        arms = {one["name"]: one["arms"] for one in plan["workloads"]}
        # A star, the one pair that there is, the control; what is of effort core only.
        self.assertEqual(set(arms["fib"]), {DEFAULT, "A/A", "gq_ring+dq_chase_lev+rx_epoll",
                                            "gq_mutex+dq_mutex+rx_epoll", "gq_ring+dq_mutex+rx_epoll"})
        self.assertEqual(arms["fib@4"], [DEFAULT, "A/A"])
        self.assertEqual(set(arms["queue/pairs/1"]), {"A/A", "gq_mutex", "gq_ring", "made_up_peer"})
        self.assertNotIn("fib_42", arms)
        self.assertNotIn("queue/transfer/4:4/batch:1", arms)
        one = next(one for one in plan["workloads"] if one["name"] == "queue/transfer/2:2/batch:1")
        self.assertEqual((one["default"], one["reference"], one["level"], one["part"], one["base"], one["scale"]),
                         ("gq_mutex", "made_up_peer", "micro", "queue", "queue/transfer", {"axis": "threads", "x": 4}))
        self.assertIn("httpd", plan["skipped"][-1])
        self.assertIn("gq_alien: not on this machine (wants another machine)", plan["skipped"])
        self.assertIn("SKIPPED workload http_64", done.stderr)
        self.assertIn("7 workloads and micro-benchmarks that only --full measures", plan["left_out"])
        self.assertEqual(plan["exists"]["queues"], ["gq_mutex", "gq_ring"])
        self.assertIn("fib_42", plan["exists"]["workloads"])
        self.assertEqual((plan["design"], plan["resumed"], plan["blocks"]), ("star", 0, 1))
        self.assertNotIn(str(self.top), (found.path / "samples.jsonl").read_text() + str(plan))
        for name in ("report.html", "table.md"):
            self.assertTrue((found.path / name).is_file(), name)

    def test_each_block_holds_each_cell_once(self):
        self.assertEqual(self.compare("--workloads", "fib,fib_42,deque/*", blocks=2).returncode, 0)
        found = bundles.load(self.bundle())
        cells = {(one["name"], arm) for one in found.plan["workloads"] for arm in one["arms"]}
        for block in range(3):
            taken = [(s["workload"], s["arm"]) for s in found.samples if s["block"] == block]
            self.assertEqual((len(taken), set(taken)), (len(cells), cells))
        # The control repeats the default: the combination, or the part by itself.
        commands = {(s["workload"], s["arm"]): s["command"] for s in found.samples}
        self.assertTrue(commands["deque/thieves/1", "A/A"].endswith("deque/thieves/1/dq_chase_lev"))
        self.assertEqual(commands["fib", "A/A"], commands["fib", DEFAULT])
        # One iteration is enough of what takes minutes.
        self.assertIn("--iterations 1", commands["fib_42", DEFAULT])
        self.assertNotIn("--iterations", commands["fib", DEFAULT])

    def test_finds_the_truth(self):
        done = self.compare("--queues", "gq_mutex", "--workloads", "fib", "--json", blocks=9,
                            FAKE_FACTOR_DQ_MUTEX="1.3")
        summary = json.loads(done.stdout)
        found, = [c for c in summary["comparisons"] if c["arm"] == "gq_mutex+dq_mutex+rx_epoll"]
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

    def test_failed_checks(self):
        done = self.compare("--workloads", "fib,echo,deque/*", FAKE_FAIL="fib", FAKE_CRASH="echo")
        self.assertEqual(done.returncode, 1)
        found = bundles.load(self.bundle())
        failed = [s for s in found.samples if s["value_ns"] is None]
        self.assertEqual({s["workload"] for s in failed}, {"fib", "echo"})
        self.assertEqual(found.summary["failed"], [s["id"] for s in failed])
        self.assertIn("killed by signal 6", done.stderr)
        self.assertIn("Failed checks", (found.path / "report.html").read_text())
        self.assertEqual({c["workload"] for c in found.summary["comparisons"]}, {"deque/thieves/1"})

    def test_what_cannot_run_here_is_skipped_and_not_failed(self):
        done = self.compare("--workloads", "fib,deque/*", FAKE_SKIP="fib")
        self.assertEqual(done.returncode, 0, done.stderr)
        found = bundles.load(self.bundle())
        skipped = [s for s in found.samples if s["skipped"]]
        self.assertEqual({(s["workload"], s["block"]) for s in skipped}, {("fib", 0)})  # once, not in each block
        self.assertEqual(found.summary["failed"], [])
        self.assertIn("workload fib for A/A: workload: no descriptors left", found.plan["skipped"])

    def test_servers(self):
        for name in ("httpd", "echo"):
            install(HERE / "fake_server.py", self.build / "executor" / "examples" / name)
        if shutil.which("wrk") is None:
            self.skipTest("wrk is missing")
        done = self.compare("--workloads", "http_64,echo_64", blocks=1)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = bundles.load(self.bundle())
        self.assertEqual([(one["name"], one["level"], one["scale"]) for one in found.plan["workloads"]],
                         [("http_64", "server", {"axis": "connections", "x": 64})])
        self.assertIn("echo_load is not built", found.plan["skipped"][-1])

    def test_too_little_time_leaves_out_and_says_what(self):
        arguments = ("--minutes", "0.005", "--peers", "none", "--no-exact", "--workloads", "fib", "--out", self.out)
        done = self.run_program("compare.py", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        plan = bundles.load(self.bundle()).plan
        self.assertEqual(plan["blocks"], 9)
        self.assertEqual(plan["workloads"][0]["arms"], [DEFAULT, "A/A"])
        self.assertIn("every deque: no time for fib", plan["left_out"])

    def test_dry_run_runs_nothing(self):
        done = self.run_program("compare.py", "--dry-run", "--json", "--peers", "none", "--out", self.out,
                                FAKE_CRASH="fib")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(list(self.out.iterdir()), [])
        self.assertGreater(json.loads(done.stdout)["expected_s"], 0)
        text = self.run_program("compare.py", "--dry-run", "--full", "--peers", "none", "--out", self.out).stdout
        self.assertIn("30 blocks of 300 ms samples", text)
        self.assertIn("fib_42", text)


class BadInput(WithBuild):
    def test_unknown_names_list_the_right_ones(self):
        self.assert_refused(self.compare("--queues", "mutexx"), "queue 'mutexx'", "gq_mutex, gq_ring")
        self.assert_refused(self.compare("--deques", "nope"), "dq_chase_lev, dq_mutex")
        self.assert_refused(self.compare("--reactors", "iocp"), "known: rx_epoll")
        self.assert_refused(self.compare("--workloads", "fib,fob*"), "'fob*'", "spawn_many_local, fib, echo", "http_64",
                            "queue/pairs/1")
        self.assert_refused(self.compare(peers="java"), "java", "tokio, async-executor, go", "made_up_peer, none")
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
        for name in ("workload", "micro"):
            (self.build / "bench" / name).write_text("#!/bin/sh\necho hello\n")
            self.assert_refused(self.compare(), "unusable")
            install(HERE / "fake_workload.py", self.build / "bench" / "workload")

    def test_missing_micro_is_skipped_by_name(self):
        (self.build / "bench" / "micro").unlink()
        self.assertIn("SKIPPED micro-benchmarks", self.compare("--dry-run").stderr)

    def test_output_that_cannot_be_written(self):
        (self.out / "file").write_text("")
        done = self.run_program("compare.py", "--peers", "none", "--out", self.out / "file")
        self.assert_refused(done, "cannot write a bundle into")

    def test_full_disk(self):
        """A limit on the size of files stands in for the full disk: the same failing write."""
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (12000, 12000))
        environment = self.environment(PYTHONDONTWRITEBYTECODE="1")
        done = subprocess.run(self.command("compare.py", "--workloads", "fib", *self.short(9)), env=environment,
                              preexec_fn=limit, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
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
        (self.path / "plan.json").write_bytes(b"\xff\xfe\x00")
        self.refused("plan.json", "corrupt")

    def test_does_not_fit_the_schema(self):
        self.change("plan.json", blocks="many")
        self.refused("plan.json", "blocks", "schema")

    def test_other_versions(self):
        self.change("summary.json", schema=bundles.SCHEMA_VERSION + 1)
        self.refused(f"schema {bundles.SCHEMA_VERSION + 1}", "newer: use the release that wrote it")
        self.change("summary.json", schema=1)
        self.refused("schema 1", "older: measure again")

    def test_exact_figures_are_checked_too(self):
        (self.path / "exact.json").write_text(json.dumps({**bundles.HEADER, "rows": []}))
        self.assertEqual(bundles.load(self.path).exact, [])
        self.change("exact.json", rows=[{"workload": "fib"}])
        self.refused("exact.json", "schema")

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
    unittest.main()
