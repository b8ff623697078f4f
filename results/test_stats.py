#!/usr/bin/python3
"""Statistics against synthetic data whose truth is known: coverage, type-I error, Holm, equivalence, verdicts.

Seeds are fixed, so a run is repeatable; the bounds are those of the promise (5 %), widened by three standard errors of
the simulation, so a change of the generator does not break them by luck either.
"""
import math
import unittest

import numpy as np

import stats

TRIALS = 400
RESAMPLES = 999
BOUND = 0.05 + 3 * math.sqrt(0.05 * 0.95 / TRIALS)


def noise(kind, rng, n):
    """Log-ratios around 0 as a noisy machine gives them."""
    if kind == "normal":
        return rng.normal(0, 0.05, n)
    if kind == "heavy tails":
        return 0.05 * rng.standard_t(3, n)
    spikes = (rng.random(n) < 0.1) * rng.choice([-1, 1], n) * rng.exponential(0.5, n)
    return rng.normal(0, 0.03, n) + spikes


def miss_rate(kind, n, truth):
    """How often the interval of the ratio does not hold the true ratio."""
    rng = np.random.default_rng(7)
    missed = 0
    for trial in range(TRIALS):
        found = stats.ratio_of_logs(math.log(truth) + noise(kind, rng, n), trial, RESAMPLES)
        missed += found.decided and not found.low <= truth <= found.high
    return missed / TRIALS


class Coverage(unittest.TestCase):
    def test_interval_covers_as_promised(self):
        for kind in ("normal", "heavy tails", "spikes"):
            for n in (5, 9, 12, 30):
                with self.subTest(kind=kind, n=n):
                    self.assertLessEqual(miss_rate(kind, n, 1.4), BOUND)

    def test_interval_is_not_needlessly_wide(self):
        # Student's t is exact for normal noise: the bootstrap may be wider, but not by half.
        rng = np.random.default_rng(3)
        ours, exact = [], []
        for trial in range(100):
            logs = rng.normal(0, 0.05, 12)
            found = stats.ratio_of_logs(logs, trial, RESAMPLES)
            ours.append(math.log(found.high / found.low))
            exact.append(2 * 2.201 * logs.std(ddof=1) / math.sqrt(12))
        self.assertLess(np.median(ours), 1.5 * np.median(exact))

    def test_percentile_bootstrap_would_not_do(self):
        """The reason for the bootstrap-t: with nine blocks the plain percentile interval misses too often."""
        rng = np.random.default_rng(11)
        missed = 0
        for _ in range(TRIALS):
            logs = noise("heavy tails", rng, 9)
            low, high = np.quantile(stats.resample(logs, rng, RESAMPLES).mean(axis=-1), [0.025, 0.975])
            missed += not low <= 0 <= high
        self.assertGreater(missed / TRIALS, BOUND)

    def test_unpaired_interval_covers(self):
        rng = np.random.default_rng(5)
        missed = 0
        for trial in range(TRIALS):
            first, second = noise("heavy tails", rng, 9) + math.log(0.7), noise("heavy tails", rng, 12)
            found = stats.unpaired_ratio(first, second, trial, RESAMPLES)
            missed += found.decided and not found.low <= 0.7 <= found.high
        self.assertLessEqual(missed / TRIALS, BOUND)

    def test_median_interval_holds_the_median(self):
        rng = np.random.default_rng(2)
        middle, low, high = stats.median_interval(rng.normal(100, 5, 15), 1, RESAMPLES)
        self.assertTrue(low <= middle <= high)
        self.assertTrue(low < 100 < high)


class TypeOne(unittest.TestCase):
    def test_equal_arms_are_rarely_called_different(self):
        for kind in ("normal", "heavy tails", "spikes"):
            rng = np.random.default_rng(13)
            false = 0
            for trial in range(TRIALS):
                found = stats.ratio_of_logs(noise(kind, rng, 9), trial, RESAMPLES)
                false += found.p < 0.05
            with self.subTest(kind=kind):
                self.assertLessEqual(false / TRIALS, BOUND)

    def test_whole_family_stays_below_five_percent(self):
        """Holm: in a bundle of 20 equal comparisons hardly ever is even one called better or worse."""
        rng = np.random.default_rng(17)
        families, bundles = 0, 60
        for bundle in range(bundles):
            found = [stats.ratio_of_logs(noise("normal", rng, 9), 100 * bundle + k, 1999) for k in range(20)]
            adjusted = stats.holm([estimate.p for estimate in found])
            verdicts = {stats.verdict(*pair) for pair in zip(found, adjusted)}
            families += bool(verdicts & {stats.BETTER, stats.WORSE})
        self.assertLessEqual(families / bundles, 0.05 + 3 * math.sqrt(0.05 * 0.95 / bundles))

    def test_p_of_two_independent_sets_keeps_its_level(self):
        rng = np.random.default_rng(29)
        false = 0
        for trial in range(TRIALS):
            false += stats.unpaired_ratio(noise("spikes", rng, 9), noise("normal", rng, 12), trial, RESAMPLES).p < 0.05
        self.assertLessEqual(false / TRIALS, BOUND)


class Power(unittest.TestCase):
    def decide(self, truth, sigma, n=9):
        rng = np.random.default_rng(23)
        verdicts = []
        for trial in range(50):
            found = stats.ratio_of_logs(math.log(truth) + rng.normal(0, sigma, n), trial)
            verdicts.append(stats.verdict(found, stats.holm([found.p] + [0.5] * 19)[0]))
        return verdicts

    def test_a_clear_difference_is_found(self):
        self.assertGreaterEqual(self.decide(0.7, 0.05).count(stats.BETTER), 48)
        self.assertGreaterEqual(self.decide(1.4, 0.05).count(stats.WORSE), 48)

    def test_equality_is_found(self):
        self.assertGreaterEqual(self.decide(1.0, 0.01).count(stats.EQUIVALENT), 48)
        self.assertNotIn(stats.EQUIVALENT, self.decide(1.1, 0.01))

    def test_at_the_edge_of_the_zone_equivalence_is_rare(self):
        self.assertLessEqual(self.decide(1.03, 0.01).count(stats.EQUIVALENT), 5)

    def test_noise_leaves_it_undecided(self):
        self.assertGreaterEqual(self.decide(1.0, 0.2).count(stats.UNDECIDED), 48)


class Pieces(unittest.TestCase):
    def test_holm_by_hand(self):
        for found, expected in zip(stats.holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02]):
            self.assertAlmostEqual(found, expected)
        self.assertEqual(stats.holm([0.9, 0.8]), [1.0, 1.0])
        self.assertEqual(stats.holm([]), [])

    def test_one_spike_does_not_move_the_estimate(self):
        calm = np.linspace(-0.01, 0.01, 11)
        spiked = np.append(calm[:-1], 3.0)
        self.assertLess(abs(math.log(stats.ratio_of_logs(spiked, 1).ratio)), 0.01)

    def test_too_few_blocks_decide_nothing(self):
        found = stats.ratio_of_logs([0.5, 0.51, 0.49], 1)
        self.assertFalse(found.decided)
        self.assertEqual(stats.verdict(found, found.p), stats.UNDECIDED)
        self.assertAlmostEqual(found.ratio, math.exp(0.5))

    def test_values_without_spread_decide_nothing(self):
        self.assertFalse(stats.ratio_of_logs([0.5] * 9, 1).decided)

    def test_a_verdict_needs_the_interval_too(self):
        estimate = stats.Estimate(9, 0.8, low=0.6, high=1.1, p=0.001)
        self.assertEqual(stats.verdict(estimate, 0.001), stats.UNDECIDED)
        estimate.high = 0.95
        self.assertEqual(stats.verdict(estimate, 0.001), stats.BETTER)
        self.assertEqual(stats.verdict(estimate, 0.2), stats.UNDECIDED)

    def test_seed_repeats(self):
        logs = np.random.default_rng(1).normal(0, 1, 9)
        self.assertEqual(stats.ratio_of_logs(logs, 5), stats.ratio_of_logs(logs, 5))

    def test_paired_ratio_points_the_right_way(self):
        self.assertLess(stats.paired_ratio([1.0, 1.1, 0.9], [2.0, 2.1, 1.9], 1).ratio, 1)


if __name__ == "__main__":
    unittest.main()
