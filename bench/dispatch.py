#!/usr/bin/python3
"""What the choice of parts costs: the worker's calls bound statically, put in by hand, and through tables at run time.

Instructions per operation are counted by callgrind and vary from run to run by a few in a thousand at most, so the
claim that static binding is within 2 % of the hand-written loop is checked by them. Times are medians of interleaved
processes and stand beside them.

Exit status: 0 the claim holds, 1 it does not, 2 wrong usage or a program is missing, 77 there is no valgrind.
"""
import argparse
import json
import os
import random
import shutil
import statistics
import sys
from pathlib import Path

from callgrind import EXIT_FAILED, Refusal, instructions, per_operation, run

ROOT = Path(__file__).resolve().parent.parent
WORKLOADS = ("yield_many", "chained_spawn", "ping_pong", "fib")
# (iterations, more iterations): the difference between two runs leaves out what starting and ending takes.
ITERATIONS = {"yield_many": (1, 3), "chained_spawn": (5, 105), "ping_pong": (5, 55), "fib": (1, 2)}
ARMS = ("hand", "static", "dynamic")
TOLERANCE = 1.02
HANG_S = 300
EXIT_SKIPPED = 77


def parse(argv):
    build = os.environ.get("STEALYARD_BUILD") or ROOT / "build" / "release"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path(build), help="the build directory (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=9, help="processes per arm and workload; 0: no times (default 9)")
    parser.add_argument("--budget-ms", type=int, default=100, help="what each of them measures (default 100)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args(argv)


def command_of(build, arm, workload):
    """One worker: nothing is stolen and nobody waits, so what is left is the loop."""
    program = build / "bench" / ("workload_hand" if arm == "hand" else "workload")
    if not program.exists():
        raise Refusal(f"{program} is missing: build it (ninja -C {build} bench/all)")
    dynamic = ["--dynamic"] if arm == "dynamic" else []
    return [str(program), "--workload", workload, "--workers", "1", "--set", "spin_ns=0", *dynamic]


def instructions_per_op(build, arm, workload):
    command = command_of(build, arm, workload)

    def of(iterations):
        count, printed = instructions([*command, "--iterations", str(iterations)], HANG_S)
        return count, printed["iterations"] * printed["ops_per_iteration"]

    return per_operation(*map(of, ITERATIONS[workload]))


def times_per_op(build, workload, rounds, budget_ms):
    """{arm: [ns]}; the arms of a round run directly after each other, in random order."""
    times = {arm: [] for arm in ARMS}
    for number in range(rounds):
        for arm in random.Random(number).sample(ARMS, len(ARMS)):
            result = json.loads(run([*command_of(build, arm, workload), "--budget-ms", str(budget_ms)],
                                    HANG_S).stdout)
            times[arm].append(result["median_ns"] / result["ops_per_iteration"])
    return times


def median_ratio(times, arm, other):
    return statistics.median(a / b for a, b in zip(times[arm], times[other]))


def measure(args):
    rows = []
    for workload in WORKLOADS:
        print(f"dispatch: {workload}", file=sys.stderr)
        count = {arm: instructions_per_op(args.build, arm, workload) for arm in ARMS}
        row = {"workload": workload, "instructions": count, "static_to_hand": count["static"] / count["hand"],
               "dynamic_to_static": count["dynamic"] / count["static"]}
        if args.rounds:
            times = times_per_op(args.build, workload, args.rounds, args.budget_ms)
            row["ns"] = {arm: statistics.median(times[arm]) for arm in ARMS}
            row["time_static_to_hand"] = median_ratio(times, "static", "hand")
            row["time_dynamic_to_static"] = median_ratio(times, "dynamic", "static")
        rows.append(row)
    return rows


def print_table(rows):
    print("| workload, 1 worker | instructions per operation: by hand | static | dynamic | static/hand "
          "| dynamic/static | ns: by hand | static | dynamic | static/hand | dynamic/static |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for row in rows:
        cells = [f"{row['instructions'][arm]:.1f}" for arm in ARMS]
        cells += [f"{row['static_to_hand']:.3f}", f"{row['dynamic_to_static']:.3f}"]
        if "ns" in row:
            cells += [f"{row['ns'][arm]:.1f}" for arm in ARMS]
            cells += [f"{row['time_static_to_hand']:.3f}", f"{row['time_dynamic_to_static']:.3f}"]
        else:
            cells += ["–"] * 5
        print(f"| {row['workload']} | {' | '.join(cells)} |")


def main(argv):
    args = parse(argv)
    if args.rounds < 0 or args.budget_ms < 1:
        raise Refusal("--rounds must be at least 0 and --budget-ms at least 1")
    if shutil.which("valgrind") is None:
        raise Refusal("skipped: it needs valgrind (Debian: apt-get install valgrind)", EXIT_SKIPPED)
    rows = measure(args)
    if args.json:
        print(json.dumps(rows, indent=2))
    else:
        print_table(rows)
    slow = [row["workload"] for row in rows if row["static_to_hand"] > TOLERANCE]
    if slow:
        raise Refusal(f"static dispatch takes over 2 % more instructions than by hand: {', '.join(slow)}", EXIT_FAILED)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Refusal as refusal:
        print(f"dispatch: {refusal}", file=sys.stderr)
        sys.exit(refusal.code)
    except KeyboardInterrupt:
        sys.exit(130)
