#!/usr/bin/python3
"""Measure the combinations and the peers against each other; write a bundle and its report."""
import argparse
import os
import secrets
import shlex
import signal
import sys
from datetime import datetime, timezone
from pathlib import Path

import bundle as bundles
import exact_figures
import machine
import plan
import resume
from common import EXIT_CHECK_FAILED, RESULTS, Refusal, describe_os_error, run_program, to_json, without_local_paths
from run import Run, describe_dry
from selection import Selection

EPILOG = """A name may be a shell-style pattern: --workloads 'sync_*,queue/*'. Without --full, all is what is of effort
"core"; named ones are measured whatever their effort. Exit codes: 0 ok, 1 a check failed (the bundle is written and
says which), 2 wrong usage or something is missing, 130 interrupted. A bundle is built in <name>.partial/ and renamed
when complete: what does not end in .partial is whole."""


def parser():
    made = argparse.ArgumentParser(
        prog="stealyard compare", description="Measure combinations of global queue, deque and reactor, the parts by"
        " themselves and peer runtimes, in randomised complete blocks with a fresh process per sample; write a bundle"
        " with raw samples, statistics and report.html. By default: a star around the default combination (the first"
        " of each list), a balanced fraction of the pairs, the peers, and the default once more as A/A control.",
        epilog=EPILOG, allow_abbrev=False)
    made.add_argument("--queues", metavar="A,B", help="global queues; the first is the default one (default: all)")
    made.add_argument("--deques", metavar="A,B", help="deques, likewise")
    made.add_argument("--reactors", metavar="A,B", help="reactors, likewise")
    made.add_argument("--workloads", metavar="A,B", help="workloads and micro-benchmarks (default: all of effort core)")
    made.add_argument("--peers", metavar="A,B", help="peer runtimes and data structures, or none (default: all)")
    made.add_argument("--workers", type=int, metavar="N", help="worker threads (default: online cores)")
    made.add_argument("--dynamic", action="store_true",
                      help="also the default combination with dynamic instead of static dispatch")
    made.add_argument("--blocks", type=int, metavar="N", help="repetitions of the whole (default: what fits the time)")
    made.add_argument("--budget-ms", type=int, metavar="MS", help="time measured per sample (default: what fits)")
    made.add_argument("--minutes", type=float, metavar="M",
                      help=f"time to fill (default: at most {plan.DEFAULT_MINUTES})")
    made.add_argument("--full", action="store_true",
                      help="every combination on every workload, every micro-benchmark; for publication:"
                      f" {plan.FULL_BLOCKS} blocks of {plan.FULL_BUDGET_MS} ms samples. Goes on with an interrupted"
                      " --full of the same commit, build, machine and options, if there is one")
    made.add_argument("--resume", nargs="?", const="", metavar="DIR.partial",
                      help="go on with an interrupted run (default: the only one in --out)")
    made.add_argument("--clang", action="store_true",
                      help="what clang compiles instead of gcc (the front command builds and chooses it)")
    made.add_argument("--no-exact", action="store_true", help="leave out the figures that are counted, not timed")
    made.add_argument("--dry-run", action="store_true", help="print what would be measured and how long it would take")
    made.add_argument("--seed", type=int, help="seed of the order and the workloads (default: random, recorded)")
    made.add_argument("--out", type=Path, default=RESULTS, metavar="DIR",
                      help="where the bundle goes (default: results/)")
    made.add_argument("--json", action="store_true", help="print the summary (or the dry run's plan) as JSON")
    return made


def arguments(argv):
    """(arguments, those that were given)."""
    args = parser().parse_args(argv)
    given = {name: value for name, value in vars(args).items() if value != parser().get_default(name)}
    if args.full and args.minutes is not None:
        parser().error("--full and --minutes exclude each other: --full takes the time that it needs")
    plan.check_effort(args.blocks, args.budget_ms, args.minutes, args.workers)
    return args, given


def settle(args):
    """Puts in what was left to us."""
    if args.full:
        args.blocks = args.blocks or plan.FULL_BLOCKS
        args.budget_ms = args.budget_ms or plan.FULL_BUDGET_MS
    args.workers = args.workers or len(os.sched_getaffinity(0))
    args.seed = secrets.randbits(31) if args.seed is None else args.seed


def say(line):
    print(line, file=sys.stderr, flush=True)


def interrupt(_signal, _frame):
    raise KeyboardInterrupt


def describe_now(argv, selection):
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return machine.describe(shlex.join(["./stealyard", "compare", *argv]), date, selection.versions())


def open_writer(args, given, selection, described, resumed):
    """A new partial directory, or the one to go on with."""
    path = None
    if resumed:
        path, state = resumed
        resume.check(path, state, resume.identity(args, selection, described))
    elif args.full:
        path = resume.same_full_run(args, given, selection, described, say)
    if path:
        writer = bundles.Writer.resume(path, say)
        say(f"going on with {path}: {len(writer.samples)} samples are there")
        return writer
    commit = (described["commit"] or "nocommit")[:10] + ("-dirty" if described["dirty"] else "")
    name = f"{described['date'][:10]}-{machine.short_name(described)}-{commit}" + ("-clang" if args.clang else "")
    state = {**resume.identity(args, selection, described), "described": described, "resumed": 0}
    return bundles.Writer.create(args.out, name, state)


def plan_of(selection, args, run, blocks, budget_ms, resumed):
    """The content of plan.json."""
    content = plan.describe(list(selection.arms.values()), run.cells, selection.workloads, selection.default, args.seed,
                            args.workers)
    left_out = [f"{what}: no time for {', '.join(names)}" for what, names in run.left_out.items()]
    left_out += [f"every {part}: only --full or by name on {', '.join(names)}, where it matters less"
                 for part, names in selection.not_varied.items() if names]
    if selection.not_core:
        left_out.append(f"{len(selection.not_core)} workloads and micro-benchmarks that only --full measures")
    return {**content, "blocks": blocks, "budget_ms": budget_ms, "left_out": left_out,
            "skipped": list(map(without_local_paths, selection.skipped + run.skipped)),
            "design": "full" if args.full else "star", "resumed": resumed, "exists": selection.exists}


def measure(selection, args, writer):
    """Pilot, blocks, exact figures, statistics, report; returns the finished bundle."""
    run = Run(selection, args, writer)
    run.pilot()
    blocks, budget_ms = run.choose_effort()
    resumed = writer.state["resumed"]
    content = plan_of(selection, args, run, blocks, budget_ms, resumed)
    writer.write("plan.json", to_json({**bundles.HEADER, **content}))
    content["blocks"] = run.blocks(blocks, budget_ms)
    rows = None
    if not args.no_exact:
        say("counting instructions, atomic operations and allocations")
        rows, reason = exact_figures.take(args.full)
        if reason:
            say(f"SKIPPED exact figures: {reason}")
            content["skipped"].append(without_local_paths(f"exact figures: {reason}"))
    return conclude_bundle(writer, content, rows)


def conclude_bundle(writer, content, rows):
    import report  # here, because SciPy and Matplotlib take a second to load and a refusal needs neither
    from summary import summarise

    described = writer.state["described"]
    summary = summarise(content, writer.samples)
    if rows is not None:
        writer.write_exact(rows)
    writer.write_parts(content, described, summary)
    made = bundles.Bundle(writer.final.name, writer.path, content, described, writer.samples, summary, rows)
    for name, text in report.files(made).items():
        writer.write(name, text)
    return made


def main(argv):
    args, given = arguments(argv)
    bundles.need_schema_library()
    signal.signal(signal.SIGTERM, interrupt)
    resumed = None
    if args.resume is not None:
        resumed = resume.find(args.resume, args.out)
        resume.take_over(args, given, *resumed)
    settle(args)
    selection = Selection(args, say)
    for line in selection.skipped:
        say(f"SKIPPED {line}")
    if args.dry_run:
        print(describe_dry(selection, args, plan_of))
        return 0
    writer = open_writer(args, given, selection, describe_now(argv, selection), resumed)
    try:
        made = measure(selection, args, writer)
        final = writer.finish()
    except BaseException as reason:
        kept = writer.abandon()
        if isinstance(reason, OSError):
            raise Refusal(f"cannot write the bundle: {describe_os_error(reason)}; {kept}") from None
        say(f"not finished: {kept}")
        raise
    return conclude(made, final, args.json)


def conclude(made, final, as_json):
    """Print the verdict; exit code 1 if any check failed."""
    import report  # as above

    print(report.summary_json(made, final) if as_json else report.terminal_text(made, final))
    if made.summary["failed"] or made.summary["mismatches"]:
        problems = len(made.summary["failed"]) + len(made.summary["mismatches"])
        print(f"stealyard compare: {problems} checks failed: see {final / 'report.html'}", file=sys.stderr)
        return EXIT_CHECK_FAILED
    return 0


if __name__ == "__main__":
    run_program("stealyard compare", main)
