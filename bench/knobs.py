#!/usr/bin/env python3
"""What each policy of the executor costs or brings: where the defaults in executor/config.c come from.

Each value of a knob is an arm; each block runs every arm of a knob once per workload, in random order, each in a fresh
process. Printed is the median over the blocks of the paired ratio time(value) / time(default), so above 1 is slower.
"""
import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys

SPAWN = ["spawn_many_local", "spawn_many_remote_idle", "spawn_many_remote_busy1", "spawn_many_remote_busy2"]
LOCAL = ["yield_many", "ping_pong", "chained_spawn", "skynet", "fib"]
KNOBS = {
    "global_interval": ([61, 0, 13, 31, 127, 251], SPAWN + ["yield_many"]),
    "global_batch": ([64, 1, 8, 32, 128, 256], SPAWN + ["yield_many"]),
    "steal_batch": ([64, 1, 8, 32, 256], ["yield_many", "skynet", "fib", "ping_pong"]),
    "lifo_cap": ([3, 0, 1, 16, 1000], ["ping_pong", "chained_spawn", "skynet", "fib", "echo"]),
    "reactor_interval": ([61, 13, 31, 127, 1000], ["echo", "yield_many", "fib"]),
    "reactor_batch": ([128, 8, 32, 1024], ["echo"]),
    "spin_ns": ([10000, 0, 1000, 5000, 20000, 50000], SPAWN + LOCAL + ["echo"]),
    "searching_max": ([0, 1, 2], ["spawn_many_remote_idle", "ping_pong", "fib", "skynet"]),
    "handoff_ns": ([2000000, 200000, 10000000], ["echo"]),
    "speculative_io": ([0, 1], ["echo"]),
}


def sample(binary, workload, knob, value, budget_ms):
    command = [binary, "--workload", workload, "--budget-ms", str(budget_ms), "--set", f"{knob}={value}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"knobs: {' '.join(command)} failed: {done.stderr.strip()}")
    return json.loads(done.stdout)["median_ns"]


def measure(binary, knob, blocks, budget_ms):
    """{workload: {value: median of paired ratios to the first value}}"""
    values, workloads = KNOBS[knob]
    ratios = {w: {v: [] for v in values} for w in workloads}
    for block in range(blocks):
        print(f"{knob}: block {block + 1} of {blocks}", file=sys.stderr)
        for workload in random.sample(workloads, len(workloads)):
            times = {v: sample(binary, workload, knob, v, budget_ms) for v in random.sample(values, len(values))}
            for v in values:
                ratios[workload][v].append(times[v] / times[values[0]])
    return {w: {v: statistics.median(r) for v, r in by.items()} for w, by in ratios.items()}


def table(knob, medians):
    values, workloads = KNOBS[knob]
    lines = ["| " + knob + " | " + " | ".join(workloads) + " | all |", "|---" * (len(workloads) + 2) + "|"]
    for v in values:
        row = [medians[w][v] for w in workloads]
        mean = math.exp(sum(map(math.log, row)) / len(row))
        lines.append(f"| {v} | " + " | ".join(f"{r:.2f}" for r in row) + f" | {mean:.2f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("knobs", nargs="*", metavar="KNOB", help=f"any of: {', '.join(KNOBS)} (default: all)")
    parser.add_argument("--blocks", type=int, default=7)
    parser.add_argument("--budget-ms", type=int, default=60)
    parser.add_argument("--build", default=os.environ.get("STEALYARD_BUILD", "build/release"))
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    unknown = [k for k in args.knobs if k not in KNOBS]
    if unknown:
        parser.error(f"no knob is called {unknown[0]}; there are: {', '.join(KNOBS)}")
    binary = os.path.join(args.build, "bench", "workload")
    if not os.access(binary, os.X_OK):
        parser.error(f"{binary} is not there; build it first: ./stealyard bench workload --list")
    random.seed(args.seed)
    for knob in args.knobs or KNOBS:
        print(table(knob, measure(binary, knob, args.blocks, args.budget_ms)), flush=True)
        print(flush=True)


if __name__ == "__main__":
    main()
