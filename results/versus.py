"""Two bundles side by side: how each arm's ratio to the reference has changed.

Absolute times of two runs, let alone of two machines, are not comparable: what both bundles measured against the same
reference is. Where a workload has no common reference, the absolute ratio is shown and no verdict is given.
"""
import numpy as np

import charts
import stats
import view
from common import Refusal
from summary import as_numbers, by_cell, counted, pairs


def references_of(bundle):
    """{workload: arms that it can be related to}, peers first, the default combination last."""
    peers = [arm["id"] for arm in bundle.plan["arms"] if arm["kind"] == "peer"]
    return {workload["name"]: [arm for arm in [*peers, bundle.plan["default"]] if arm in workload["arms"]]
            for workload in bundle.plan["workloads"]}


def common_cells(old, new):
    """(workload, arm, common reference or None) of what both bundles measured, in the second one's order."""
    old_references, new_references = references_of(old), references_of(new)
    in_old = {workload["name"]: workload["arms"] for workload in old.plan["workloads"]}
    for workload in new.plan["workloads"]:
        name = workload["name"]
        shared = [r for r in new_references[name] if r in old_references.get(name, [])]
        reference = shared[0] if shared else None
        for arm in workload["arms"]:
            if arm in in_old.get(name, []) and arm != reference:
                yield name, arm, reference


def log_ratios(cells, workload, arm, reference):
    return np.log(pairs(cells.get((workload, arm), []), cells.get((workload, reference), []))) @ [1, -1]


def compare(old, new):
    """Change of each arm's ratio to the reference, and the change of its absolute time."""
    old_cells, new_cells = by_cell(counted(old.samples)), by_cell(counted(new.samples))
    found = []
    for workload, arm, reference in common_cells(old, new):
        before, after = (np.log([s["value_ns"] for s in cells.get((workload, arm), [])])
                         for cells in (old_cells, new_cells))
        if not len(before) or not len(after):
            continue
        line = {"workload": workload, "arm": arm, "reference": reference,
                "absolute": float(np.exp(np.median(after) - np.median(before))), "estimate": None}
        if reference:
            old_logs, new_logs = (log_ratios(cells, workload, arm, reference) for cells in (old_cells, new_cells))
            if len(old_logs) and len(new_logs):
                line["estimate"] = stats.unpaired_ratio(new_logs, old_logs, new.plan["seed"] + len(found))
        found.append(line)
    add_verdicts(found)
    return found


def add_verdicts(lines):
    related = [line for line in lines if line["estimate"]]
    for line, p_holm in zip(related, stats.holm([line["estimate"].p for line in related])):
        line.update(as_numbers(line["estimate"]), p_holm=p_holm, verdict=stats.verdict(line["estimate"], p_holm))


def describe(old, new, lines):
    related = [line for line in lines if line["estimate"]]
    counts = {kind: [line for line in related if line["verdict"] == kind]
              for kind in (stats.BETTER, stats.WORSE, stats.EQUIVALENT, stats.UNDECIDED)}
    text = [f"{new.name} against {old.name}: of {view.plural(len(related), 'ratio')} to a common reference"
            f" {len(counts['better'])} became better, {len(counts['worse'])} worse, {len(counts['equivalent'])} stayed"
            f" equivalent within 3 %, {len(counts['undecided'])} are undecided."]
    for kind in (stats.WORSE, stats.BETTER):
        text += [f"{kind.capitalize()}: {line['arm']} in {line['workload']}, {view.faster_text(line['ratio'])} relative"
                 f" to {line['reference']}." for line in counts[kind]]
    if old.machine["cpu"] != new.machine["cpu"] or old.machine["cores"] != new.machine["cores"]:
        text.append("The machines differ: compare the ratios only, never the absolute times.")
    if old.plan["workers"] != new.plan["workers"]:
        text.append(f"The workers differ: {old.plan['workers']} and {new.plan['workers']}.")
    return text


def context(old, new):
    lines = compare(old, new)
    if not lines:
        raise Refusal(f"{old.name} and {new.name} share no workload and arm: nothing to compare")
    related = [line for line in lines if line["estimate"]]
    chart = None
    if related:
        arms = list(dict.fromkeys(line["arm"] for line in related))
        labels = {arm: arm for arm in arms} | {old.name: f"the same in {old.name}"}
        chart = charts.forest(related, arms, old.name, labels, "versus", "ratio now / ratio before")
    return {"old": old, "new": new, "lines": lines, "chart": chart, "sentences": describe(old, new, lines),
            "machines": list(zip(view.machine_lines(old.machine), view.machine_lines(new.machine)))}
