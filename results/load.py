#!/usr/bin/python3
"""Servers under the same load, all in one run: ours over each reactor, the hand-written loops that are the physical
limit of each, tokio, Go, libuv and whatever else serves here.

A sample is a fresh server process under echo_load or wrk; its processor time is that of all its threads, per message
that was answered. A block takes each server once at each point (so many connections over TCP or a Unix socket), the
servers of a point directly after each other in random order. Shown are medians over the blocks and paired ratios, each
with its 95 % interval (the method of results/README.md). One worker by default: the limits are loops of one thread, and
the client takes a processor too.

What cannot run here is named on stderr. Exit status: 0 done, 1 a server failed or answered wrongly, 2 wrong usage or
something needed is missing, 130 interrupted (what was measured until then is shown).
"""
import argparse
import math
import random
import resource
import shlex
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

import machine
import plan
import sample
import servers
import stats
from common import EXIT_CHECK_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, Refusal, run_program, to_json, write_file
from process import Job
from progress import clock
from selection import CONNECTIONS, SPARE_DESCRIPTORS
from view import interval_text, rate_text, ratio_text, time_text

REFERENCES = {"echo": ("limit", "tokio", "go", "libuv", "rx_epoll"), "http": ("tokio", "go", "nginx", "rx_epoll")}
# Beside the window: starting, connecting, warming up, ending.
FIXED_S = 0.4
CONNECT_S = 0.0001


def parse(argv):
    parser = argparse.ArgumentParser(prog="./stealyard bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("echo", "http"), help="64 bytes there and back, or GET / under wrk")
    parser.add_argument("--connections", default=",".join(map(str, CONNECTIONS)), metavar="K,…",
                        help="default: %(default)s")
    parser.add_argument("--transports", metavar="T,…", help="echo: tcp, unix (default: both); http: tcp")
    parser.add_argument("--servers", metavar="NAME,…", help="names or patterns, as 'rx_*,limit-*,tokio' (default: all)")
    parser.add_argument("--workers", type=int, default=1, help="of each server (default: %(default)s)")
    parser.add_argument("--blocks", type=int, default=plan.MIN_BLOCKS, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=1.0,
                        help="a sample's window; wrk's in whole ones (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="of the order and the messages (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample and what was made of them there")
    parser.add_argument("--dry-run", action="store_true", help="what would be measured, and how long that takes")
    args = parser.parse_args(argv)
    return check(args)


def check(args):
    plan.check_effort(args.blocks, None, None, args.workers)
    if not 0.05 <= args.seconds <= 3600:
        raise Refusal(f"--seconds {args.seconds:g} is not a usable time: give a number from 0.05 to 3600", EXIT_USAGE)
    known = servers.TRANSPORTS if args.kind == "echo" else servers.TRANSPORTS[:1]
    args.transports = args.transports.split(",") if args.transports else list(known)
    for one in args.transports:
        if one not in known:
            raise Refusal(f"{args.kind} has no transport '{one}'; there are: {', '.join(known)}", EXIT_USAGE)
    try:
        args.connections = [int(one) for one in args.connections.split(",")]
    except ValueError:
        args.connections = [0]
    if min(args.connections) < 1:
        raise Refusal("--connections wants whole numbers from 1, with commas between them", EXIT_USAGE)
    if args.kind == "http":
        args.seconds = math.ceil(args.seconds)
    return args


def say(text):
    print(f"{Path(sys.argv[0]).stem}: {text}", file=sys.stderr, flush=True)


# ---- measuring ----

def points(args, arms):
    """{(transport, connections): arms}; what cannot be is named and left out."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = {}
    for transport in args.transports:
        able = [arm for arm in arms if transport in arm.transports]
        for arm in arms:
            if arm not in able:
                say(f"SKIPPED {arm.name} over {transport}: it serves on {' and '.join(arm.transports)} only")
        for connections in args.connections:
            need = connections + SPARE_DESCRIPTORS
            if hard != resource.RLIM_INFINITY and hard < need:
                say(f"SKIPPED {connections:,} connections over {transport}: they need {need} descriptors, the hard "
                    f"limit is {hard} (ulimit -Hn)")
            elif able:
                found[transport, connections] = able
    if not found:
        raise Refusal("nothing is left to measure")
    return found


def expected_s(args, chosen):
    block = sum(len(arms) * (1.1 * args.seconds + FIXED_S + CONNECT_S * connections)
                for (_, connections), arms in chosen.items())
    return args.blocks * block


class Run:
    """Takes the samples; `records` are those of every point and arm, by block."""

    def __init__(self, args, chosen):
        self.args, self.chosen, self.load = args, chosen, servers.need_load(args.kind)
        self.records = {(point, arm.name): {} for point, arms in chosen.items() for arm in arms}
        self.skipped, self.taken, self.interrupted = {}, 0, False

    def job(self, point, arm, path):
        (transport, connections), args = point, self.args
        workload = plan.Workload(f"{args.kind}_{connections}", "", 1, "server", workers=args.workers, base=args.kind,
                                 scale=("connections", connections))
        load = [*self.load, *(["--seed", str(args.seed)] if args.kind == "echo" else [])]
        return Job(workload, arm.serving(transport, path, args.workers), round(1000 * args.seconds), load=load,
                   connections=connections, seconds=args.seconds)

    def take(self, block, point, arm, folder):
        self.taken += 1
        record = sample.take(f"s{self.taken:05}", block, arm.name, self.job(point, arm, f"{folder}/{self.taken}"))
        record["transport"], record["connections"] = point
        what = f"{arm.name}, {point[0]}, {point[1]:,} connections"
        if record["skipped"]:
            self.skipped[point, arm.name] = record["skipped"]
            say(f"SKIPPED {what}: {record['skipped']}")
        elif record["failure"]:
            say(f"FAILED {what}: {record['failure']}")
        self.records[point, arm.name][block] = record

    def block(self, number, folder):
        rng = random.Random(f"{self.args.seed}/{number}")
        for point in rng.sample(list(self.chosen), len(self.chosen)):
            for arm in rng.sample(self.chosen[point], len(self.chosen[point])):
                if (point, arm.name) not in self.skipped:
                    self.take(number, point, arm, folder)

    def all(self):
        with tempfile.TemporaryDirectory(prefix="stealyard-") as folder:
            try:
                for number in range(1, self.args.blocks + 1):
                    self.block(number, folder)
                    say(f"block {number} of {self.args.blocks}")
            except KeyboardInterrupt:
                self.interrupted = True

    def failures(self):
        return [record for by_block in self.records.values() for record in by_block.values() if record["failure"]]


# ---- what comes out ----

def good(by_block):
    return {block: record for block, record in by_block.items() if record["value_ns"]}


def cpu_per_message(record):
    return record["cpu_ns"] / record["iterations"] if record["cpu_ns"] and record["iterations"] else None


def spread(values, seed):
    """Median and interval; None where there is nothing."""
    values = [value for value in values if value is not None]
    if not values:
        return None
    median, low, high = stats.median_interval(values, seed)
    return {"median": median, "low": low, "high": high}


def ratio(mine, other, value, seed):
    """How much better mine is than the other's, by a value that is better when it is less: paired by block."""
    pairs = [(value(mine[block]), value(other[block])) for block in mine.keys() & other.keys()]
    pairs = [pair for pair in pairs if None not in pair]
    if not pairs:
        return None
    found = stats.paired_ratio([theirs for _, theirs in pairs], [ours for ours, _ in pairs], seed)
    return {"n": found.n, "ratio": found.ratio, "low": found.low, "high": found.high}


def row(point, arm, records, kind, seed):
    mine = good(records[point, arm.name])
    versus = {}
    for name in REFERENCES[kind]:
        other = good(records.get((point, arm.limit if name == "limit" else name), {}))
        if other and name != arm.name:
            versus[name] = {"cpu": ratio(mine, other, cpu_per_message, seed),
                            "rate": ratio(mine, other, lambda record: record["value_ns"], seed)}
    return {"transport": point[0], "connections": point[1], "server": arm.name, "version": arm.version,
            "limit": arm.limit, "n": len(mine), "failed": sum(1 for one in records[point, arm.name].values()
                                                              if one["failure"]),
            "disturbed": sum(1 for one in mine.values() if one["disturbed"]),
            "messages_per_s": spread([1e9 / one["value_ns"] for one in mine.values()], seed),
            "cpu_ns_per_message": spread([cpu_per_message(one) for one in mine.values()], seed),
            "p50_ns": spread([one["latency_ns"]["p50"] for one in mine.values()], seed),
            "p99_ns": spread([one["latency_ns"]["p99"] for one in mine.values()], seed),
            "peak_rss_kib": spread([one["peak_rss_kib"] for one in mine.values()], seed), "better_than": versus}


def rows_of(run):
    return [row(point, arm, run.records, run.args.kind, run.args.seed)
            for point, arms in run.chosen.items() for arm in arms if run.records[point, arm.name]]


def spread_text(found, text):
    if found is None:
        return "–"
    return text(found["median"]) + (f" {interval_text((found['low'], found['high']), text)}" if found["low"] else "")


def versus_text(found):
    if found is None:
        return "–"
    return ratio_text(found["ratio"]) + (f" {interval_text((found['low'], found['high']))}" if found["low"] else "")


def table(kind, rows):
    """Lines of Markdown: the cheapest first."""
    names = [name for name in REFERENCES[kind] if any(name in one["better_than"] for one in rows)]
    rate = [name for name in names if name in ("limit", "tokio")]
    heads = ["server", "blocks", "messages/s", "CPU per message", "p50", "p99", *(f"CPU: {name}" for name in names),
             *(f"rate: {name}" for name in rate)]
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "--:|" * (len(heads) - 1)]
    for one in sorted(rows, key=lambda one: (one["cpu_ns_per_message"] or {"median": math.inf})["median"]):
        versus = one["better_than"]
        cells = [one["server"], f"{one['n']}" + (f" ({one['disturbed']} disturbed)" if one["disturbed"] else ""),
                 spread_text(one["messages_per_s"], rate_text), spread_text(one["cpu_ns_per_message"], time_text),
                 *((time_text(one[name]["median"]) if one[name] else "–") for name in ("p50_ns", "p99_ns")),
                 *(versus_text(versus.get(name, {}).get("cpu")) for name in names),
                 *(versus_text(versus.get(name, {}).get("rate")) for name in rate)]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


LEGEND = """Medians over the blocks with their 95 % intervals. "CPU: X" is the server's messages per second of processor
time divided by X's, "rate: X" its messages per second divided by X's; above 1 it is better than X."""
LIMITS = """"limit" is the hand-written loop that asks the kernel in the same way: limit-uring for rx_uring,
limit-multishot for rx_uring_local, limit-epoll for the others of ours."""


def report(run, rows):
    legend = "\n".join([LEGEND, *([LIMITS] if "limit" in REFERENCES[run.args.kind] else [])])
    lines = [f"# {run.args.kind}", "", *legend.splitlines()]
    for transport, connections in run.chosen:
        here = [one for one in rows if (one["transport"], one["connections"]) == (transport, connections)]
        lines += ["", f"## {run.args.kind} over {transport}, {connections:,} connections, {run.args.workers} "
                  f"worker{'s' * (run.args.workers != 1)}, {run.args.seconds:g} s", "", *table(run.args.kind, here)]
    return "\n".join(lines)


def described(argv, arms):
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return machine.describe(shlex.join(["./stealyard", "bench", *argv]), date,
                            {arm.name: arm.version for arm in arms if arm.version})


def main(argv):
    args = parse(argv)
    arms, skipped = servers.choose(args.kind, args.servers, say)
    for line in skipped:
        say(f"SKIPPED {line}")
    run = Run(args, points(args, arms))
    say(f"{sum(map(len, run.chosen.values()))} cells, {args.blocks} blocks of {args.seconds:g} s: about "
        f"{clock(expected_s(args, run.chosen))} minutes")
    if args.dry_run:
        for (transport, connections), able in run.chosen.items():
            print(f"{args.kind} over {transport}, {connections:,} connections: {', '.join(arm.name for arm in able)}")
        return 0
    run.all()
    rows = rows_of(run)
    print(report(run, rows))
    if args.json:
        samples = [record for by_block in run.records.values() for record in by_block.values()]
        write_file(args.json, to_json({"format": "stealyard-load", "schema": 1, "kind": args.kind,
                                       "workers": args.workers, "seconds": args.seconds, "blocks": args.blocks,
                                       "seed": args.seed, "machine": described(argv, arms), "skipped": skipped,
                                       "rows": rows, "samples": samples}))
    for record in run.failures():
        say(f"FAILED {record['arm']}, {record['transport']}, {record['connections']:,} connections, block "
            f"{record['block']}: {record['failure']}")
    return EXIT_INTERRUPTED if run.interrupted else EXIT_CHECK_FAILED if run.failures() else 0


if __name__ == "__main__":
    run_program("load", main)
