#!/usr/bin/python3
"""Measure the combinations and the peers against each other; write a bundle and its report."""
import argparse
import os
import secrets
import shlex
import shutil
import signal
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import bundle as bundles
import inventory
import machine
import peers as peer_runtimes
import plan
import report
import sample
from common import (EXIT_CHECK_FAILED, RESULTS, Refusal, choose_names, describe_os_error, run_program,
                    without_local_paths)
from progress import Progress, clock
from summary import summarise

EPILOG = """exit codes: 0 ok, 1 a check failed (the bundle is written and says which), 2 wrong usage or something is
missing, 130 interrupted. A bundle is built in <name>.partial/ and renamed when complete: what does not end in .partial
is whole."""


def arguments(argv):
    parser = argparse.ArgumentParser(
        prog="stealyard compare", description="Measure every combination of global queue, deque and reactor, and peer"
        " runtimes, in randomised complete blocks with a fresh process per sample; write a bundle with raw samples,"
        " statistics and report.html.", epilog=EPILOG, allow_abbrev=False)
    parser.add_argument("--queues", metavar="A,B", help="global queues (default: all)")
    parser.add_argument("--deques", metavar="A,B", help="deques (default: all)")
    parser.add_argument("--reactors", metavar="A,B", help="reactors (default: all)")
    parser.add_argument("--workloads", metavar="A,B", help=f"workloads, '{plan.HTTP}' among them (default: all)")
    parser.add_argument("--peers", metavar="A,B", default="tokio", help="peer runtimes, or none (default: tokio)")
    parser.add_argument("--workers", type=int, metavar="N", help="worker threads (default: online cores)")
    parser.add_argument("--dynamic", action="store_true",
                        help="also the default combination with dynamic instead of static dispatch")
    parser.add_argument("--blocks", type=int, metavar="N",
                        help="repetitions of the whole (default: what fits the time)")
    parser.add_argument("--budget-ms", type=int, metavar="MS",
                        help="time measured per sample (default: what fits)")
    parser.add_argument("--minutes", type=float, metavar="M",
                        help=f"time to fill (default: at most {plan.DEFAULT_MINUTES})")
    parser.add_argument("--full", action="store_true",
                        help=f"for publication: {plan.FULL_BLOCKS} blocks of {plan.FULL_BUDGET_MS} ms samples")
    parser.add_argument("--seed", type=int, help="seed of the order and the workloads (default: random, recorded)")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR",
                        help="where the bundle goes (default: results/)")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    args = parser.parse_args(argv)
    if args.full and args.minutes is not None:
        parser.error("--full and --minutes exclude each other: --full takes the time that it needs")
    plan.check_effort(args.blocks, args.budget_ms, args.minutes, args.workers)
    if args.full:
        args.blocks = args.blocks or plan.FULL_BLOCKS
        args.budget_ms = args.budget_ms or plan.FULL_BUDGET_MS
    args.workers = args.workers or len(os.sched_getaffinity(0))
    args.seed = secrets.randbits(31) if args.seed is None else args.seed
    return args


class Selection:
    """Arms, workloads and the cells that exist, chosen by name; `skipped` says what cannot run here."""

    def __init__(self, args, say):
        found = inventory.ask()
        chosen = [choose_names(kind[:-1], getattr(args, kind), inventory.names(found, kind))
                  for kind in ("queues", "deques", "reactors")]
        self.described = {w["name"]: {key: w.get(key) for key in ("name", "summary", "ops")}
                          for w in found["workloads"]}
        self.described[plan.HTTP] = {"name": plan.HTTP, "summary": plan.HTTP_SUMMARY, "ops": 1}
        workloads = choose_names("workload", args.workloads, list(self.described))
        self.peers, self.skipped = peer_runtimes.find(args.peers, say)
        self.arms = plan.make_arms(*chosen, [peer.name for peer in self.peers], args.dynamic)
        self.cells = self._cells(workloads)
        if not self.cells:
            raise Refusal(f"nothing is left to measure: {'; '.join(self.skipped)}")

    def _cells(self, workloads):
        can = {peer.name: peer.workloads for peer in self.peers}
        cells = {name: [arm.id for arm in self.arms if arm.kind != "peer" or name in can[arm.id]]
                 for name in workloads}
        if plan.HTTP in cells and (reason := missing_for_http()):
            self.skipped.append(f"workload {plan.HTTP}: {reason}")
            del cells[plan.HTTP]
        elif plan.HTTP in cells:
            # httpd has the static instances only, and no peer has an httpd here.
            dynamic = {arm.id for arm in self.arms if arm.dynamic}
            cells[plan.HTTP] = [arm for arm in cells[plan.HTTP] if arm not in dynamic]
        return cells

    def command(self, arm, workload, workers, seed, budget_ms):
        parts = ["--queue", arm.queue, "--deque", arm.deque, "--reactor", arm.reactor]
        common = ["--workload", workload, "--seed", str(seed), "--budget-ms", str(budget_ms)]
        workers = ["--workers", str(workers)]
        if workload == plan.HTTP:
            return [inventory.httpd_binary(), "--port", "0", *workers, *parts]
        if arm.kind == "peer":
            return [next(peer.binary for peer in self.peers if peer.name == arm.id), *common, *workers]
        return [inventory.workload_binary(), *common, *workers, *parts, *(["--dynamic"] if arm.dynamic else [])]


def missing_for_http():
    if shutil.which("wrk") is None:
        return "wrk is missing: apt-get install wrk"
    if not inventory.httpd_binary().exists():
        return f"{inventory.httpd_binary()} is not built"
    return None


class Run:
    """Takes the samples of a selection, block by block, into a bundle's writer."""

    def __init__(self, selection, args, writer):
        self.selection, self.args, self.writer = selection, args, writer
        self.arms = {arm.id: arm for arm in selection.arms}
        self.versions = {}

    def block(self, number, budget_ms, progress, weights):
        """One complete block; block 0 is the pilot. Weights: what each cell adds to the progress."""
        seed = self.args.seed + number
        for workload, arm in plan.order_of_block(self.selection.cells, self.args.seed, number):
            command = self.selection.command(self.arms[arm], workload, self.args.workers, seed, budget_ms)
            name = f"s{len(self.writer.samples) + 1:05d}"
            record, version = sample.take(name, number, arm, workload, command, budget_ms)
            if version:
                self.versions[arm] = version
            self.writer.add(record)
            if record["failure"]:
                progress.say(f"FAILED {name} {workload} {arm}: {record['failure']}")
            progress.step(weights[workload, arm], f"block {number}: {workload} {arm}")

    def pilot(self):
        """A short block that is checked but not counted: it warms up and tells what each sample costs."""
        total = sum(map(len, self.selection.cells.values()))
        progress = Progress(total)
        progress.say(f"pilot: {total} short samples, checked but not counted")
        weights = {(w, arm): 1 for w, arms in self.selection.cells.items() for arm in arms}
        self.block(0, plan.PILOT_BUDGET_MS, progress, weights)
        progress.close()
        return {(s["workload"], s["arm"]): plan.Cost.of(s) for s in self.writer.samples}

    def blocks(self, blocks, budget_ms, costs, seconds_left):
        """Takes the blocks and says how many there were time for; seconds_left None: all, however long it takes."""
        weights = {cell: cost.seconds(budget_ms) for cell, cost in costs.items()}
        seconds = blocks * sum(weights.values())
        progress = Progress(seconds)
        progress.say(f"{blocks} blocks × {len(costs)} samples of {budget_ms} ms, about {clock(seconds)} minutes,"
                     f" seed {self.args.seed}")
        done, start = 0, time.monotonic()
        while done < blocks:
            done += 1
            self.block(done, budget_ms, progress, weights)
            if seconds_left is not None and plan.time_is_up(done, time.monotonic() - start, seconds_left):
                break
        progress.close()
        if done < blocks:
            progress.say(f"the time is up after {done} of {blocks} blocks")
        return done


def measure(selection, args, writer, described):
    """Pilot, blocks, statistics, report; returns the finished bundle's summary."""
    run = Run(selection, args, writer)
    seconds = 60 * (args.minutes or plan.DEFAULT_MINUTES)
    fill = args.minutes is not None
    costs = run.pilot()
    left = seconds - sum(s["elapsed_s"] for s in writer.samples)
    blocks, budget_ms = plan.choose_effort(costs.values(), left, args.blocks, args.budget_ms, fill)
    blocks = run.blocks(blocks, budget_ms, costs, None if args.blocks else left)
    for arm, version in run.versions.items():
        described["versions"][arm] = version
    content = plan.describe(selection.arms, selection.cells, selection.described, args.seed, args.workers)
    content.update(blocks=blocks, budget_ms=budget_ms, skipped=list(map(without_local_paths, selection.skipped)))
    summary = summarise(content, writer.samples)
    writer.write_parts(content, described, summary)
    made = bundles.Bundle(writer.final.name, writer.path, content, described, writer.samples, summary)
    for name, text in report.files(made).items():
        writer.write(name, text)
    return made


def interrupt(_signal, _frame):
    raise KeyboardInterrupt


def main(argv):
    args = arguments(argv)
    bundles.need_schema_library()
    signal.signal(signal.SIGTERM, interrupt)

    def say(line):
        print(line, file=sys.stderr, flush=True)
    selection = Selection(args, say)
    for line in selection.skipped:
        say(f"SKIPPED {line}")
    date = datetime.now(timezone.utc)
    described = machine.describe(shlex.join(["./stealyard", "compare", *argv]), date.isoformat(timespec="seconds"), {})
    commit = (described["commit"] or "nocommit")[:10] + ("-dirty" if described["dirty"] else "")
    writer = bundles.Writer(args.out, f"{date:%Y-%m-%d}-{machine.short_name(described)}-{commit}")
    try:
        made = measure(selection, args, writer, described)
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
    print(report.summary_json(made, final) if as_json else report.terminal_text(made, final))
    if made.summary["failed"] or made.summary["mismatches"]:
        problems = len(made.summary["failed"]) + len(made.summary["mismatches"])
        print(f"stealyard compare: {problems} checks failed: see {final / 'report.html'}", file=sys.stderr)
        return EXIT_CHECK_FAILED
    return 0


if __name__ == "__main__":
    run_program("stealyard compare", main)
