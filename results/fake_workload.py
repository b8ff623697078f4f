#!/usr/bin/python3
"""Stands in for bench/workload in the tests of results/: the same command line and JSON, times of known truth.

FAKE_FAIL=workload makes that workload's check fail; FAKE_CRASH=workload makes it abort; FAKE_SKIP=workload makes it say
that the machine lacks what it needs; FAKE_SLOW_S makes each sample last that long; FAKE_FACTOR_<DEQUE> multiplies the
times of a deque.
"""
import argparse
import json
import os
import random
import sys
import time

WORKLOADS = {"spawn_many_local": (5e6, 10000), "fib": (2e6, 1000), "echo": (9e4, 64), "fib_42": (9e9, 10**9)}
EFFORTS = {"fib_42": "long"}
QUEUES, DEQUES, REACTORS = ("gq_mutex", "gq_ring", "gq_alien"), ("dq_chase_lev", "dq_mutex"), ("rx_epoll",)
TIMERS = ("tm_wheel",)

NOT_HERE = ("gq_alien",)


def entries(names):
    return [{"name": name, "summary": f"{name} for tests", "source": "made up", "progress": "lock-free",
             "bounded": False, "cost": "push: 1 RMW", "caveat": "wants another machine" if name in NOT_HERE else "",
             "works_here": name not in NOT_HERE} for name in names]


def listing():
    workloads = [{"name": name, "summary": f"{name} for tests", "ops": ops, "parts": ["queue", "deque", "reactor"],
                  "effort": EFFORTS.get(name, "core"), "measures": "duration", "ops_per_worker": False, "workers": 0}
                 for name, (_, ops) in WORKLOADS.items()]
    return {"queues": entries(QUEUES), "deques": entries(DEQUES), "reactors": entries(REACTORS),
            "timers": entries(TIMERS), "workloads": workloads}


def main():
    parser = argparse.ArgumentParser()
    for name in ("--workload", "--queue", "--deque", "--reactor"):
        parser.add_argument(name)
    for name in ("--workers", "--seed", "--budget-ms", "--iterations"):
        parser.add_argument(name, type=int)
    for name in ("--list", "--json", "--dynamic"):
        parser.add_argument(name, action="store_true")
    args = parser.parse_args()
    if args.list:
        print(json.dumps(listing()))
        return 0
    time.sleep(float(os.environ.get("FAKE_SLOW_S", "0")))
    if os.environ.get("FAKE_CRASH") == args.workload:
        os.abort()
    if os.environ.get("FAKE_SKIP") == args.workload:
        print("workload: no descriptors left", file=sys.stderr)
        return 77
    base, ops = WORKLOADS[args.workload]
    factor = float(os.environ.get(f"FAKE_FACTOR_{(args.deque or 'peer').upper()}", "1"))
    rng = random.Random()
    samples = [base * factor * rng.lognormvariate(0, 0.01) for _ in range(20)]
    checked = os.environ.get("FAKE_FAIL") != args.workload
    print(json.dumps({
        "workload": args.workload, "queue": args.queue, "deque": args.deque, "reactor": args.reactor,
        "workers": args.workers, "seed": args.seed, "iterations": len(samples), "ops_per_iteration": ops,
        "median_ns": sorted(samples)[10], "samples_ns": samples, "latency_ns": None, "checked": checked,
        "check": "the sum of all results",
        "peak_rss_kib": 3000, "cpu_ns": sum(samples), "counters": {"polls": ops * len(samples), "steals": 4}}))
    return 0 if checked else 1


if __name__ == "__main__":
    sys.exit(main())
