#!/usr/bin/python3
"""Render report.html, table.md and charts of a bundle; with two bundles, compare them."""
import argparse
import os
import sys
import webbrowser
from pathlib import Path

import jinja2

import bundle as bundles
import tables
import verdict
import view as words
from common import RESULTS, run_program, slug, to_json, write_file
from summary import has_failed


def environment():
    loader = jinja2.FileSystemLoader(RESULTS)
    found = jinja2.Environment(loader=loader, autoescape=jinja2.select_autoescape(["html.j2", "html"]),
                               trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    found.filters.update(time=words.time_text, number=words.number_text, ratio=words.ratio_text,
                         interval=words.interval_text, slug=slug, zip=zip)
    return found


def context(bundle):
    view = words.View(bundle)
    names, counters = tables.counter_table(view)
    return {"bundle": bundle, "plan": bundle.plan, "summary": bundle.summary, "machine": bundle.machine, "view": view,
            "evidence": verdict.evidence(bundle), "sentences": verdict.sentences(bundle),
            "heats": tables.heat_groups(view), "overall": tables.overall_rows(view),
            "transfers": {kind: one for kind, one in bundle.summary["transfer"].items() if one},
            "answer": verdict.transfer_answer, "coverage": verdict.coverage(view),
            "scalings": tables.scaling_sets(view), "latencies": tables.latency_sets(view),
            "paretos": tables.pareto_sets(view), "micro_rows": tables.micro_rows(view),
            "server_rows": tables.server_rows(view), "exact_rows": tables.exact_rows(view), "relaxed": view.arms.orders,
            "counter_names": names, "counter_rows": counters, "raw": tables.raw_groups(view),
            "machine_lines": words.machine_lines(bundle.machine), "anchor": words.anchor, "is_time": words.is_time,
            "failed_samples": [s for s in bundle.samples if s["failure"] or has_failed(s)]}


def files(bundle):
    """{name in the bundle: text} of everything that is made for people."""
    import plots  # here, because Matplotlib takes a second to load and most calls end before

    return render(bundle, plots.draw(words.View(bundle)))


def render(bundle, drawn):
    import charts

    values, env = context(bundle), environment()
    made = {f"charts/{name}.svg": charts.standalone(svg) for name, svg in drawn.items()}
    made["report.html"] = env.get_template("report.html.j2").render(charts=drawn, **values)
    made["table.md"] = env.get_template("table.md.j2").render(**values)
    return made


def terminal_text(bundle, path):
    return "\n".join(["", *(f"- {line}" for line in verdict.sentences(bundle)), "", f"report: {path / 'report.html'}"])


def summary_json(bundle, path):
    return to_json({"bundle": str(path), **bundle.summary}).rstrip()


def arguments(argv):
    parser = argparse.ArgumentParser(
        prog="stealyard report", description="Render report.html, table.md and charts of a bundle again, after checking"
        " that it is whole. With two bundles: compare the second with the first.", allow_abbrev=False,
        epilog="exit codes: 0 ok, 2 wrong usage or not a valid bundle")
    parser.add_argument("bundles", nargs="+", metavar="DIR", help="one bundle, or two to compare")
    parser.add_argument("--open", choices=("yes", "no"), help="open in a browser (default: yes on a desktop terminal)")
    args = parser.parse_args(argv)
    if len(args.bundles) > 2:
        parser.error(f"one or two bundles, not {len(args.bundles)}")
    return args


def render_one(directory):
    bundle = bundles.load(directory)
    (bundle.path / "charts").mkdir(exist_ok=True)
    made = files(bundle)
    for name, text in made.items():
        write_file(bundle.path / name, text)
    for stale in (bundle.path / "charts").glob("*.svg"):
        if f"charts/{stale.name}" not in made:
            stale.unlink()
    print("\n".join(f"- {line}" for line in verdict.sentences(bundle)))
    return bundle.path / "report.html"


def render_two(first, second):
    import versus  # here, because it loads Matplotlib

    old, new = bundles.load(first), bundles.load(second)
    values = versus.context(old, new)
    page = environment().get_template("versus.html.j2").render(**values)
    path = new.path / f"versus-{old.name}.html"
    write_file(path, page)
    print("\n".join(f"- {line}" for line in values["sentences"]))
    return path


def main(argv):
    args = arguments(argv)
    path = render_one(args.bundles[0]) if len(args.bundles) == 1 else render_two(*args.bundles)
    print(path)
    desktop = sys.stdout.isatty() and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    if args.open == "yes" or (args.open is None and desktop):
        webbrowser.open(Path(path).resolve().as_uri())
    return 0


if __name__ == "__main__":
    run_program("stealyard report", main)
