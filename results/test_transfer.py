#!/usr/bin/python3
"""Rank transfer against planted rankings: tau recovered, its interval covers, flips are named."""
import itertools
import math
import unittest

import numpy as np
import scipy.stats

import stats
import synthetic
from summary import by_cell, counted
from transfer import MIN_PARTS, star_arms, transfer

QUEUES = ("gq_mutex", "gq_a", "gq_b", "gq_c", "gq_d")
STAR = "{}+dq_chase_lev+rx_epoll"


def bundle_of(isolated, runtime, noise=0.01, queues=QUEUES, blocks=9):
    """A bundle whose queues have these ranks (0 is the fastest) in isolation and under the runtime; steps of 10 %."""
    factors = {name: 1.1 ** rank for name, rank in zip(queues, isolated)}
    factors |= {STAR.format(name): 1.1 ** rank for name, rank in zip(queues, runtime)}
    return synthetic.make(queues=queues, noise=noise, blocks=blocks, factors=factors)


def deques_of(isolated, runtime):
    """The same of deques, in their own star."""
    names = ("dq_chase_lev", "dq_a", "dq_b", "dq_c")
    factors = {name: 1.1 ** rank for name, rank in zip(names, isolated)}
    factors |= {f"gq_mutex+{name}+rx_epoll": 1.1 ** rank for name, rank in zip(names, runtime)}
    made = synthetic.make(deques=names, factors=factors)
    return transfer(made.plan, by_cell(counted(made.samples)))["deque"]


def transfer_of(*arguments, **options):
    made = bundle_of(*arguments, **options)
    return transfer(made.plan, by_cell(counted(made.samples)))["queue"]


class Planted(unittest.TestCase):
    def test_the_same_order_gives_one(self):
        found = transfer_of((0, 1, 2, 3, 4), (0, 1, 2, 3, 4))
        self.assertEqual((found["tau"], found["interval"], found["flips"]), (1.0, [1.0, 1.0], []))
        self.assertEqual([line["part"] for line in found["runtime"]], list(QUEUES))
        self.assertAlmostEqual(found["runtime_spread"], 1.1 ** 4, delta=0.03)

    def test_the_opposite_order_gives_minus_one(self):
        found = transfer_of((0, 1, 2, 3, 4), (4, 3, 2, 1, 0))
        self.assertEqual((found["tau"], found["interval"]), (-1.0, [-1.0, -1.0]))
        self.assertEqual((len(found["flips"]), all(flip["settled"] for flip in found["flips"])), (10, True))

    def test_unrelated_orders_give_zero(self):
        orders = itertools.permutations(range(5))
        zero = next(o for o in orders if scipy.stats.kendalltau(range(5), o).statistic == 0)
        found = transfer_of(range(5), zero)
        self.assertEqual((found["tau"], len(found["flips"])), (0.0, 5))

    def test_a_flip_names_who_wins_where(self):
        found = transfer_of((0, 1, 2, 3, 4), (1, 0, 2, 3, 4))
        self.assertEqual(len(found["flips"]), 1)
        flip = found["flips"][0]
        self.assertEqual((flip["isolation"], flip["runtime"], flip["settled"]), ("gq_mutex", "gq_a", True))
        self.assertGreater(flip["isolation_ratio"], 1.05)
        self.assertLess(flip["runtime_ratio"], 0.95)

    def test_noise_leaves_it_open(self):
        found = transfer_of((0,) * 5, (0,) * 5, noise=0.1)
        self.assertLess(found["interval"][0], -0.5)
        self.assertGreater(found["interval"][1], 0.5)

    def test_deques_are_ranked_likewise(self):
        found = deques_of((0, 1, 2, 3), (3, 2, 1, 0))
        self.assertEqual((found["enough"], found["tau"], found["interval"]), (True, -1.0, [-1.0, -1.0]))
        self.assertEqual(found["isolation_workloads"], list(synthetic.MICRO["deque"]))
        self.assertEqual(deques_of((0, 1, 2, 3), (0, 1, 2, 3))["tau"], 1.0)

    def test_few_parts_say_too_little(self):
        found = transfer_of((0, 1, 2), (0, 1, 2), queues=QUEUES[:MIN_PARTS - 1])
        self.assertEqual((found["enough"], found["interval"], len(found["isolation"])), (False, None, 3))
        self.assertTrue(transfer_of((0, 1, 2, 3), (0, 1, 2, 3), queues=QUEUES[:MIN_PARTS])["enough"])

    def test_few_blocks_say_too_little(self):
        self.assertFalse(transfer_of((0, 1, 2, 3, 4), (0, 1, 2, 3, 4), blocks=3)["enough"])


class Cells(unittest.TestCase):
    def test_only_the_star_and_only_where_the_part_is_felt(self):
        made = bundle_of(range(5), range(5))
        found = transfer(made.plan, by_cell(counted(made.samples)))["queue"]
        # The servers feel the reactor alone; yield_many@2 was measured with one queue.
        self.assertEqual(found["runtime_workloads"], ["yield_many", "spawn_many_local", "fib", "echo", "mixed"])
        self.assertEqual(found["isolation_workloads"], list(synthetic.MICRO["queue"]))
        made.plan["arms"].append({**made.plan["arms"][0], "id": "gq_a+dq_mutex+rx_epoll", "queue": "gq_a",
                                  "deque": "dq_mutex"})
        made.plan["workloads"][0]["arms"].append("gq_a+dq_mutex+rx_epoll")
        self.assertEqual(star_arms(made.plan, made.plan["workloads"][0], "queue")["gq_a"], STAR.format("gq_a"))

    def test_one_part_of_a_kind_has_no_transfer(self):
        made = bundle_of(range(5), range(5))
        self.assertIsNone(transfer(made.plan, by_cell(counted(made.samples)))["reactor"])

    def test_a_missing_cell_costs_its_workload_and_is_named(self):
        made = bundle_of(range(5), range(5))
        for sample in made.samples:
            if (sample["workload"], sample["arm"]) == ("fib", STAR.format("gq_a")):
                sample.update(value_ns=None, skipped="no such thing here")
        found = transfer(made.plan, by_cell(counted(made.samples)))["queue"]
        self.assertEqual(found["left_out"], ["fib"])
        self.assertNotIn("fib", found["runtime_workloads"])
        self.assertIn("gq_a", found["parts"])


class Kendall(unittest.TestCase):
    def test_as_scipy_with_and_without_ties(self):
        rng = np.random.default_rng(3)
        for levels in (3, 100):
            first, second = rng.integers(0, levels, (2, 50, 7))
            for ours, a, b in zip(stats.kendall(first, second), first, second):
                self.assertAlmostEqual(float(ours), scipy.stats.kendalltau(a, b).statistic)
        self.assertTrue(math.isnan(stats.kendall([1, 1, 1], [1, 2, 3])))

    def simulate(self, gap, sigma, parts, turned):
        """(share of trials in which our interval, and the percentile interval, hold the true tau)."""
        rng = np.random.default_rng(19)
        ours = percentile = 0
        trials, blocks = 150, 9
        for _ in range(trials):
            truth = rng.permutation(parts) * gap
            other = {1: truth, -1: -truth, 0: rng.permutation(parts) * gap}[turned]
            picks = rng.integers(0, blocks, (499, blocks))
            first, second = (true + rng.normal(0, sigma, (blocks, parts)) for true in (truth, other))
            first, second = first[picks].mean(axis=1), second[picks].mean(axis=1)
            tau = float(stats.kendall(truth, other))
            low, high = stats.kendall_bounds(first, second)
            ours += low - 1e-9 <= tau <= high + 1e-9
            low, high = np.quantile(stats.kendall(first, second), [0.025, 0.975])
            percentile += low - 1e-9 <= tau <= high + 1e-9
        return ours / trials, percentile / trials

    def test_interval_covers_as_promised(self):
        least = 0.95 - 3 * math.sqrt(0.05 * 0.95 / 150)
        for parts, sigma, turned in itertools.product((4, 8), (0.005, 0.05, 0.15), (1, 0, -1)):
            with self.subTest(parts=parts, sigma=sigma, turned=turned):
                self.assertGreaterEqual(self.simulate(0.03, sigma, parts, turned)[0], least)

    def test_percentile_interval_would_not_do(self):
        """The reason for counting settled pairs: equal rankings with near ties look unequal in every resample."""
        self.assertLess(self.simulate(0.01, 0.05, 8, 1)[1], 0.5)


if __name__ == "__main__":
    unittest.main()
