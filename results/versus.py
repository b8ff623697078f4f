"""Two bundles side by side: how each arm's ratio to a common reference has changed, and whether two runs agree.

Absolute times of two runs, let alone of two machines, are not comparable: what both bundles measured against the same
reference is. Where a workload has no common reference there is no verdict.
"""
import numpy as np

import charts
import plots
import stats
import view
from common import Refusal
from summary import as_numbers, by_cell, counted, pairs

CHART_ROWS = 40
SAME_MACHINE = ("cpu", "cores", "architecture")


def references_of(bundle):
    """{workload: arms that it can be related to}, peers first, the workload's default last."""
    peers = [arm["id"] for arm in bundle.plan["arms"] if arm["kind"] == "peer"]
    return {workload["name"]: [arm for arm in [*peers, workload["default"]] if arm in workload["arms"]]
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


def agreement(old, new):
    """How many of the ratios that both runs give an interval for exclude each other, and how many do by chance."""
    known = {(c["workload"], c["arm"], c["reference"]): c for c in old.summary["comparisons"] if c["interval"]}
    both = [(known[key], c) for c in new.summary["comparisons"]
            if (key := (c["workload"], c["arm"], c["reference"])) in known and c["interval"] and c["role"] == "default"]
    chances = [stats.chance_of_excluding(a["interval"], b["interval"], a["n"], b["n"]) for a, b in both]
    apart = [b for a, b in both if stats.exclude_each_other(a["interval"], b["interval"])]
    return {"pairs": len(both), "apart": apart, "expected": sum(chances), "likely": stats.most_by_chance(chances)}


def agreement_sentence(found):
    count = len(found["apart"])
    rate = found["expected"] / found["pairs"]
    text = (f"Agreement of two runs of the same commit: of {view.plural(found['pairs'], 'ratio')} to the default"
            f" {count} {'has' if count == 1 else 'have'} intervals that exclude each other; by chance alone (a rate of"
            f" {rate:.2%}) it would be {found['expected']:.1f}, and in 95 of 100 cases no more than {found['likely']}.")
    if count <= found["likely"]:
        return f"{text} The runs agree."
    names = view.listed(f"{c['arm']} in {c['workload']}" for c in found["apart"])
    return f"{text} The runs DISAGREE: {names}."


def same_machine(old, new):
    return all(old.machine[key] == new.machine[key] for key in SAME_MACHINE)


def changes_of_arms(kind, lines):
    """A sentence for each arm that became better, or worse: where, and by how much at most."""
    by_arm = {}
    for line in lines:
        by_arm.setdefault((line["arm"], line["reference"]), []).append(line)
    for (arm, reference), found in by_arm.items():
        most = max(found, key=lambda line: abs(np.log(line["ratio"])))
        names = view.listed(line["workload"] for line in found)
        where = f" in {most['workload']}, where it is most," if len(found) > 1 else ""
        yield (f"{kind.capitalize()}: {arm} in {names};{where} {view.faster_text(most['ratio'])} relative to"
               f" {reference}.")


def describe(old, new, lines):
    related = [line for line in lines if line["estimate"]]
    counts = {kind: [line for line in related if line["verdict"] == kind]
              for kind in (stats.BETTER, stats.WORSE, stats.EQUIVALENT, stats.UNDECIDED)}
    text = [f"{new.name} against {old.name}: of {view.plural(len(related), 'ratio')} to a common reference"
            f" {len(counts['better'])} became better, {len(counts['worse'])} worse, {len(counts['equivalent'])} stayed"
            f" equivalent within 3 %, {len(counts['undecided'])} are undecided."]
    if old.machine["commit"] and old.machine["commit"] == new.machine["commit"] and same_machine(old, new):
        found = agreement(old, new)
        text += [agreement_sentence(found)] if found["pairs"] else []
    for kind in (stats.WORSE, stats.BETTER):
        text += changes_of_arms(kind, counts[kind])
    if not same_machine(old, new):
        text.append("The machines differ: only ratios within each are compared, absolute times are not shown.")
    if old.plan["workers"] != new.plan["workers"]:
        text.append(f"The workers differ: {old.plan['workers']} and {new.plan['workers']}.")
    return text


def chart_of(related):
    """The largest changes, a row each."""
    shown = sorted(related, key=lambda line: -abs(np.log(line["ratio"])))[:CHART_ROWS]
    shown.sort(key=lambda line: line["ratio"])
    rows = [(f"{line['workload']}, {line['arm']}", [("change", line)]) for line in shown]
    return plots.forest("Change of the ratios", shown, rows, {"change": (charts.BLUE, "o", "change")},
                        "ratio now / ratio before   (left of 1: faster)")


def context(old, new):
    lines = compare(old, new)
    if not lines:
        raise Refusal(f"{old.name} and {new.name} share no workload and arm: nothing to compare")
    related = [line for line in lines if line["estimate"]]
    return {"old": old, "new": new, "lines": lines, "chart": chart_of(related) if related else None,
            "rows_shown": min(len(related), CHART_ROWS), "same_machine": same_machine(old, new),
            "sentences": describe(old, new, lines),
            "machines": list(zip(view.machine_lines(old.machine), view.machine_lines(new.machine)))}
