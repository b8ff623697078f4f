"""Statistics of a comparison: paired log-ratios, bootstrap intervals, Holm's correction, verdicts.

One sample is one process. A block holds every arm of a workload once, so the natural unit is the log of the ratio of
two arms' times within one block: what disturbs a block disturbs both. Repetition at the level where the variance
arises and intervals of the ratio: Kalibera & Jones, "Rigorous benchmarking in reasonable time", ISMM 2013.

The estimate is the 20 % trimmed mean of the log-ratios and its interval the symmetric bootstrap-t (Wilcox,
"Introduction to Robust Estimation and Hypothesis Testing"). The plain percentile bootstrap covers too rarely at the
nine blocks that are usual here: test_stats.py holds the coverage of both against their promise. The p-value is that of
Student's t for trimmed means (Tukey & McLaughlin 1963; Yuen 1974 for two samples): nine values have too few distinct
resamples for a bootstrap to reach the small p-values that a correction for twenty comparisons asks for. "Better" and
"worse" need both: the corrected p-value below 5 % and an interval that excludes 1.

Two rankings of the same things are compared by Kendall's tau-b. Its interval comes from the bootstrap too, but not as
a percentile interval: noise can only lower the tau of equal rankings, so with near ties that interval misses the truth
nearly always (test_transfer.py shows it). Instead each pair whose order holds in 99 % of the resamples, in both
rankings, counts as settled, and every other pair may stand either way.
"""
import math
from dataclasses import dataclass

import numpy as np
import scipy.stats

RESAMPLES = 4999
LEVEL = 0.95
TRIM = 0.2
# Below this the bootstrap has too few distinct resamples to say anything at 95 %.
MIN_BLOCKS = 5
# From this many blocks on one value can be trimmed at either end and enough remain.
MIN_BLOCKS_TO_TRIM = 9
EQUIVALENCE = math.log(1.03)
# How many of the resamples must agree before the order of two parts counts as settled.
SETTLED = 0.99

BETTER, WORSE, EQUIVALENT, UNDECIDED = "better", "worse", "equivalent", "undecided"


@dataclass
class Estimate:
    """A ratio (not its log), its interval and the p-value of "the ratio is 1"; low and high are None if unknown."""

    n: int
    ratio: float
    low: float | None = None
    high: float | None = None
    p: float = 1.0

    @property
    def decided(self):
        return self.low is not None


def trim_count(n):
    return int(TRIM * n) if n >= MIN_BLOCKS_TO_TRIM else 0


def centre_and_error(values):
    """Trimmed means and their standard errors along the last axis (Tukey & McLaughlin 1963)."""
    n = values.shape[-1]
    cut = trim_count(n)
    ordered = np.sort(values, axis=-1)
    kept = ordered[..., cut:n - cut]
    winsorised = np.clip(ordered, kept[..., :1], kept[..., -1:])
    deviation = winsorised.std(axis=-1, ddof=1)
    return kept.mean(axis=-1), deviation / ((1 - 2 * cut / n) * math.sqrt(n))


def resample(values, rng, resamples):
    return values[rng.integers(0, len(values), size=(resamples, len(values)))]


def _interval(n, centre, error, deviations, errors, p):
    """Invert the symmetric bootstrap-t: deviations and errors are those of the resamples."""
    if error <= 0:
        # Identical values: nothing was seen to vary, so there is nothing to bootstrap.
        return Estimate(n, math.exp(centre))
    with np.errstate(divide="ignore", invalid="ignore"):
        # A resample without spread says nothing about the spread: count it as extreme, which is conservative.
        t = np.where(errors > 0, np.abs(deviations) / errors, np.inf)
    critical = np.quantile(t, LEVEL, method="higher")
    if not np.isfinite(critical):
        return Estimate(n, math.exp(centre), p=p)
    half = critical * error
    return Estimate(n, math.exp(centre), math.exp(centre - half), math.exp(centre + half), p)


def paired_ratio(times, reference_times, seed, resamples=RESAMPLES):
    """Ratio of paired times (one pair per block), below 1 where the first is faster."""
    return ratio_of_logs(np.log(times) - np.log(reference_times), seed, resamples)


def ratio_of_logs(logs, seed, resamples=RESAMPLES):
    """The same from log-ratios, one per block."""
    logs = np.asarray(logs, dtype=float)
    centre, error = centre_and_error(logs) if len(logs) > 1 else (logs.mean(), 0.0)
    if len(logs) < MIN_BLOCKS:
        return Estimate(len(logs), math.exp(centre))
    n = len(logs)
    p = 2 * scipy.stats.t.sf(abs(centre) / error, n - 2 * trim_count(n) - 1) if error > 0 else 1.0
    centres, errors = centre_and_error(resample(logs, np.random.default_rng(seed), resamples))
    return _interval(n, centre, error, centres - centre, errors, float(p))


def unpaired_ratio(logs, reference_logs, seed, resamples=RESAMPLES):
    """Ratio between two independent sets of logs, as from two bundles (Yuen's statistic, bootstrapped)."""
    first, second = np.asarray(logs, dtype=float), np.asarray(reference_logs, dtype=float)
    n = min(len(first), len(second))
    if n < MIN_BLOCKS:
        return Estimate(n, math.exp(first.mean() - second.mean()))
    p = scipy.stats.ttest_ind(first, second, equal_var=False, trim=TRIM if trim_count(n) else 0).pvalue
    rng = np.random.default_rng(seed)
    centre_a, error_a = centre_and_error(first)
    centre_b, error_b = centre_and_error(second)
    centres_a, errors_a = centre_and_error(resample(first, rng, resamples))
    centres_b, errors_b = centre_and_error(resample(second, rng, resamples))
    centre = centre_a - centre_b
    return _interval(n, centre, math.hypot(error_a, error_b), centres_a - centres_b - centre,
                     np.hypot(errors_a, errors_b), float(p))


def median_interval(values, seed, resamples=RESAMPLES):
    """(median, low, high) of one arm's values; low and high are None where there are too few or they are all equal."""
    values = np.asarray(values, dtype=float)
    if len(values) < MIN_BLOCKS or np.ptp(values) == 0:
        return float(np.median(values)), None, None
    found = scipy.stats.bootstrap((values,), np.median, n_resamples=resamples, confidence_level=LEVEL, axis=-1,
                                  method="percentile", random_state=np.random.default_rng(seed))
    return float(np.median(values)), float(found.confidence_interval.low), float(found.confidence_interval.high)


def holm(p_values):
    """Holm's step-down adjusted p-values, in the order given (Holm 1979)."""
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values)
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted.tolist()


def verdict(estimate, p_adjusted):
    """better/worse at 5 % over the whole family of comparisons; equivalent where the interval lies within ±3 %.

    A difference that is certain but lies within the zone is equivalent: too small to choose by.
    """
    if not estimate.decided:
        return UNDECIDED
    if -EQUIVALENCE <= math.log(estimate.low) and math.log(estimate.high) <= EQUIVALENCE:
        return EQUIVALENT
    if p_adjusted < 1 - LEVEL and not estimate.low <= 1 <= estimate.high:
        return BETTER if estimate.ratio < 1 else WORSE
    return UNDECIDED


def excluding_by_chance(n):
    """(expected number, most that is likely) of n intervals at 95 % that exclude the truth by chance alone."""
    return n * (1 - LEVEL), int(scipy.stats.binom.ppf(LEVEL, n, 1 - LEVEL)) if n else 0


def pair_signs(scores):
    """-1, 0 or 1 for each pair of the last axis: which of the two is lower."""
    first, second = np.triu_indices(np.shape(scores)[-1], 1)
    return np.sign(np.asarray(scores)[..., first] - np.asarray(scores)[..., second])


def kendall(first, second):
    """Kendall's tau-b of two rankings (Kendall 1945); nan where either has only ties."""
    a, b = pair_signs(first), pair_signs(second)
    with np.errstate(invalid="ignore"):
        return (a * b).sum(axis=-1) / np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))


def settled_signs(resampled):
    """The sign of each pair that SETTLED of the resamples (first axis) agree on, and 0 for the others."""
    signs = pair_signs(resampled)
    below, above = (signs < 0).mean(axis=0), (signs > 0).mean(axis=0)
    return np.where(below >= SETTLED, -1, np.where(above >= SETTLED, 1, 0))


def kendall_bounds(first_resampled, second_resampled):
    """(low, high) of tau: what the settled pairs say, with every other pair against it or for it."""
    agreement = settled_signs(first_resampled) * settled_signs(second_resampled)
    unsettled = np.count_nonzero(agreement == 0)
    return (agreement.sum() - unsettled) / len(agreement), (agreement.sum() + unsettled) / len(agreement)


def half_width(interval):
    return math.log(interval[1] / interval[0]) / 2


def degrees(n):
    return n - 2 * trim_count(n) - 1


def exclude_each_other(first, second):
    return first[1] < second[0] or second[1] < first[0]


def chance_of_excluding(first, second, n_first, n_second):
    """How likely two intervals of these widths exclude each other when both estimate the same ratio.

    Far less than 5 %: both must miss, and on opposite sides. For equal widths it is about 0.6 %, for one that is much
    narrower than the other nearly 5 %.
    """
    a, b = (half_width(interval) / scipy.stats.t.ppf(0.5 + LEVEL / 2, degrees(n))
            for interval, n in ((first, n_first), (second, n_second)))
    apart = (half_width(first) + half_width(second)) / math.hypot(a, b)
    # Satterthwaite's degrees of freedom of the difference.
    df = (a * a + b * b) ** 2 / (a ** 4 / degrees(n_first) + b ** 4 / degrees(n_second))
    return float(2 * scipy.stats.t.sf(apart, df))


def most_by_chance(chances):
    """The smallest number that the count of independent events with these chances exceeds in 5 of 100 cases at most."""
    distribution = np.array([1.0])
    for chance in chances:
        distribution = np.convolve(distribution, [1 - chance, chance])
    return int(np.searchsorted(distribution.cumsum(), LEVEL))
