"""SVG charts of a bundle, legible on light and on dark ground: text and axes take the ink of where they stand."""
import io
import math
import re

import matplotlib
matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402  (the back end must be chosen before)
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, NullLocator  # noqa: E402

from common import slug  # noqa: E402
from stats import EQUIVALENCE  # noqa: E402
from view import arm_label, time_text  # noqa: E402

# A stand-in that appears nowhere else; it becomes the CSS variable --ink of the page or of the file.
INK_STAND_IN = "#010203"
INK = "var(--ink, #808080)"
OWN_INK = "<style>:root{--ink:#222} @media (prefers-color-scheme:dark){:root{--ink:#ddd}}</style>"
# Mid-tones with enough contrast on white and on near-black, told apart by colour-blind readers as well (after Okabe
# and Ito, darkened or lightened towards the middle); shapes repeat the distinction.
COLOURS = ("#2f81d6", "#d9730d", "#1f9d72", "#b0569c", "#8a7d1f", "#c4453c", "#5a7bb5", "#7d7d7d")
MARKERS = "osD^vPXh"
# Ticks of the ratio axis by how far it reaches: few enough that they do not run into each other.
TICKS = ((2, (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.4, 1.6, 2)),
         (12, (0.1, 0.2, 0.33, 0.5, 0.7, 1, 1.4, 2, 3, 5, 10)),
         (100, (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)),
         (math.inf, (0.0001, 0.001, 0.01, 0.1, 1, 10, 100, 1000, 10000)))
WIDTH_IN = 5.4
FONT_PT = 9


def style_of(arms):
    return {arm: (COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]) for k, arm in enumerate(arms)}


def new_figure(height, salt):
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": salt, "font.size": FONT_PT, "text.color": INK_STAND_IN,
                         "font.family": "sans-serif", "axes.labelcolor": INK_STAND_IN,
                         "axes.edgecolor": INK_STAND_IN, "xtick.color": INK_STAND_IN, "ytick.color": INK_STAND_IN})
    figure, axes = plt.subplots(figsize=(WIDTH_IN, height), layout="constrained")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#808080", alpha=0.25, linewidth=0.6)
    return figure, axes


def to_svg(figure, title):
    """The figure as SVG text without XML prologue and date, named for screen readers."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    plt.close(figure)
    text = buffer.getvalue()
    text = text[text.index("<svg"):].replace(INK_STAND_IN, INK)
    # Width and height go: the page decides, the viewBox keeps the proportion. So do names that nothing refers to
    # (figure_1, axes_1): they would stand in the page once per chart.
    text = re.sub(r'(<svg[^>]*?) width="[^"]+"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]+"', r"\1", text, count=1)
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda found: found.group(0) if found.group(1) in used else "", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)


def standalone(svg):
    """The same as a file of its own, which must bring its ink along."""
    return '<?xml version="1.0" encoding="utf-8"?>\n' + re.sub(r"(<svg[^>]*>)", r"\1" + OWN_INK, svg, count=1)


def ratio_axis(axes, comparisons):
    """A logarithmic axis of time ratios with the zone of equivalence, wide enough for every interval."""
    ends = [end for c in comparisons for end in (c["interval"] or [c["ratio"]])] + [0.9, 1.1]
    axes.set_xscale("log")
    axes.set_xlim(min(ends) / 1.08, max(ends) * 1.08)
    span = max(ends) / min(ends)
    steps = next((steps for most, steps in TICKS if span < most), TICKS[-1][1])
    shown = [step for step in steps if min(ends) / 1.08 <= step <= max(ends) * 1.08]
    axes.set_xticks(shown, [f"{step:g}" for step in shown])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.axvspan(math.exp(-EQUIVALENCE), math.exp(EQUIVALENCE), color="#808080", alpha=0.18, linewidth=0)
    axes.axvline(1, color=INK_STAND_IN, linewidth=0.8)


def forest(comparisons, arms, reference, labels, salt, axis="time / time of the reference"):
    """Time ratios with 95 % intervals: a line per workload, arms side by side within it."""
    workloads = list(dict.fromkeys(c["workload"] for c in comparisons))
    shown = [arm for arm in arms if any(c["arm"] == arm for c in comparisons)]
    styles, lane = style_of(arms), 0.72 / max(1, len(shown))
    figure, axes = new_figure(1.1 + len(workloads) * (0.22 + 0.14 * len(shown)) + 0.16 * len(shown), salt)
    for c in comparisons:
        y = workloads.index(c["workload"]) + (shown.index(c["arm"]) - (len(shown) - 1) / 2) * lane
        colour, marker = styles[c["arm"]]
        if c["interval"]:
            axes.plot(c["interval"], [y, y], color=colour, linewidth=1.8, solid_capstyle="butt")
        axes.plot([c["ratio"]], [y], marker, color=colour, markersize=5)
    for arm in shown:
        colour, marker = styles[arm]
        axes.plot([], [], marker + "-", color=colour, label=labels[arm], markersize=5)
    ratio_axis(axes, comparisons)
    axes.set_yticks(range(len(workloads)), workloads)
    axes.set_ylim(len(workloads) - 0.45, -0.55)
    axes.set_xlabel(f"{axis}   (left of 1: faster)")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0, frameon=False)
    return to_svg(figure, f"Time ratios against {labels[reference]} with 95 % intervals")


def strip(workload, cells, samples, labels, arms):
    """Every counted sample of a workload as a dot, with the median and its interval."""
    styles = style_of(arms)
    figure, axes = new_figure(0.75 + 0.4 * len(cells), f"strip {workload}")
    for y, cell in enumerate(cells):
        colour, _ = styles[cell["arm"]]
        values = [s["value_ns"] for s in samples
                  if s["arm"] == cell["arm"] and s["workload"] == workload and s["block"] > 0 and s["value_ns"]]
        jitter = [y + 0.26 * ((7 * k) % 11 / 10 - 0.5) for k in range(len(values))]
        axes.plot(values, jitter, "o", color=colour, alpha=0.45, markersize=3.2, markeredgewidth=0)
        if cell["interval"]:
            axes.plot(cell["interval"], [y, y], color=colour, linewidth=2.4, solid_capstyle="butt")
        if cell["median_ns"]:
            axes.plot([cell["median_ns"]], [y], "|", color=INK_STAND_IN, markersize=12, markeredgewidth=1.6)
    axes.set_yticks(range(len(cells)), [labels[cell["arm"]] for cell in cells])
    axes.set_ylim(len(cells) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: "0" if value == 0 else time_text(value)))
    return to_svg(figure, f"Times of {workload}, every sample")


def draw(bundle):
    """{name: svg}: a forest per reference, the A/A control, and a strip per workload."""
    arms = [arm["id"] for arm in bundle.plan["arms"]]
    labels = {arm: arm_label(arm, bundle.machine) for arm in arms}
    found = {}
    for reference in dict.fromkeys(c["reference"] for c in bundle.summary["comparisons"]):
        comparisons = [c for c in bundle.summary["comparisons"] if c["reference"] == reference]
        name = f"forest-{slug(reference)}"
        found[name] = forest(comparisons, arms, reference, labels, name)
    control = bundle.summary["control"]
    if control["comparisons"]:
        found["control"] = forest(control["comparisons"], arms, control["reference"], labels, "control")
    for workload in bundle.plan["workloads"]:
        cells = [c for arm in workload["arms"] for c in bundle.summary["cells"]
                 if (c["workload"], c["arm"]) == (workload["name"], arm) and c["n"]]
        if cells:
            name = f"times-{slug(workload['name'])}"
            found[name] = strip(workload["name"], cells, bundle.samples, labels, arms)
    return found
