#!/usr/bin/python3
"""report A B on bundles of known truth: what changed, whether two runs agree, and which bundles are refused."""
import contextlib
import copy
import io
import json
import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np

import report
import stats
import synthetic
import versus
from common import Refusal
from page import Page
from summary import summarise

TRIALS = 1000


def make(name, seed, machine=None, **options):
    found = synthetic.make(seed=seed, **options)
    found.name, found.summary = name, summarise(found.plan, found.samples)
    found.machine.update(machine or {})
    return found


def text_of(old, new):
    return "\n".join(versus.describe(old, new, versus.compare(old, new)))


class Changes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.old = make("old", 1)
        cls.new = make("new", 2, {"commit": "fedcba9876543210"}, factors={"gq_ring+dq_chase_lev+rx_epoll": 1.3})

    def test_a_planted_change_is_found_and_nothing_else(self):
        lines = versus.compare(self.old, self.new)
        worse = [line for line in lines if line.get("verdict") == stats.WORSE]
        self.assertEqual({line["arm"] for line in worse}, {"gq_ring+dq_chase_lev+rx_epoll"})
        self.assertEqual(len(worse), 7)
        for line in worse:
            self.assertAlmostEqual(line["ratio"], 1.3, delta=0.05)
        self.assertIn("0 became better, 7 worse", text_of(self.old, self.new))
        self.assertNotIn("Agreement", text_of(self.old, self.new))

    def test_the_reference_is_a_common_peer_before_the_default(self):
        references = {line["workload"]: line["reference"] for line in versus.compare(self.old, self.new)}
        self.assertEqual((references["fib"], references["deque/owner/depth:64"]), ("tokio", "dq_chase_lev"))

    def test_on_two_machines_only_ratios_are_shown(self):
        other = copy.deepcopy(self.new)
        for sample in other.samples:
            sample["value_ns"] *= 3  # thrice as slow a machine, nothing else
        other.machine["cpu"] = "Slow 1"
        self.assertIn("7 worse", text_of(self.old, other))
        self.assertIn("The machines differ", text_of(self.old, other))
        render = report.environment().get_template("versus.html.j2").render
        self.assertNotIn("Absolute", render(**versus.context(self.old, other)))
        same = render(**versus.context(self.old, self.new))
        self.assertIn("Absolute", same)
        found = Page(same)
        self.assertEqual((found.bad, found.open), ([], []))

    def test_bundles_that_share_nothing_are_refused(self):
        other = copy.deepcopy(self.new)
        for workload in other.plan["workloads"]:
            workload["name"] += "_other"
        with self.assertRaisesRegex(Refusal, "share no workload and arm"):
            versus.context(self.old, other)


class Agreement(unittest.TestCase):
    def test_two_runs_of_the_same_commit_agree(self):
        found = text_of(make("a", 3), make("b", 4))
        self.assertIn("Agreement of two runs of the same commit", found)
        self.assertIn("The runs agree.", found)

    def test_a_run_that_differs_is_noticed(self):
        found = text_of(make("a", 3), make("b", 4, factors={"gq_ring+dq_chase_lev+rx_epoll": 1.1}))
        self.assertRegex(found, r"The runs DISAGREE: .*gq_ring\+dq_chase_lev\+rx_epoll in ")

    def test_the_stated_rate_is_the_true_one(self):
        rng = np.random.default_rng(31)
        for sigmas in ((0.03, 0.03), (0.01, 0.06)):
            seen, promised = 0, []
            for trial in range(TRIALS):
                first, second = (stats.ratio_of_logs(rng.normal(0, sigma, 9), trial, 199) for sigma in sigmas)
                pair = [(one.low, one.high) for one in (first, second)]
                seen += stats.exclude_each_other(*pair)
                promised.append(stats.chance_of_excluding(*pair, 9, 9))
            rate = sum(promised) / TRIALS
            with self.subTest(sigmas=sigmas):
                self.assertLess(rate, 0.05)
                self.assertLessEqual(seen / TRIALS, rate + 3 * (rate / TRIALS) ** 0.5)

    def test_most_by_chance_is_a_quantile(self):
        cases = ([], [0.01], [0.5], [0.05] * 20, [0.005] * 1000)
        self.assertEqual([stats.most_by_chance(chances) for chances in cases], [0, 0, 1, 3, 9])


class Refused(unittest.TestCase):
    """Through the program's main: one line that says why, and no file written."""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.good = synthetic.write(make("good", 1, blocks=5), cls.directory.name)

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def setUp(self):
        self.path = Path(self.directory.name) / "spoilt"
        shutil.copytree(self.good, self.path)
        self.addCleanup(shutil.rmtree, self.path)

    def refused(self, *words):
        for arguments in ([self.path], [self.good, self.path], [self.path, self.good]):
            with self.assertRaises(Refusal) as caught, contextlib.redirect_stdout(io.StringIO()):
                report.main([*map(str, arguments), "--open", "no"])
            for word in words:
                self.assertIn(word, str(caught.exception))
        self.assertEqual([*self.path.glob("*.html"), *self.good.glob("*.html")], [])

    def edit(self, name, change):
        content = json.loads((self.path / name).read_text())
        change(content)
        (self.path / name).write_text(json.dumps(content))

    def test_truncated(self):
        samples = self.path / "samples.jsonl"
        samples.write_bytes(samples.read_bytes()[:-100])
        self.refused("samples.jsonl", "truncated")

    def test_lines_missing(self):
        samples = self.path / "samples.jsonl"
        samples.write_text("".join(samples.read_text().splitlines(keepends=True)[:-1]))
        self.refused("samples.jsonl", "truncated")

    def test_changed(self):
        samples = self.path / "samples.jsonl"
        samples.write_text(samples.read_text().replace('"block":1', '"block":2', 1))
        self.refused("changed since the summary was made")

    def test_corrupt(self):
        (self.path / "plan.json").write_text("{")
        self.refused("plan.json", "corrupt")

    def test_older(self):
        self.edit("plan.json", lambda content: content.update(schema=1))
        self.refused("schema 1", "measure again")

    def test_newer(self):
        self.edit("plan.json", lambda content: content.update(schema=99))
        self.refused("schema 99", "newer")

    def test_foreign(self):
        self.edit("machine.json", lambda content: content.update(format="criterion"))
        self.refused("machine.json", "not ours")

    def test_does_not_fit_the_schema(self):
        self.edit("summary.json", lambda content: content["transfer"].pop("queue"))
        self.refused("summary.json", "schema", "queue")

    def test_missing_part(self):
        (self.path / "machine.json").unlink()
        self.refused("machine.json is missing")


if __name__ == "__main__":
    unittest.main()
