"""What the report's sections show, as plain data: heat maps, scaling, latency, Pareto fronts, exact figures."""
import math

from plan import CONTROL
from stats import BETTER, EQUIVALENCE, WORSE
from transfer import averaged
from view import (anchor, interval_text, is_time, number_text, per_cpu_second, rate_text, ratio_text, throughput,
                  time_text)

TAILS = ("p99.9", "p99", "p90")
HEAT_REACH = 2.0  # ratios beyond 1/2 and 2 have the fullest colour
EXACT_FIELDS = ("instructions", "system_calls", "rmw", "fences", "membarriers", "allocations", "bytes")


def heat_rows(view, workloads):
    """(arms, rows) of a heat map: a cell per arm and workload, with its ratio to the workload's default."""
    used = {arm for workload in workloads for arm in workload["arms"]} - {CONTROL}
    arms = sorted((arm for arm in view.arms.order if arm in used), key=lambda arm: view.arms.kind(arm) == "peer")
    return arms, [{"workload": workload, "cells": [heat_cell(view, workload, arm) for arm in arms]}
                  for workload in workloads]


def heat_cell(view, workload, arm):
    name = workload["name"]
    found = {"arm": arm, "ratio": None, "text": "", "kind": "unmeasured", "title": f"{name}, {arm}: not measured",
             "href": None, "depth": 0}
    cell = view.cells.get((name, arm))
    if cell is None:
        return found
    found["href"] = anchor(name, arm)
    if not cell["n"]:
        kind, why = ("failed", "failed") if cell["failed"] else ("skipped", cell["skipped"] or "only in the pilot")
        return {**found, "kind": kind, "text": "✗" if kind == "failed" else "–", "title": f"{name}, {arm}: {why}"}
    if workload["part"] == "reference":
        return {**found, "kind": "measured", "text": time_text(cell["op_ns"]),
                "title": f"{name}: {time_text(cell['op_ns'])} per operation, {cell['n']} samples"}
    if arm == workload["default"]:
        return {**found, "kind": "default", "ratio": 1.0, "text": "1",
                "title": f"{name}, {arm}: the default, {time_text(cell['op_ns'] or cell['median_ns'])}"}
    versus = view.versus.get((name, arm, "default"))
    if versus is None:
        return {**found, "kind": "measured", "text": time_text(cell["op_ns"] or cell["median_ns"]),
                "title": f"{name}, {arm}: measured, but there is no default to hold it against"}
    depth = min(1.0, abs(math.log(versus["ratio"])) / math.log(HEAT_REACH))
    return {**found, "kind": "faster" if versus["ratio"] < 1 else "slower", "ratio": versus["ratio"],
            "text": ratio_text(versus["ratio"]), "depth": round(100 * depth), "certainty": certainty(versus),
            "title": f"{name}, {arm}: {ratio_text(versus['ratio'])} {interval_text(versus['interval'])},"
                     f" {versus['verdict']}, {cell['n']} samples"}


def certainty(versus):
    """"b": better or worse in the whole family of comparisons; "": by its own interval; "u": not even that."""
    if versus["verdict"] in (BETTER, WORSE):
        return "b"
    return "" if versus["interval"] and not versus["interval"][0] <= 1 <= versus["interval"][1] else "u"


def heat_groups(view):
    """The heat maps of the page, each with how many of its cells were measured."""
    found = []
    for key, title, workloads in view.groups():
        arms, rows = heat_rows(view, workloads)
        cells = [cell for row in rows for cell in row["cells"]]
        found.append({"key": key, "title": title, "arms": arms, "rows": rows, "heads": heads(view, arms),
                      "measured": sum(view.cell(row["workload"]["name"], cell["arm"]) is not None for row in rows
                                      for cell in row["cells"]), "cells": len(cells)})
    return found


def heads(view, arms):
    """[(title, number of columns)]: what the columns that stand side by side have in common."""
    titles = {"default": "", "queue": "other queue", "deque": "other deque", "reactor": "other reactor",
              "pair": "several parts", "part": "", "peer": "peers", "dynamic": "", "control": ""}
    found = []
    for arm in arms:
        title = titles[view.arms.kind(arm)]
        if found and found[-1][0] == title:
            found[-1][1] += 1
        else:
            found.append([title, 1])
    return found


def overall_rows(view):
    """A row per arm and group: the geometric mean, and how often it was better or worse."""
    found = []
    for line in view.summary["overall"]:
        if line["role"] != "default":
            continue
        own = [c for c in view.summary["comparisons"]
               if c["role"] == "default" and all(c[key] == line[key] for key in ("group", "arm", "reference"))]
        counts = {kind: sum(c["verdict"] == kind for c in own) for kind in ("better", "worse", "equivalent",
                                                                           "undecided")}
        found.append({**line, **counts, "label": view.arms.long(line["arm"])})
    return sorted(found, key=lambda line: (line["group"] != "full", line["group"], line["ratio"]))


def scaling_sets(view):
    """[{base, axis, lines: {arm: [(x, cell)]}}] of the curves with two points or more."""
    bases = {}
    for workload in view.plan["workloads"]:
        if workload["scale"] and is_time(workload):
            bases.setdefault((workload["base"], workload["scale"]["axis"]), []).append(workload)
    found = []
    for (base, axis), workloads in bases.items():
        workloads.sort(key=lambda workload: workload["scale"]["x"])
        lines = {}
        for workload in workloads:
            for arm in workload["arms"]:
                cell = view.cell(workload["name"], arm)
                if cell and arm != CONTROL and throughput(cell):
                    lines.setdefault(arm, []).append((workload["scale"]["x"], cell))
        lines = {arm: line for arm, line in lines.items() if len(line) > 1}
        if lines:
            found.append({"base": base, "axis": axis, "lines": lines, "default": workloads[0]["default"]})
    return found


def latency_sets(view):
    """[{workload, arms: {arm: {percentile: ns}}}] of the workloads that have latencies."""
    found = []
    for workload in view.plan["workloads"]:
        arms = {arm: cell["latency_ns"] for arm in workload["arms"]
                if arm != CONTROL and (cell := view.cell(workload["name"], arm)) and cell["latency_ns"]}
        if arms:
            found.append({"workload": workload["name"], "arms": arms,
                          "names": [name for name in ("p50", "p75", "p90", "p99", "p99.9", "p99.99", "max")
                                    if any(name in values for values in arms.values())]})
    return found


def on_front(point, points):
    """Whether no other point is better in something by more than the zone of equivalence and worse in nothing."""
    def beats(other):
        gains = [math.log(gain) for gain in (other["speed"] / point["speed"], point["tail"] / other["tail"],
                                             (point["memory"] or 1) / (other["memory"] or 1))]
        return max(gains) > EQUIVALENCE and min(gains) >= -EQUIVALENCE
    return not any(beats(other) for other in points)


def finish_front(found):
    for point in found["points"]:
        point["front"] = on_front(point, found["points"])
    return found


def pareto_of_workload(view, workload):
    """Throughput, tail latency and memory of one workload's arms, or None where one of them is unknown."""
    cells = {arm: cell for arm in workload["arms"] if arm != CONTROL and (cell := view.cell(workload["name"], arm))}
    tail = next((name for name in TAILS if cells and all(name in c["latency_ns"] for c in cells.values())), None)
    if not is_time(workload) or tail is None or len(cells) < 2:
        return None
    points = [{"arm": arm, "speed": throughput(cell), "tail": cell["latency_ns"][tail],
               "memory": cell["peak_rss_kib"], "href": anchor(workload["name"], arm)} for arm, cell in cells.items()]
    return finish_front({"name": workload["name"], "points": points, "speed_text": rate_text, "tail_text": time_text,
                         "speed_label": "operations per second", "tail_label": tail, "memory_text": mebibytes})


def mebibytes(kib):
    return "–" if kib is None else f"{kib / 1024:.1f} MiB"


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def relative(view, arm, figure):
    """Geometric mean of an arm's figure over the default's, over the runtime and server workloads with both."""
    ratios = []
    for workload in averaged(view.plan):
        own, other = (view.cell(workload["name"], one) for one in (arm, workload["default"]))
        if workload["level"] != "micro" and own and other and figure(own) and figure(other):
            ratios.append(figure(own) / figure(other))
    return geometric_mean(ratios) if ratios else None


def tail_of(cell):
    return cell["latency_ns"].get("p99.9") or cell["latency_ns"].get("p99")


def pareto_overall(view):
    """The same over all workloads, as ratios to the default."""
    points = []
    for arm in view.arms.order:
        if view.arms.kind(arm) in ("part", "control"):
            continue
        time, tail, memory = (relative(view, arm, figure) for figure in
                              (lambda cell: cell["median_ns"], tail_of, lambda cell: cell["peak_rss_kib"]))
        if time and tail:
            points.append({"arm": arm, "speed": 1 / time, "tail": tail, "memory": memory, "href": "overall"})
    if len(points) < 2:
        return None
    return finish_front({"name": "all workloads", "points": points, "speed_text": ratio_text, "tail_text": ratio_text,
                         "speed_label": "speed ÷ default's", "tail_label": "tail latency ÷ default's",
                         "memory_text": lambda value: "–" if value is None else ratio_text(value)})


def pareto_sets(view):
    found = [pareto_overall(view), *(pareto_of_workload(view, workload) for workload in view.plan["workloads"])]
    return [one for one in found if one]


def micro_rows(view):
    """Failed operations and fairness, a row per cell that tells them."""
    found = []
    for workload in view.plan["workloads"]:
        for arm in workload["arms"]:
            cell = view.cell(workload["name"], arm)
            if cell and (cell["failed_ops"] or cell["fairness"] is not None):
                found.append({"workload": workload["name"], "arm": arm, "cell": cell, "op": time_text(cell["op_ns"]),
                              "anchor": anchor(workload["name"], arm)})
    return found


def server_rows(view):
    """What a server's messages cost it: a row per cell that tells, the cheapest first within a workload."""
    found = []
    for workload in view.plan["workloads"]:
        if workload["level"] != "server":
            continue
        cells = [cell for arm in workload["arms"]
                 if arm != CONTROL and (cell := view.cell(workload["name"], arm)) and per_cpu_second(cell)]
        own = {cell["arm"]: per_cpu_second(cell) for cell in cells}
        for cell in sorted(cells, key=lambda cell: cell["cpu_op_ns"]):
            versus = [own[cell["arm"]] / own[other] if other in own else None
                      for other in (workload["default"], workload["reference"])]
            found.append({"workload": workload["name"], "arm": cell["arm"], "label": view.arms.long(cell["arm"]),
                          "anchor": anchor(workload["name"], cell["arm"]), "rate": rate_text(throughput(cell)),
                          "per_cpu": rate_text(own[cell["arm"]]), "cpu": time_text(cell["cpu_op_ns"]), "cell": cell,
                          "versus": versus, "texts": [ratio_text(one) if one else "–" for one in versus],
                          "reference": workload["reference"]})
    return found


def counter_table(view):
    """(names of the counters, rows): what each runtime did per iteration."""
    cells = [cell for cell in view.summary["cells"] if cell["n"] and cell["counters"]
             and view.workloads[cell["workload"]]["level"] != "micro"]
    names = sorted({name for cell in cells for name in cell["counters"]})
    return names, [{"workload": cell["workload"], "arm": cell["arm"], "anchor": anchor(cell["workload"], cell["arm"]),
                    "values": [cell["counters"].get(name) for name in names]} for cell in cells]


def exact_rows(view):
    """The counted figures; `href` leads to the timed samples of the same cell where there are any."""
    return [{**row, "values": [number_text(row.get(field)) for field in EXACT_FIELDS],
             "sort": [row.get(field) for field in EXACT_FIELDS],
             "href": anchor(row["workload"], row["arm"]) if (row["workload"], row["arm"]) in view.samples else None}
            for row in view.bundle.exact or ()]


def raw_groups(view):
    """A group per cell: its samples with their lines in samples.jsonl, in one unit, marked where something was odd."""
    found = []
    for (workload, arm), samples in view.samples.items():
        values = [sample["value_ns"] for _, sample in samples if sample["value_ns"]]
        scale, unit = unit_of(values)
        found.append({"anchor": anchor(workload, arm), "workload": workload, "arm": arm, "unit": unit,
                      "command": samples[-1][1]["command"], "lines": [raw_line(*line, scale) for line in samples],
                      "failed": [sample for _, sample in samples if sample["failure"]]})
    order = {workload["name"]: k for k, workload in enumerate(view.plan["workloads"])}
    return sorted(found, key=lambda group: (order[group["workload"]], view.arms.order.index(group["arm"])))


def unit_of(values):
    for scale, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if values and min(values) >= scale:
            return scale, unit
    return 1, "ns"


def raw_line(number, sample, scale):
    """"17: 4.031" and marks: p pilot, d disturbed, x failed, s skipped."""
    marks = [mark for mark, holds in (("p", sample["block"] == 0), ("d", sample["disturbed"]),
                                      ("x", sample["failure"]), ("s", sample["skipped"])) if holds]
    value = "–" if sample["value_ns"] is None else f"{sample['value_ns'] / scale:.4g}"
    return {"number": number, "id": sample["id"], "text": value, "marks": "".join(marks)}
