"""What every chart shares: one look, legible on light and on dark ground, small and reproducible SVG."""
import io
import math
import re
from html import escape

import matplotlib
matplotlib.use("svg")
from matplotlib import rc_context  # noqa: E402  (the back end must be chosen before)
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator  # noqa: E402

from stats import EQUIVALENCE  # noqa: E402

# A stand-in that appears nowhere else; it becomes the CSS variable --ink of the page or of the file.
INK_STAND_IN = "#010203"
INK = "var(--ink, #808080)"
OWN_INK = "<style>:root{--ink:#222} @media (prefers-color-scheme:dark){:root{--ink:#ddd}}</style>"
GREY = "#808080"
# Mid-tones with enough contrast on white and on near-black, told apart by colour-blind readers as well (after Okabe
# and Ito, darkened or lightened towards the middle); shapes repeat the distinction.
COLOURS = ("#2f81d6", "#d9730d", "#1f9d72", "#b0569c", "#8a7d1f", "#c4453c", "#5a7bb5")
BLUE, ORANGE = COLOURS[:2]
# Ticks of the ratio axis by how far it reaches: few enough that they do not run into each other.
TICKS = ((2, (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.4, 1.6, 2)),
         (12, (0.1, 0.2, 0.33, 0.5, 0.7, 1, 1.4, 2, 3, 5, 10)),
         (100, (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)),
         (math.inf, (0.0001, 0.001, 0.01, 0.1, 1, 10, 100, 1000, 10000)))
WIDTH_IN = 5.4
FONT_PT = 9
LETTER_IN = 0.073
LOOK = {"svg.fonttype": "none", "font.size": FONT_PT, "font.family": "sans-serif", "text.color": INK_STAND_IN,
        "axes.labelcolor": INK_STAND_IN, "axes.edgecolor": INK_STAND_IN, "xtick.color": INK_STAND_IN,
        "ytick.color": INK_STAND_IN, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
        "grid.color": GREY, "grid.alpha": 0.25, "grid.linewidth": 0.6, "path.simplify": True,
        "axes.unicode_minus": True, "lines.solid_capstyle": "butt"}


class Chart:
    """One figure with room for its labels; `with` it, draw on .axes, and read .svg afterwards."""

    def __init__(self, title, height, left=0.6, bottom=0.5, top=0.1, right=0.15, width=None):
        width = width or max(WIDTH_IN, left + 2.4)  # something is left beside the longest label
        self.title, self.svg = title, None
        self.context = rc_context({**LOOK, "svg.hashsalt": title})
        self.sides = {"left": left / width, "right": 1 - right / width, "bottom": bottom / height,
                      "top": 1 - top / height}
        self.size = (width, height)

    def __enter__(self):
        self.context.__enter__()
        self.figure = Figure(figsize=self.size)
        self.axes = self.figure.subplots()
        self.figure.subplots_adjust(**self.sides)
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.svg = to_svg(self.figure, self.title)
        self.context.__exit__(kind, value, trace)


def to_svg(figure, title):
    """The figure as SVG text without XML prologue and date, named for screen readers."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = shorten(text[text.index("<svg"):].replace(INK_STAND_IN, INK))
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)


def shorten(text):
    """Without what says nothing; a third is left. A tenth of a point is finer than the eye."""
    # Width and height go: the page decides, the viewBox keeps the proportion.
    text = re.sub(r'(<svg[^>]*?) width="[^"]+"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]+"', r"\1", text, count=1)
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    # Names that nothing refers to (figure_1, axes_1) would stand in the page once per chart.
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda found: found.group(0) if found.group(1) in used else "", text)
    text = re.sub(r' (?:d|x|y|transform)="[^"]*"', lambda found: re.sub(r"(\.\d)\d+", r"\1", found.group(0)), text)
    # The list of Matplotlib's own fonts, turns by no angle, boxes without fill.
    text = re.sub(r"(font: [\d.]+px) [^;\"]*", r"\1 system-ui, sans-serif", text)
    text = re.sub(r' transform="rotate\(-0 [^"]*"', "", text)
    text = re.sub(r'<path d="[^"]*" style="fill: none"/>', "", text)
    return unwrap_groups(re.sub(r"\s*\n\s*", " ", text).replace("> <", "><"))


def unwrap_groups(text):
    """Without groups that hold one thing or nothing: Matplotlib nests one within the other for each part of a chart."""
    one = r"<g></g>|<g/>|<g>(<(?:use|path)[^>]*/>|<text[^>]*>[^<]*</text>)</g>"
    while (shorter := re.sub(one, r"\1", text)) != text:
        text = shorter
    return text


def standalone(svg):
    """The same as a file of its own, which must bring its ink along."""
    return '<?xml version="1.0" encoding="utf-8"?>\n' + re.sub(r"(<svg[^>]*>)", r"\1" + OWN_INK, svg, count=1)


def room_for(labels):
    """Inches to the left of an axis for the longest of its labels."""
    return 0.25 + LETTER_IN * max((len(label) for label in labels), default=0)


def name_rows(axes, labels):
    """A row per label, the first on top, on an axis of its own ticks only."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def plain_log_axis(axis, text):
    """Ticks of a logarithmic axis at 1, 2, 5 where there is room, written by `text`."""
    low, high = sorted(axis.get_view_interval())
    decades = math.log10(high / low)
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2.2 else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def ratio_axis(axes, ends):
    """A logarithmic axis of time ratios with the zone of equivalence, wide enough for every end."""
    ends = [*ends, 0.9, 1.1]
    axes.set_xscale("log")
    axes.set_xlim(min(ends) / 1.08, max(ends) * 1.08)
    steps = next(steps for most, steps in TICKS if max(ends) / min(ends) < most)
    shown = [step for step in steps if min(ends) / 1.08 <= step <= max(ends) * 1.08]
    axes.set_xticks(shown, [f"{step:g}" for step in shown])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.axvspan(math.exp(-EQUIVALENCE), math.exp(EQUIVALENCE), color=GREY, alpha=0.18, linewidth=0)
    axes.axvline(1, color=INK_STAND_IN, linewidth=0.8)


def ends_of(lines):
    return [end for line in lines for end in (line["interval"] or [line["ratio"]])]


def mark(axes, x, y, interval, colour, marker="o", label=None, vertical=False):
    """A point with its interval."""
    if interval:
        ends = ([x, x], interval) if vertical else (interval, [y, y])
        axes.plot(*ends, color=colour, linewidth=1.8)
    axes.plot([x], [y], marker, color=colour, markersize=5, label=label)


def legend(axes, below=0.42):
    """Under the plot, in as many columns as fit: over it, it would hide what is measured."""
    labels = axes.get_legend_handles_labels()[1]
    widest = max(map(len, labels), default=1)
    columns = max(1, min(4, int(WIDTH_IN / (LETTER_IN * widest + 0.5))))
    height = axes.get_window_extent().height / axes.figure.dpi
    axes.legend(loc="upper left", bbox_to_anchor=(0, -below / height), ncols=columns, borderaxespad=0,
                handlelength=1.6, columnspacing=1.2, labelspacing=0.3)


def legend_room(labels):
    """Inches that legend() takes below the axis."""
    columns = max(1, min(4, int(WIDTH_IN / (LETTER_IN * max(map(len, labels), default=1) + 0.5))))
    return 0.55 + 0.17 * math.ceil(len(labels) / columns)
