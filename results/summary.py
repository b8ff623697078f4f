"""From raw samples to summary.json: cells, comparisons, the A/A control, rank transfer, failures."""
from dataclasses import asdict

import numpy as np

import stats
from plan import CONTROL
from transfer import averaged, transfer

LATENCY_ORDER = ("p50", "p75", "p90", "p99", "p99.9", "p99.99", "max")
FAILED_KINDS = ("empty", "full", "retry")


def counted(samples):
    """Samples that enter statistics: not of the pilot, and not failed. Disturbed ones are marked, never dropped."""
    return [s for s in samples if s["block"] > 0 and s["value_ns"] is not None]


def has_failed(sample):
    """Neither a value nor a reason why this machine cannot give one."""
    return sample["value_ns"] is None and sample["skipped"] is None


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


def medians_of(samples, field, names):
    """{name: median over the samples} of what an object in each sample holds; {} where none has it."""
    found = {name: median_of((s[field] or {}).get(name) for s in samples) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def describe_cell(workload, arm, samples, seed):
    """One line of the table; samples are all of this workload and arm, failed ones and the pilot included."""
    good = counted(samples)
    cell = {"workload": workload, "arm": arm, "n": len(good),
            "failed": sum(map(has_failed, samples)),
            "skipped": next((s["skipped"] for s in samples if s["skipped"]), None),
            "disturbed": sum(s["disturbed"] is not None for s in good),
            "ops": median_of(s["ops_per_iteration"] for s in good),
            "median_ns": None, "interval": None, "op_ns": None,
            "peak_rss_kib": median_of(s["peak_rss_kib"] for s in good),
            "cpu_share": median_of(s["cpu_ns"] / 1e9 / s["elapsed_s"] for s in good
                                   if s["cpu_ns"] is not None and s["elapsed_s"]),
            "cpu_op_ns": median_of(s["cpu_ns"] / s["iterations"] / s["ops_per_iteration"] for s in good
                                   if s["cpu_ns"] and s["iterations"] and s["ops_per_iteration"]),
            "counters": counters_per_iteration(good), "latency_ns": medians_of(good, "latency_ns", LATENCY_ORDER),
            "failed_ops": medians_of(good, "failed_ops", FAILED_KINDS),
            "fairness": median_of(s["fairness"] for s in good)}
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


def group_of(workload):
    """What is averaged and corrected together: the full runtime and servers, or the micro workloads of one part."""
    return workload["part"] if workload["level"] == "micro" else "full"


def against(workloads, role):
    """(workload, its arms, the arm they are held against) for a role, "default" or "reference"."""
    for workload in workloads:
        if role == "default" or workload["reference"] != workload["default"]:
            yield workload["name"], workload["arms"], workload[role]


def compare(cells, triples, seed):
    """Comparisons of arms with one arm of their workload: one family for Holm's correction."""
    found = []
    for workload, arms, reference in triples:
        for arm in arms:
            times = pairs(cells.get((workload, arm), []), cells.get((workload, reference), []))
            if arm != reference and len(times):
                estimate = stats.paired_ratio(times[:, 0], times[:, 1], seed + len(found))
                found.append((workload, arm, reference, estimate))
    comparisons = []
    for (workload, arm, reference, estimate), p_holm in zip(found, stats.holm([line[3].p for line in found])):
        numbers = as_numbers(estimate)
        p = numbers.pop("p")
        comparisons.append({"workload": workload, "arm": arm, "reference": reference, **numbers, "p": p,
                            "p_holm": p_holm, "verdict": stats.verdict(estimate, p_holm)})
    return comparisons


def block_logs(cells, workload, arm, reference):
    """{block: log-ratio} of two arms of a workload."""
    other = {s["block"]: s["value_ns"] for s in cells.get((workload, reference), [])}
    return {s["block"]: np.log(s["value_ns"] / other[s["block"]]) for s in cells.get((workload, arm), [])
            if s["block"] in other}


def overall(cells, triples, group, seed):
    """Geometric mean over the workloads that an arm shares with a reference; its interval from whole blocks."""
    logs = {}
    for workload, arms, reference in triples:
        for arm in arms:
            found = block_logs(cells, workload, arm, reference) if arm != reference else {}
            if found:
                logs.setdefault((arm, reference), []).append(found)
    lines = []
    for (arm, reference), by_workload in logs.items():
        whole = set.intersection(*map(set, by_workload))
        means = [np.mean([found[block] for found in by_workload]) for block in sorted(whole)]
        if means:
            numbers = as_numbers(stats.ratio_of_logs(means, seed))
            del numbers["p"]
            lines.append({"group": group, "arm": arm, "reference": reference, "workloads": len(by_workload),
                          **numbers})
    return lines


def all_comparisons(plan, cells):
    """(comparisons, overall) of every group of workloads with its default arms, and with its peers."""
    comparisons, overalls, seed = [], [], plan["seed"]
    groups, once = {}, {workload["name"] for workload in averaged(plan)}
    for workload in plan["workloads"]:
        arms = [arm for arm in workload["arms"] if arm != CONTROL]
        groups.setdefault(group_of(workload), []).append({**workload, "arms": arms})
    for group, workloads in groups.items():
        for role in ("default", "reference"):
            triples = list(against(workloads, role))
            comparisons += [{**line, "group": group, "role": role} for line in compare(cells, triples, seed)]
            triples = [triple for triple in triples if triple[0] in once]
            overalls += [{**line, "role": role} for line in overall(cells, triples, group, seed)]
    return comparisons, overalls


def describe_control(plan, cells):
    triples = [(w["name"], [CONTROL], w["default"]) for w in plan["workloads"] if CONTROL in w["arms"]]
    comparisons = compare(cells, triples, plan["seed"])
    decided = [c["interval"] for c in comparisons if c["interval"]]
    expected, likely = stats.excluding_by_chance(len(decided))
    return {"arm": CONTROL, "comparisons": comparisons, "n": len(decided), "expected": expected, "likely": likely,
            "intervals_off": sum(not low <= 1 <= high for low, high in decided),
            "false_verdicts": sum(c["verdict"] in (stats.BETTER, stats.WORSE) for c in comparisons)}


def mismatches(cells):
    """Arms of one workload that do not do the same number of operations cannot be compared."""
    ops = {}
    for (workload, arm), samples in cells.items():
        for sample in samples:
            if sample["ops_per_iteration"] is None:
                continue
            ops.setdefault(workload, {}).setdefault(sample["ops_per_iteration"], set()).add(arm)
    return [f"{workload}: operations per iteration differ: "
            + "; ".join(f"{count:g} in {', '.join(sorted(arms))}" for count, arms in counts.items())
            for workload, counts in ops.items() if len(counts) > 1]


def summarise(plan, samples):
    """The content of summary.json."""
    cells = by_cell(counted(samples))
    comparisons, overalls = all_comparisons(plan, cells)
    return {
        "samples": len(samples),
        "failed": [s["id"] for s in samples if has_failed(s)],
        "mismatches": mismatches(cells),
        "disturbed": sum(s["disturbed"] is not None for s in counted(samples)),
        "cells": [describe_cell(*cell, group, plan["seed"]) for cell, group in sorted(by_cell(samples).items())],
        "comparisons": comparisons,
        "control": describe_control(plan, cells),
        "overall": overalls,
        "transfer": transfer(plan, cells),
    }
