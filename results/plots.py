"""The charts of a bundle: throughput, ratios, scaling, latency, Pareto front, rank transfer, heat maps."""
import math

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from charts import (BLUE, COLOURS, GREY, INK_STAND_IN, ORANGE, WIDTH_IN, Chart, ends_of, legend, legend_room,
                    mark, name_rows, plain_log_axis, ratio_axis, room_for)
from common import slug
from plan import CONTROL
from tables import heat_rows, latency_sets, pareto_sets, scaling_sets
from view import ratio_text, rate_text, throughput, time_text, is_time

ROLE_COLOURS = {"default": INK_STAND_IN, "peer": ORANGE, "control": GREY, "dynamic": GREY}
PERCENTILES = ("p50", "p90", "p99", "p99.9", "p99.99", "max")
LETTER_IN_TURNED = 0.066
# Lines with a colour of their own: more could not be told apart.
OWN_LOOKS = ((COLOURS[0], "s"), (COLOURS[2], "^"), (COLOURS[3], "v"))
PEER_COLOURS = tuple(COLOURS[k] for k in (1, 5, 4, 6, 3, 2))
PEER_MARKERS = "DPXv^so"


def role_colour(view, arm, workload=None):
    if workload and arm == workload["default"]:
        return INK_STAND_IN
    return ROLE_COLOURS.get(view.arms.kind(arm), BLUE)


def peer_look(view, arm):
    """(colour, marker) of a peer, the same in every chart."""
    number = [name for name in view.arms.order if view.arms.kind(name) == "peer"].index(arm)
    return PEER_COLOURS[number % len(PEER_COLOURS)], PEER_MARKERS[number % len(PEER_MARKERS)]


def styles(view, ranked, default):
    """{arm: (colour, marker, width)}: the default, the peers and the best have a look of their own, others recede."""
    ours = [arm for arm in ranked if view.arms.kind(arm) not in ("control", "peer") and arm != default]
    found = {arm: (GREY, "", 0.7) for arm in ours}
    found |= {arm: (*look, 1.4) for arm, look in zip(ours, OWN_LOOKS)}
    found |= {arm: (*peer_look(view, arm), 1.4) for arm in ranked if view.arms.kind(arm) == "peer"}
    return {**found, default: (INK_STAND_IN, "o", 1.8)}


def strip_values(view, workload, cell, turn):
    """(median, ends of its interval or None, every counted value) of a cell."""
    values = [turn(cell, s["value_ns"]) for _, s in view.samples[workload["name"], cell["arm"]]
              if s["block"] > 0 and s["value_ns"] is not None]
    interval = cell["interval"] and sorted(turn(cell, end) for end in cell["interval"])
    return turn(cell, cell["median_ns"]), interval, values


def draw_strips(axes, colour, strips):
    """All strips of one colour in three strokes: a line each would make the page thrice as large."""
    ticks = [(x, end) for y, _, _, values in strips for value in values
             for x, end in ((value, y - 0.2), (value, y + 0.2), (math.nan, math.nan))]
    bars = [(x, y) for y, _, interval, _ in strips if interval for x in (*interval, math.nan)]
    axes.plot(*zip(*ticks), color=colour, alpha=0.45, linewidth=0.8)
    if bars:
        axes.plot(*zip(*bars), color=colour, linewidth=1.8)
    axes.plot([middle for _, middle, _, _ in strips], [y for y, _, _, _ in strips], "o", color=colour, markersize=5)


def strip(view, workload):
    """Every counted sample of a workload as a tick, with the median and its interval: throughput, or the value."""
    name, timed = workload["name"], is_time(workload)
    cells = [cell for arm in workload["arms"] if (cell := view.cell(name, arm))]
    turn = (lambda cell, ns: throughput(cell) * cell["median_ns"] / ns) if timed else (lambda _, ns: ns)
    cells.sort(key=lambda cell: cell["median_ns"])
    labels = [view.arms.long(cell["arm"]) for cell in cells]
    title = f"{'Throughput' if timed else workload['measures'].capitalize()} of {name}"
    with Chart(title, 0.62 + 0.24 * len(cells), room_for(labels), 0.48) as chart:
        axes = chart.axes
        by_colour = {}
        for y, cell in enumerate(cells):
            by_colour.setdefault(role_colour(view, cell["arm"], workload), []).append((y, cell))
        for colour, found in by_colour.items():
            draw_strips(axes, colour, [(y, *strip_values(view, workload, cell, turn)) for y, cell in found])
        name_rows(axes, labels)
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        text = rate_text if timed else time_text
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: "0" if value <= 0 else text(value)))
        axes.set_xlabel("operations per second" if timed else workload["measures"])
    return chart.svg


def forest(title, lines, rows, colours, axis):
    """Ratios with 95 % intervals. rows: [(label, [(series, line)])]; colours: {series: (colour, marker, label)}."""
    labels = [label for label, _ in rows]
    shown = list(dict.fromkeys(series for _, found in rows for series, _ in found))
    named = [colours[series][2] for series in shown] if len(shown) > 1 else []
    most = max(len(found) for _, found in rows)
    height, below = 0.16 + len(rows) * (0.12 + 0.12 * most), legend_room(named) if named else 0.5
    left = room_for(labels)
    with Chart(title, height + below, left, below, width=max(WIDTH_IN, left + 3.2)) as chart:
        for y, (_, found) in enumerate(rows):
            for k, (series, line) in enumerate(found):
                place = y + (k - (len(found) - 1) / 2) * 0.72 / max(1, most)
                mark(chart.axes, line["ratio"], place, line["interval"], *colours[series][:2])
        for series in shown if named else ():
            colour, marker, label = colours[series]
            chart.axes.plot([], [], marker + "-", color=colour, label=label, markersize=5)
        ratio_axis(chart.axes, ends_of(lines))
        name_rows(chart.axes, labels)
        chart.axes.set_xlabel(axis)
        if named:
            legend(chart.axes)
    return chart.svg


def peers(view):
    """The peers' times against the default combination, a row per workload."""
    names = [arm for arm in view.arms.order if view.arms.kind(arm) == "peer"]
    colours = {arm: (*peer_look(view, arm), view.arms.long(arm)) for arm in names}
    rows = []
    for workload in view.plan["workloads"]:
        found = [(arm, view.versus[workload["name"], arm, "default"]) for arm in names
                 if (workload["name"], arm, "default") in view.versus]
        if found and workload["level"] != "micro":
            rows.append((workload["name"], found))
    lines = [line for _, found in rows for _, line in found]
    if not rows:
        return None
    return forest("Peers against the default combination", lines, rows, colours,
                  "peer's time / default's time   (right of 1: the default is faster)")


def control(view):
    """The A/A intervals in order: how wide noise alone makes them."""
    lines = sorted(view.summary["control"]["comparisons"], key=lambda line: line["ratio"])
    if not lines:
        return None
    off = [line["interval"] is not None and not line["interval"][0] <= 1 <= line["interval"][1] for line in lines]
    with Chart("A/A control", 2.4, 0.62, 0.62) as chart:
        axes = chart.axes
        for x, (line, bad) in enumerate(zip(lines, off)):
            mark(axes, x, line["ratio"], line["interval"], ORANGE if bad else BLUE, "D" if bad else "o", vertical=True)
        axes.axhline(1, color=INK_STAND_IN, linewidth=0.8)
        axes.axhspan(0.97, 1.03, color=GREY, alpha=0.18, linewidth=0)
        axes.set_yscale("log")
        ends = [*ends_of(lines), 0.96, 1.04]
        axes.set_ylim(min(ends) / 1.01, max(ends) * 1.01)
        plain_ratio_ticks(axes)
        axes.set_xticks([])
        axes.set_xlabel("workloads, from the smallest ratio to the largest\n(orange: the interval excludes 1)")
        axes.set_ylabel("A/A ratio")
        axes.grid(axis="y")
    return chart.svg


def plain_ratio_ticks(axes):
    low, high = axes.get_ylim()
    span = math.log(high / low)
    step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 1e9) if span / step <= 7)
    ticks = [math.exp(k * step) for k in range(-8, 9) if low <= math.exp(k * step) <= high]
    axes.set_yticks(ticks, [f"{tick:.2f}" for tick in ticks])
    axes.yaxis.set_minor_locator(NullLocator())


def lines_chart(view, title, points, default, x_label, y_label, text, log_x):
    """points: {arm: [(x, y, interval)]} drawn as lines; x may be names."""
    ranked = sorted(points, key=lambda arm: np.mean([np.log(y) for _, y, _ in points[arm]]))
    style = styles(view, ranked, default)
    named = [arm for arm in ranked if style[arm][1]]
    labels = [view.arms.long(arm) for arm in named] + (["others"] if len(named) < len(points) else [])
    below = legend_room(labels)
    with Chart(title, 2.3 + below, 0.8, below) as chart:
        axes = chart.axes
        for arm in sorted(points, key=lambda arm: arm in named):
            colour, marker, width = style[arm]
            xs, ys, intervals = zip(*points[arm])
            for x, interval in zip(xs, intervals):
                if interval and marker:
                    axes.plot([x, x], interval, color=colour, linewidth=1)
            axes.plot(xs, ys, marker + "-", color=colour, linewidth=width, markersize=4,
                      label=view.arms.long(arm) if arm in named else None)
        if "others" in labels:
            axes.plot([], [], color=GREY, linewidth=0.7, label="others")
        axes.set_yscale("log")
        if log_x:
            axes.set_xscale("log", base=2)
            ticks = sorted({x for found in points.values() for x, _, _ in found})
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.minorticks_off()
        plain_log_axis(axes.yaxis, text)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.grid(axis="y")
        legend(axes)
    return chart.svg


def scaling(view, found):
    points = {arm: [(x, throughput(cell), cell["interval"] and
                     [throughput(cell) * cell["median_ns"] / end for end in cell["interval"]])
                    for x, cell in line] for arm, line in found["lines"].items()}
    return lines_chart(view, f"Scaling of {found['base']}", points, found["default"], found["axis"],
                       "operations per second", rate_text, True)


def latency(view, found):
    points = {arm: [(name, values[name], None) for name in PERCENTILES if values.get(name)]
              for arm, values in found["arms"].items()}
    return lines_chart(view, f"Latency of {found['workload']}", {arm: line for arm, line in points.items() if line},
                       view.workloads[found["workload"]]["default"], "percentile", "latency", time_text, False)


def pareto(view, found):
    """Throughput against tail latency; the size of a mark is the memory; a ring marks the front."""
    points = found["points"]
    most = max((point["memory"] or 0 for point in points), default=0)
    with Chart(f"Pareto front of {found['name']}", 2.9, 0.85, 0.5, right=0.5) as chart:
        axes = chart.axes
        for point in sorted(points, key=lambda point: -(point["memory"] or 0)):
            size = 30 + 220 * (point["memory"] or 0) / most if most else 60
            colour = role_colour(view, point["arm"])
            axes.scatter([point["speed"]], [point["tail"]], s=size, color=colour, alpha=0.45, linewidths=0)
            if point["front"]:
                axes.scatter([point["speed"]], [point["tail"]], s=size, facecolors="none", edgecolors=colour,
                             linewidths=1.6)
                axes.annotate(view.arms.short(point["arm"]), (point["speed"], point["tail"]), xytext=(0, 8),
                              textcoords="offset points", ha="center", fontsize=8)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.margins(0.18)
        plain_log_axis(axes.xaxis, found["speed_text"])
        plain_log_axis(axes.yaxis, found["tail_text"])
        axes.set_xlabel(f"{found['speed_label']}   → better")
        axes.set_ylabel(f"← better   {found['tail_label']}")
        axes.grid()
    return chart.svg


def slope(view, kind, found):
    """Each part's time in isolation beside that under the runtime: lines that cross are pairs that flip."""
    sides = [{line["part"]: line for line in found[side]} for side in ("isolation", "runtime")]
    flipped = {name for flip in found["flips"] if flip["settled"] for name in (flip["isolation"], flip["runtime"])}
    with Chart(f"Rank transfer of {kind}s", 0.6 + 0.32 * len(found["parts"]), 1.5, 0.35, right=1.5) as chart:
        axes = chart.axes
        for name in found["parts"]:
            ys = [side[name]["rank"] for side in sides]
            colour = INK_STAND_IN if name == found["default"] else ORANGE if name in flipped else BLUE
            axes.plot([0, 1], ys, "o-", color=colour, linewidth=1.5, markersize=5)
            for x, y, side, align in zip((-0.04, 1.04), ys, sides, ("right", "left")):
                axes.text(x, y, f"{name} {ratio_text(side[name]['ratio'])}" if side[name]["ratio"] else name, ha=align,
                          va="center")
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(len(found["parts"]) + 0.5, 0.5)
        axes.set_xticks([0, 1], ["in isolation", "under the runtime"])
        axes.tick_params(axis="x", length=0)
        axes.set_yticks([])
        for side in axes.spines.values():
            side.set_visible(False)
    return chart.svg


def heat(view, title, workloads):
    """Ratios to the default as a picture, for where HTML cannot go; hatched: not measured."""
    arms, rows = heat_rows(view, workloads)
    labels = [row["workload"]["name"] for row in rows]
    columns = [view.arms.long(arm) for arm in arms]
    colours = LinearSegmentedColormap.from_list("ratio", [BLUE, "#f2f2f2", ORANGE])
    top = 0.2 + LETTER_IN_TURNED * max(map(len, columns))
    left, cell = room_for(labels), 0.42
    with Chart(title, top + 0.1 + 0.22 * len(rows), left, 0.1, top, 0.1, left + 0.1 + cell * len(arms)) as chart:
        axes = chart.axes
        for y, row in enumerate(rows):
            for x, one in enumerate(row["cells"]):
                box = {"xy": (x - 0.48, y - 0.46), "width": 0.96, "height": 0.92, "linewidth": 0}
                if one["ratio"] is None:
                    axes.add_patch(Rectangle(**box, edgecolor=GREY, facecolor="none", hatch="///", alpha=0.6))
                    continue
                depth = 0.5 + one["depth"] / 200 * (1 if one["ratio"] > 1 else -1)
                axes.add_patch(Rectangle(**box, facecolor=colours(depth)))
                axes.text(x, y, one["text"], ha="center", va="center", fontsize=7, color="#111111")
        axes.set_xlim(-0.5, len(arms) - 0.5)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_yticks(range(len(rows)), labels)
        axes.set_xticks(range(len(arms)), columns, rotation=60, ha="left", rotation_mode="anchor")
        axes.tick_params(length=0, top=True, bottom=False, labeltop=True, labelbottom=False)
        for side in axes.spines.values():
            side.set_visible(False)
    return chart.svg


def draw(view):
    """{name: svg} of every chart of a bundle."""
    found = {"peers": peers(view), "control": control(view)}
    for key, title, workloads in view.groups():
        found[f"heat-{key}"] = heat(view, f"{title}: time ratios to the default", workloads)
        found |= {f"times-{slug(w['name'])}": strip(view, w) for w in workloads
                  if any(view.cell(w["name"], arm) for arm in w["arms"] if arm != CONTROL)}
    found |= {f"scaling-{slug(one['base'])}": scaling(view, one) for one in scaling_sets(view)}
    found |= {f"latency-{slug(one['workload'])}": latency(view, one) for one in latency_sets(view)}
    found |= {f"pareto-{slug(one['name'])}": pareto(view, one) for one in pareto_sets(view)}
    found |= {f"transfer-{kind}": slope(view, kind, one) for kind, one in view.summary["transfer"].items() if one}
    return {name: svg for name, svg in found.items() if svg}
