#!/usr/bin/python3
"""Stands in for bench/micro in the tests of results/: the same list of cases, and Google Benchmark's JSON.

FAKE_FAIL=<part of a case's name> makes its check fail.
"""
import json
import os
import re
import sys

SHAPES = {"queue": (("pairs/1", True, None), ("transfer/2:2/batch:1", True, ("threads", 4)),
                    ("transfer/4:4/batch:1", False, ("threads", 8))),
          "deque": (("thieves/1", True, None),), "reactor": (("pingpong/tcp", True, None),)}
IMPLEMENTATIONS = {"queue": ("gq_mutex", "gq_ring", "made_up_peer"), "deque": ("dq_chase_lev", "dq_mutex"),
                   "reactor": ("rx_epoll",)}
TIMES_NS = {"gq_mutex": 50.0, "gq_ring": 75.0}


def cases():
    found = [{"case": "reference/fetch_add/2", "part": "reference", "implementation": None, "shape": "fetch_add/2",
              "core": True, "axis": None, "base": "reference/fetch_add", "measures": "duration", "peer": False}]
    for part, shapes in SHAPES.items():
        for shape, core, axis in shapes:
            found += [{"case": f"{part}/{shape}/{name}", "part": part, "implementation": name, "shape": shape,
                       "core": core, "axis": axis and {"axis": axis[0], "x": axis[1]},
                       "base": f"{part}/{shape.split('/')[0]}", "measures": "duration",
                       "peer": not name[:3] in ("gq_", "dq_", "rx_")} for name in IMPLEMENTATIONS[part]]
    return found


def main():
    flags = dict(argument.lstrip("-").partition("=")[::2] for argument in sys.argv[1:])
    if "list-cases" in flags:
        print(json.dumps(cases()))
        return 0
    chosen = [one for one in cases() if re.search(flags["benchmark_filter"], one["case"])]
    case, = chosen
    entry = {"name": case["case"], "run_type": "iteration", "iterations": 1000, "time_unit": "ns",
             "real_time": TIMES_NS.get(case["implementation"], 60.0), "cpu_time": 1.0, "empty": 0.5, "full": 0.0,
             "retry": 0.25, "fairness": 0.9, "peak_rss_kib": 2000.0, "p50": 40.0, "p99_9": 90.0, "latency_max": 100.0}
    failing = os.environ.get("FAKE_FAIL")
    if failing and failing in case["case"]:
        entry.update(error_occurred=True, error_message="an item was lost")
    print(json.dumps({"context": {}, "benchmarks": [entry]}))
    return 1 if "error_occurred" in entry else 0


if __name__ == "__main__":
    sys.exit(main())
