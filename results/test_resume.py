#!/usr/bin/python3
# ctest-timeout: 300
"""Interrupted runs: what they leave, how they go on, and when they must not."""
import json
import signal
import subprocess
import unittest
from collections import Counter

import bundle as bundles
from common import Refusal
from testing import TIMEOUT_S, WithBuild

CHOICE = ("--workloads", "fib,queue/*")
# fib: default, A/A, another queue, another deque, both; three cases: two queues, A/A (the peer was not chosen).
CELLS = 5 + 3 * 3


class Interrupted(WithBuild):
    def start(self, *arguments, until, number):
        """Starts a comparison and sends it a signal once a line of its progress has been seen."""
        command = self.command("compare.py", *arguments, "--out", self.out)
        with subprocess.Popen(command, env=self.environment(FAKE_SLOW_S="0.03"), stderr=subprocess.PIPE,
                              text=True) as running:
            seen = ""
            for line in running.stderr:
                seen += line
                if until in line:
                    break
            running.send_signal(number)
            seen += running.stderr.read()
            code = running.wait(TIMEOUT_S)
        self.assertIn(until, seen)
        self.assertNotIn("Traceback", seen)
        return code, seen

    def partial(self):
        found, = self.out.iterdir()
        self.assertTrue(found.name.endswith(".partial"), found)
        return found

    def resume(self, *arguments):
        return self.run_program("compare.py", "--resume", *arguments, "--out", self.out)

    def short_run(self, number=signal.SIGKILL, until="block 1"):
        """A run that has been ended within a block."""
        self.start(*self.short(blocks=3)[:-2], *CHOICE, until=until, number=number)
        return self.partial()

    def assert_whole(self, blocks=3):
        """Each cell exactly once in each block, the pilot among them, and the resumption recorded."""
        made = bundles.load(self.bundle())
        cells = Counter((s["block"], s["workload"], s["arm"]) for s in made.samples)
        self.assertEqual(set(cells.values()), {1})
        self.assertEqual(Counter(block for block, _, _ in cells), {block: CELLS for block in range(blocks + 1)})
        self.assertEqual(made.plan["blocks"], blocks)
        return made

    def test_killed_in_the_middle_of_a_block(self):
        partial = self.short_run()
        before = (partial / "samples.jsonl").read_bytes()
        self.assertGreater(before.count(b"\n"), CELLS)
        self.assertTrue((partial / "plan.json").is_file())
        done = self.resume()
        self.assertEqual(done.returncode, 0, done.stderr)
        made = self.assert_whole()
        # Nothing that was measured is lost, or measured again.
        self.assertTrue((made.path / "samples.jsonl").read_bytes().startswith(before))
        self.assertEqual(made.plan["resumed"], 1)
        self.assertFalse((made.path / "run.json").exists())

    def test_killed_in_the_pilot_twice(self):
        self.short_run(until="block 0")
        self.assertEqual(self.start("--resume", until="block 1", number=signal.SIGKILL)[0], -signal.SIGKILL)
        self.assertEqual(self.resume().returncode, 0)
        self.assertEqual(self.assert_whole().plan["resumed"], 2)

    def test_a_line_that_was_half_written_is_dropped_with_a_notice(self):
        partial = self.short_run()
        whole = (partial / "samples.jsonl").read_bytes()
        (partial / "samples.jsonl").write_bytes(whole + whole.splitlines()[0][:100])
        done = self.resume()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("dropped 100 bytes", done.stderr)
        self.assert_whole()

    def test_signals_that_can_be_caught_leave_the_same(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number):
                code, seen = self.start(*self.short(blocks=50)[:-2], *CHOICE, until="block 0", number=number)
                self.assertEqual(code, 130, seen)
                self.assertIn("which is not a bundle; './stealyard compare --resume", seen)
                with self.assertRaisesRegex(Refusal, "interrupted"):
                    bundles.load(self.partial())
                for path in self.partial().iterdir():
                    path.unlink()
                self.partial().rmdir()

    def test_other_options_are_refused(self):
        self.short_run()
        self.assert_refused(self.resume("--blocks", 5), "--blocks 3 then, 5 now")
        self.assert_refused(self.resume("--queues", "gq_ring"), "--queues None then, gq_ring now")

    def test_what_else_differs_is_refused(self):
        partial = self.short_run()
        state = json.loads((partial / "run.json").read_text())
        for key, value, words in (("commit", "0" * 40, "commit: 0000"), ("dirty", None, "dirty: None then"),
                                  ("machine", {**state["machine"], "kernel": "2.4"}, "machine's kernel: 2.4 then"),
                                  ("programs", {**state["programs"], "micro": "other"}, "build: micro")):
            (partial / "run.json").write_text(json.dumps({**state, key: value}))
            self.assert_refused(self.resume(partial), "cannot be continued", words)
        (partial / "run.json").write_text(json.dumps({**state, "schema": 1}))
        self.assert_refused(self.resume(partial), "older")

    def test_a_build_that_has_changed_is_refused(self):
        self.short_run()
        with open(self.build / "bench" / "workload", "a", encoding="utf-8") as file:
            file.write("# another build\n")
        self.assert_refused(self.resume(), "build: workload")

    def test_nothing_to_resume_and_too_much(self):
        self.assert_refused(self.resume(), "no interrupted run")
        self.assert_refused(self.resume(self.out / "nothing.partial"), "no such directory")
        for name in ("a", "b"):
            bundles.Writer.create(self.out, name, {"options": {}}).file.close()
        self.assert_refused(self.resume(), "several interrupted runs", "a.partial")

    def test_a_run_that_is_still_going_is_left_alone(self):
        writer = bundles.Writer.create(self.out, "a", {})
        with self.assertRaisesRegex(Refusal, "another comparison is writing it"):
            bundles.Writer.resume(writer.path, print)
        writer.file.close()

    def test_full_goes_on_by_itself(self):
        arguments = ("--full", "--blocks", 1, "--budget-ms", 20, "--peers", "none", "--no-exact", *CHOICE)
        self.start(*arguments, until="block 1", number=signal.SIGKILL)
        left = self.partial()
        # Another --full has other options: it begins anew and leaves this one alone.
        done = self.run_program("compare.py", *arguments, "--seed", 7, "--out", self.out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(left.exists())
        self.assertIn("is of another run: option --seed", done.stderr)
        done = self.run_program("compare.py", *arguments, "--out", self.out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(left.exists())
        made = [bundles.load(path) for path in sorted(self.out.iterdir())]
        self.assertEqual(sorted((one.plan["resumed"], one.plan["design"]) for one in made), [(0, "full"), (1, "full")])


if __name__ == "__main__":
    unittest.main()
