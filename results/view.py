"""What a bundle says, in words and in rows ready to print: shared by the HTML report, table.md and the terminal."""
from common import slug
from plan import CONTROL
from stats import BETTER, EQUIVALENT, MIN_BLOCKS, UNDECIDED, WORSE

UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"))
UNKNOWN = "–"


def time_text(ns):
    if ns is None:
        return UNKNOWN
    for scale, unit in UNITS:
        if ns >= scale:
            return f"{ns / scale:.3g} {unit}" if ns < 1000 * scale else f"{ns / scale:.0f} {unit}"
    return f"{ns:.3g} ns"


def number_text(value):
    if value is None:
        return UNKNOWN
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def ratio_text(ratio):
    if ratio >= 100:
        return f"{ratio:.0f}"
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def interval_text(interval, text=ratio_text):
    return f"[{text(interval[0])}, {text(interval[1])}]" if interval else "[unknown]"


def faster_text(ratio):
    """A ratio of times in words."""
    if 0.995 <= ratio <= 1.005:
        return "the same time"
    return f"{ratio_text(1 / ratio)} times as fast" if ratio < 1 else f"{ratio_text(ratio)} times as long"


def plural(count, one, many=None):
    return f"{count} {one if count == 1 else many or one + 's'}"


def arm_label(arm, machine):
    version = machine["versions"].get(arm)
    return f"{version} (peer)" if version else arm


def compared(bundle, reference):
    return [c for c in bundle.summary["comparisons"] if c["reference"] == reference]


def comparison_of(bundle, workload, arm, reference):
    return next((c for c in compared(bundle, reference) if (c["workload"], c["arm"]) == (workload, arm)), None)


def overall_of(bundle, arm, reference):
    return next((o for o in bundle.summary["overall"] if (o["arm"], o["reference"]) == (arm, reference)), None)


def extreme(comparisons, kind):
    """" (most: fib, 2.10 times as fast)" for the clearest of the comparisons with that verdict."""
    chosen = [c for c in comparisons if c["verdict"] == kind]
    if not chosen or kind not in (BETTER, WORSE):
        return ""
    best = min(chosen, key=lambda c: c["ratio"]) if kind == BETTER else max(chosen, key=lambda c: c["ratio"])
    return f" (most: {best['workload']}, {faster_text(best['ratio'])})"


def verdict_of_arm(bundle, arm, reference):
    """One sentence or two: how an arm stands against a reference."""
    found = [c for c in compared(bundle, reference) if c["arm"] == arm]
    parts = [f"{kind} in {count}{extreme(found, kind)}" for kind in (BETTER, WORSE, EQUIVALENT, UNDECIDED)
             if (count := sum(c["verdict"] == kind for c in found))]
    text = (f"{arm} against {arm_label(reference, bundle.machine)}: of {plural(len(found), 'workload')}"
            f" {', '.join(parts)}.")
    total = overall_of(bundle, arm, reference)
    if total and total["workloads"] > 1:
        text += (f" Over all, {faster_text(total['ratio'])}: geometric mean of the time ratios"
                 f" {ratio_text(total['ratio'])} {interval_text(total['interval'])}.")
    return text


def checks_sentence(bundle):
    failed, total = len(bundle.summary["failed"]), bundle.summary["samples"]
    if failed:
        return f"{failed} of {total} samples FAILED their check: what they measured is in no figure here."
    return f"All {total} samples passed the check of what they computed."


def control_sentence(bundle):
    control = bundle.summary["control"]
    if not control["n"]:
        return "The A/A control gave no comparison."
    return (f"A/A control: {control['reference']} was entered twice. Of {plural(control['n'], 'comparison')} of it with"
            f" itself, {control['intervals_off']} had a 95 % interval that excludes 1 (5 % are expected) and"
            f" {control['false_verdicts']} got a false verdict of better or worse.")


def disturbed_sentence(bundle):
    counted = sum(cell["n"] for cell in bundle.summary["cells"])
    text = (f"{bundle.summary['disturbed']} of {counted} counted samples are marked as disturbed by other processes or"
            " the hypervisor; they are kept.")
    if 2 * bundle.summary["disturbed"] > counted:
        text = f"DISTURBED RUN: {text} Measure again on a quiet machine before you believe a figure of this one."
    return text


def sentences(bundle):
    """The verdict in words, the most important first."""
    arms = [arm["id"] for arm in bundle.plan["arms"] if arm["kind"] != "control"]
    references = list(dict.fromkeys(c["reference"] for c in bundle.summary["comparisons"]))
    disturbed = disturbed_sentence(bundle)
    lines = [verdict_of_arm(bundle, arm, reference) for reference in references for arm in arms
             if any(c["arm"] == arm for c in compared(bundle, reference))]
    if bundle.plan["blocks"] < MIN_BLOCKS:
        lines.append(f"With {plural(bundle.plan['blocks'], 'block')} nothing can be decided: it takes {MIN_BLOCKS}.")
    lines += [checks_sentence(bundle), control_sentence(bundle)]
    # What puts every figure in doubt stands before them.
    lines.insert(0 if disturbed.startswith("DISTURBED") else len(lines), disturbed)
    lines += bundle.summary["mismatches"]
    lines += [f"Skipped: {line}." for line in bundle.plan["skipped"]]
    return lines


def anchor(workload, arm):
    return f"raw-{slug(workload)}-{slug(arm)}"


def comparison_cell(comparison):
    if comparison is None:
        return {"text": UNKNOWN, "interval": "", "verdict": "", "sort": ""}
    return {"text": ratio_text(comparison["ratio"]), "interval": interval_text(comparison["interval"]),
            "verdict": comparison["verdict"], "sort": comparison["ratio"]}


def rows(bundle):
    """A row per workload and arm, in the plan's order, with everything already formatted."""
    cells = {(cell["workload"], cell["arm"]): cell for cell in bundle.summary["cells"]}
    found = []
    for workload in bundle.plan["workloads"]:
        for arm in workload["arms"]:
            cell = cells.get((workload["name"], arm))
            if cell:
                found.append(row(bundle, cell))
    return found


def row(bundle, cell):
    workload, arm = cell["workload"], cell["arm"]
    reference, default = bundle.summary["reference"], bundle.plan["default"]
    if arm == CONTROL:
        against = {c["workload"]: c for c in bundle.summary["control"]["comparisons"]}.get(workload)
        found = {default: against, reference: against if reference == default else None}
    else:
        found = {other: comparison_of(bundle, workload, arm, other) for other in (reference, default)}
    return {"workload": workload, "arm": arm, "label": arm_label(arm, bundle.machine), "cell": cell,
            "anchor": anchor(workload, arm), "median": time_text(cell["median_ns"]),
            "interval": interval_text(cell["interval"], time_text), "op": time_text(cell["op_ns"]),
            "reference": comparison_cell(found[reference]),
            "default": comparison_cell(found[default]),
            "is_reference": arm == reference, "is_default": arm == default,
            "cpu": number_text(cell["cpu_share"]),
            "memory": UNKNOWN if cell["peak_rss_kib"] is None else f"{cell['peak_rss_kib'] / 1024:.1f}"}


def counter_rows(bundle):
    """(names of the counters, rows): what each runtime did per iteration."""
    names = sorted({name for cell in bundle.summary["cells"] for name in cell["counters"]})
    found = [{"row": line, "values": [line["cell"]["counters"].get(name) for name in names]}
             for line in rows(bundle) if line["cell"]["counters"]]
    return names, found


def machine_lines(machine):
    """(what, value) pairs for people."""
    compiler = machine["compiler"] or {"version": None, "build_type": "", "flags": ""}
    memory = machine["memory_kib"]
    versions = ", ".join(f"{name} {value}" for name, value in machine["versions"].items() if value)
    commit = (machine["commit"] or UNKNOWN)[:12] + (" with changes that are not committed" if machine["dirty"] else "")
    lines = [("Processor", f"{machine['cpu']}, {plural(machine['cores'], 'core')} ({machine['architecture']})"),
             ("Caches", "; ".join(machine["caches"])), ("Memory", memory and f"{memory / 2**20:.1f} GiB"),
             ("System", f"{machine['os']}, Linux {machine['kernel']}"), ("Hypervisor", machine["hypervisor"]),
             ("Governor", machine["governor"]), ("Turbo", machine["turbo"]),
             ("Transparent huge pages", machine["transparent_huge_pages"]),
             ("Compiler", compiler["version"]), ("Flags", f"{compiler['build_type']} {compiler['flags']}"),
             ("Versions", versions), ("Commit", commit), ("Date", machine["date"]), ("Command", machine["command"])]
    return [(name, value or "not known") for name, value in lines]
