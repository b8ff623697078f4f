"""From raw samples to summary.json: a cell per workload and arm, comparisons, the A/A control, failures."""
from dataclasses import asdict

import numpy as np

import stats
from plan import CONTROL


def counted(samples):
    """Samples that enter statistics: not of the pilot, and not failed. Disturbed ones are marked, never dropped."""
    return [s for s in samples if s["block"] > 0 and s["value_ns"] is not None]


def by_cell(samples):
    cells = {}
    for sample in samples:
        cells.setdefault((sample["workload"], sample["arm"]), []).append(sample)
    return cells


def median_of(values):
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def counters_per_iteration(samples):
    names = {name for s in samples for name, value in s["counters"].items() if isinstance(value, (int, float))}
    return {name: median_of(s["counters"].get(name, 0) / s["iterations"] for s in samples if s["iterations"])
            for name in sorted(names)}


def latencies(samples):
    names = {name for s in samples if s["http"] for name in s["http"]["latency_ms"]}
    return {name: median_of(s["http"]["latency_ms"].get(name) for s in samples) for name in sorted(names)}


def describe_cell(workload, arm, samples, seed):
    """One line of the table; samples are all of this workload and arm, failed ones and the pilot included."""
    good = counted(samples)
    cell = {"workload": workload, "arm": arm, "n": len(good),
            "failed": sum(s["value_ns"] is None for s in samples),
            "disturbed": sum(s["disturbed"] is not None for s in good),
            "ops": median_of(s["ops_per_iteration"] for s in good),
            "median_ns": None, "interval": None, "op_ns": None,
            "peak_rss_kib": median_of(s["peak_rss_kib"] for s in good),
            "cpu_share": median_of(s["cpu_ns"] / 1e9 / s["elapsed_s"] for s in good
                                   if s["cpu_ns"] is not None and s["elapsed_s"]),
            "counters": counters_per_iteration(good), "latency_ms": latencies(good)}
    if good:
        middle, low, high = stats.median_interval([s["value_ns"] for s in good], seed)
        cell.update(median_ns=middle, interval=None if low is None else [low, high],
                    op_ns=middle / cell["ops"] if cell["ops"] else None)
    return cell


def pairs(first, second):
    """The times of two arms of a workload in the blocks where both have one."""
    other = {s["block"]: s["value_ns"] for s in second}
    both = [(s["value_ns"], other[s["block"]]) for s in first if s["block"] in other]
    return np.array(both, dtype=float).reshape(-1, 2)


def as_numbers(estimate):
    found = asdict(estimate)
    low, high = found.pop("low"), found.pop("high")
    return {**found, "interval": None if low is None else [low, high]}


def compare(cells, workloads, arms, reference, seed):
    """Comparisons of arms with a reference over the workloads that both ran: one family for Holm's correction."""
    found = []
    for workload in workloads:
        for arm in arms:
            if arm == reference:
                continue
            times = pairs(cells.get((workload, arm), []), cells.get((workload, reference), []))
            if len(times):
                found.append((workload, arm, stats.paired_ratio(times[:, 0], times[:, 1], seed + len(found))))
    adjusted = stats.holm([estimate.p for _, _, estimate in found])
    comparisons = []
    for (workload, arm, estimate), p_holm in zip(found, adjusted):
        numbers = as_numbers(estimate)
        p = numbers.pop("p")
        comparisons.append({"workload": workload, "arm": arm, "reference": reference, **numbers, "p": p,
                            "p_holm": p_holm, "verdict": stats.verdict(estimate, p_holm)})
    return comparisons


def overall(cells, workloads, arms, reference, seed):
    """Geometric mean over the workloads that an arm shares with the reference; its interval from whole blocks."""
    found = []
    for arm in arms:
        shared = [w for w in workloads if (w, arm) in cells and (w, reference) in cells]
        if arm == reference or not shared:
            continue
        per_block = {}
        for workload in shared:
            other = {s["block"]: s["value_ns"] for s in cells[workload, reference]}
            for s in cells[workload, arm]:
                if s["block"] in other:
                    per_block.setdefault(s["block"], []).append(np.log(s["value_ns"] / other[s["block"]]))
        logs = [np.mean(block) for block in per_block.values() if len(block) == len(shared)]
        if logs:
            numbers = as_numbers(stats.ratio_of_logs(logs, seed))
            del numbers["p"]
            found.append({"arm": arm, "reference": reference, "workloads": len(shared), **numbers})
    return found


def describe_control(cells, workloads, default, seed):
    comparisons = compare(cells, workloads, [CONTROL], default, seed)
    off = sum(c["interval"] is not None and not c["interval"][0] <= 1 <= c["interval"][1] for c in comparisons)
    false = sum(c["verdict"] in (stats.BETTER, stats.WORSE) for c in comparisons)
    return {"arm": CONTROL, "reference": default, "comparisons": comparisons, "intervals_off": off,
            "false_verdicts": false, "n": len(comparisons)}


def mismatches(cells):
    """Arms of one workload that do not do the same number of operations cannot be compared."""
    ops = {}
    for (workload, arm), samples in cells.items():
        for sample in samples:
            ops.setdefault(workload, {}).setdefault(sample["ops_per_iteration"], set()).add(arm)
    return [f"{workload}: operations per iteration differ: "
            + "; ".join(f"{count:g} in {', '.join(sorted(arms))}" for count, arms in counts.items())
            for workload, counts in ops.items() if len(counts) > 1]


def summarise(plan, samples):
    """The content of summary.json."""
    cells = by_cell(counted(samples))
    workloads = [workload["name"] for workload in plan["workloads"]]
    runtimes = [arm["id"] for arm in plan["arms"] if arm["kind"] != "control"]
    ours = [arm["id"] for arm in plan["arms"] if arm["kind"] == "combination"]
    peers = [arm["id"] for arm in plan["arms"] if arm["kind"] == "peer"]
    default, seed = plan["default"], plan["seed"]
    reference = peers[0] if peers else default
    comparisons = compare(cells, workloads, runtimes, reference, seed)
    overalls = overall(cells, workloads, runtimes, reference, seed)
    if reference != default:
        comparisons += compare(cells, workloads, ours, default, seed)
        overalls += overall(cells, workloads, ours, default, seed)
    return {
        "samples": len(samples),
        "reference": reference,
        "failed": [s["id"] for s in samples if s["value_ns"] is None],
        "mismatches": mismatches(cells),
        "disturbed": sum(s["disturbed"] is not None for s in counted(samples)),
        "cells": [describe_cell(*cell, group, seed) for cell, group in sorted(by_cell(samples).items())],
        "comparisons": comparisons,
        "control": describe_control(cells, workloads, default, seed),
        "overall": overalls,
    }
