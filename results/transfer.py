"""Rank transfer: does the order of the parts in isolation hold under the full runtime?

In isolation a part is measured by the micro workloads of its kind; under the runtime by the workloads that can feel its
choice, in the combinations that differ from the default in nothing else. A ranking is by the geometric mean of the
times over the workloads, from logs centred within each block and workload, so that what disturbs a block cancels.
"""
import math

import numpy as np

import stats

KINDS = ("queue", "deque", "reactor")
# With three parts or fewer even a perfect agreement is likely by luck (1 in 6 for three).
MIN_PARTS = 4
RESAMPLES = 1999


def isolated_arms(plan, workload, kind):
    """{part: arm} of a micro workload of this kind, or nothing."""
    if workload["level"] != "micro" or workload["part"] != kind:
        return {}
    return {arm[kind]: arm["id"] for arm in plan["arms"] if arm["kind"] == "part" and arm["id"] in workload["arms"]}


def star_arms(plan, workload, kind):
    """{part: arm} of the combinations that differ from the workload's default in this part only, or nothing."""
    if workload["level"] == "micro" or kind not in workload["parts"]:
        return {}
    arms = {arm["id"]: arm for arm in plan["arms"] if arm["kind"] == "combination" and not arm["dynamic"]}
    centre, others = arms.get(workload["default"]), [other for other in KINDS if other != kind]
    if centre is None:
        return {}
    return {arm[kind]: name for name, arm in arms.items()
            if name in workload["arms"] and all(arm[other] == centre[other] for other in others)}


def averaged(plan):
    """The workloads that geometric means go over: a point of a curve whose base is there too would count it twice."""
    known = {(workload["level"], workload["name"]) for workload in plan["workloads"]}
    return [one for one in plan["workloads"] if one["base"] == one["name"] or (one["level"], one["base"]) not in known]


def cells_of(plan, kind, arms_of):
    """{workload: {part: arm}} where at least two parts can be told apart."""
    found = {workload["name"]: arms_of(plan, workload, kind) for workload in averaged(plan)}
    return {name: arms for name, arms in found.items() if len(arms) > 1}


def common_parts(level, known):
    """Parts that ran in at least half of the workloads: one that seldom can must not cost the others' workloads."""
    count = {part: sum(arms[part] in known[name] for name, arms in level.items() if part in arms)
             for part in {part for arms in level.values() for part in arms}}
    return {part for part, times in count.items() if times and 2 * times >= len(level)}


def known_logs(cells):
    """{workload: {arm: {block: log of the value}}} of the counted samples."""
    found = {}
    for (workload, arm), samples in cells.items():
        found.setdefault(workload, {})[arm] = {s["block"]: math.log(s["value_ns"]) for s in samples}
    return found


def centred(level, known, parts, blocks):
    """{workload: array of part × block}: logs less the block's mean; workloads that lack a cell are left out."""
    found = {}
    for name, arms in level.items():
        values = np.array([[known.get(name, {}).get(arms.get(part), {}).get(block, math.nan) for block in blocks]
                           for part in parts])
        if not np.isnan(values).any():
            found[name] = values - values.mean(axis=0)
    return found


def scores(logs, picks):
    """{workload: resample × part}: the trimmed mean over the picked blocks, which rows of `picks` name."""
    return {name: np.stack([stats.centre_and_error(values[part][picks])[0] for part in range(len(values))], axis=-1)
            for name, values in logs.items()}


def geometric_mean(by_workload):
    return np.mean(list(by_workload.values()), axis=0)


class Ranking:
    """The parts' scores over one level's workloads: as measured, and in each resample of the blocks."""

    def __init__(self, logs, picks, blocks):
        everything = np.arange(blocks)[np.newaxis]
        self.logs = logs
        self.each = {name: found[0] for name, found in scores(logs, everything).items()}
        self.each_resampled = scores(logs, picks)
        self.score, self.resampled = geometric_mean(self.each), geometric_mean(self.each_resampled)
        self.settled = stats.settled_signs(self.resampled)

    def against(self, part, other, seed):
        """The ratio of two parts' times, over all workloads."""
        logs = np.mean([values[part] - values[other] for values in self.logs.values()], axis=0)
        return stats.ratio_of_logs(logs, seed)

    def top(self, parts):
        """The fastest part and those that are not settled to be slower."""
        best = int(np.argmin(self.score))
        signs = np.zeros((len(parts), len(parts)))
        signs[np.triu_indices(len(parts), 1)] = self.settled
        signs -= signs.T
        return [parts[part] for part in np.argsort(self.score) if signs[best, part] == 0]

    def describe(self, parts, default, seed):
        """The parts from the fastest to the slowest, each with its ratio to the default part."""
        found = []
        for rank, part in enumerate(np.argsort(self.score), 1):
            ratio = self.against(part, parts.index(default), seed) if default in parts else None
            found.append({"part": parts[part], "rank": rank, "ratio": ratio and ratio.ratio,
                          "interval": [ratio.low, ratio.high] if ratio and ratio.decided else None})
        return found


def agreement(first, second, first_resampled, second_resampled):
    """tau and its bounds; None where it is not defined."""
    tau = stats.kendall(first, second)
    if np.isnan(tau):
        return {"tau": None, "interval": None}
    low, high = stats.kendall_bounds(first_resampled, second_resampled)
    return {"tau": float(tau), "interval": [float(low), float(high)]}


def flips(parts, isolation, runtime, seed):
    """Pairs that change places: who wins in isolation, who under the runtime, and whether both are settled."""
    found = []
    pairs = list(zip(*np.triu_indices(len(parts), 1)))
    signs = zip(stats.pair_signs(isolation.score), stats.pair_signs(runtime.score))
    for number, ((i, j), (alone, together)) in enumerate(zip(pairs, signs)):
        if alone * together >= 0:
            continue
        fast, slow = (i, j) if alone < 0 else (j, i)
        ratios = [ranking.against(slow, fast, seed).ratio for ranking in (isolation, runtime)]
        found.append({"isolation": parts[fast], "runtime": parts[slow], "isolation_ratio": ratios[0],
                      "runtime_ratio": ratios[1],
                      "settled": bool(isolation.settled[number] and runtime.settled[number])})
    return sorted(found, key=lambda flip: not flip["settled"])


def of_kind(plan, known, kind, seed):
    """The transfer of one kind of part, or None where fewer than two parts were measured at both levels."""
    alone, together = cells_of(plan, kind, isolated_arms), cells_of(plan, kind, star_arms)
    present = {name: set(known.get(name, {})) for name in (*alone, *together)}
    usable = common_parts(alone, present) & common_parts(together, present)
    parts = [part for part in dict.fromkeys(arm[kind] for arm in plan["arms"]) if part in usable]
    blocks = list(range(1, plan["blocks"] + 1))
    logs = [centred(level, known, parts, blocks) for level in (alone, together)] if len(parts) > 1 else []
    if not all(logs) or not logs:
        return None
    picks = np.random.default_rng(seed).integers(0, len(blocks), size=(RESAMPLES, len(blocks)))
    isolation, runtime = (Ranking(found, picks, len(blocks)) for found in logs)
    default = next((arm[kind] for arm in plan["arms"] if arm["id"] == plan["default"]), None)
    each = [{"workload": name, **agreement(isolation.each[name], runtime.score, isolation.each_resampled[name],
                                           runtime.resampled)} for name in isolation.each]
    enough = len(parts) >= MIN_PARTS and len(blocks) >= stats.MIN_BLOCKS
    whole = agreement(isolation.score, runtime.score, isolation.resampled, runtime.resampled)
    if not enough:
        for found in (whole, *each):
            found["interval"] = None
    return {"parts": parts, "default": default, "enough": enough, "pairs": len(parts) * (len(parts) - 1) // 2,
            **whole, "each": each, "flips": flips(parts, isolation, runtime, seed),
            "isolation": isolation.describe(parts, default, seed),
            "runtime": runtime.describe(parts, default, seed),
            "isolation_top": isolation.top(parts), "runtime_top": runtime.top(parts),
            "isolation_workloads": list(logs[0]), "runtime_workloads": list(logs[1]),
            "left_out": [name for level, found in zip((alone, together), logs) for name in level if name not in found],
            "isolation_spread": float(np.exp(np.ptp(isolation.score))),
            "runtime_spread": float(np.exp(np.ptp(runtime.score)))}


def transfer(plan, cells):
    """{kind: its rank transfer or None}; cells are {(workload, arm): counted samples}."""
    known = known_logs(cells)
    return {kind: of_kind(plan, known, kind, plan["seed"]) for kind in KINDS}
