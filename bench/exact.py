#!/usr/bin/python3
"""Figures that noise cannot move, per operation: instructions, system calls, atomic read-modify-writes, fences,
allocations, bytes.

Cases of one thread only, for how often threads collide is noise again. Instructions are counted by callgrind, of the
micro-benchmarks and of runtime workloads with one worker: the difference between a short and a longer run, so that
starting and ending are left out; so are system calls, of reactors, by strace. The rest comes from the counting build of
the micro-benchmarks (micro_counting): queues/atomics.h counts itself, a mutex taken counts as two read-modify-writes
(what locking and unlocking one that is free takes with glibc), membarriers are calls of membarrier(2), and allocations
those of malloc and its kin. Fences are fence_seq_cst; a seq_cst store is none of the figures here, though it costs as
much. deque/theft counts what a thief does alone: one successful steal of one item or of up to 32, and those that said
RETRY before it. What a peer does with atomics cannot be counted that way, nor what oneTBB takes from its own allocator:
no figure stands there.

Exit status: 0 done, 1 a program failed, 2 wrong usage or a program is missing.
"""
import argparse
import json
import os
import re
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from callgrind import EXIT_FAILED, Refusal, instructions, per_operation, run

ROOT = Path(__file__).resolve().parent.parent
COUNTED = (r"^(reference/((plain_ring|fetch_add|cas_loop|malloc_free)/1|plain_stack/.*)$|"
           r"queue/(pairs/1|burst/|empty/1)|deque/(owner|empty|growth|theft)|"
           r"reactor/(pingpong/|bench/n:1000/a:100/w:1000/|timers/cancel/))")
BY_CALLGRIND = (r"^(reference/(plain_ring/1|plain_stack/.*)$|queue/(pairs/1|burst/64|empty/1)/|"
                r"deque/(owner/depth:(1|64)|theft/batch:(1|32))/|"
                r"reactor/(pingpong/tcp|bench/n:1000/a:100/w:1000|timers/steady/(fire|cancel)/n:(10|1000|100000))/)")
COUNTED_OPERATIONS = 20480
# strace makes each call slow, and so the more come together; a pair that plays ping-pong never has two at once.
BY_STRACE = r"^reactor/(pingpong/|bench/n:1000/a:1/w:1000/)"
# The short run is longer than what a part does only at first; the longer one takes so many times as many operations.
FEW, MORE = 8192, 3
FEW_TRACED = 512  # these take microseconds each, and do not vary
# {workload: (iterations, more iterations)}: the first in each part's own row, all of them with the default parts.
WORKLOADS = {"yield_many": (1, 2), "chained_spawn": (5, 55), "ping_pong": (5, 30), "fib": (1, 2)}
VARIED = {"queue": ("yield_many",), "deque": ("yield_many", "chained_spawn")}
OWN_ALLOCATOR = ("onetbb",)
RMW_OF_A_LOCK = 2
# What a thief does is a function of its own (bench/micro_deque.h), whatever suffix a compiler gives it.
THEFT = "{}_steal_alone*"
HANG_S = 120


def parse(argv):
    build = os.environ.get("STEALYARD_BUILD") or ROOT / "build" / "release"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path(build), help="the build directory (default: %(default)s)")
    parser.add_argument("--quick", action="store_true",
                        help="the counting build only: no instructions, no system calls")
    parser.add_argument("--json", action="store_true", help='print {"rows": [...]} instead of a table')
    return parser.parse_args(argv)


def built(build, name):
    path = build / "bench" / name
    if not path.exists():
        raise Refusal(f"{path} is missing: build it (ninja -C {build} bench/all; micro needs Google Benchmark)")
    return str(path)


def reactors_here(build):
    """Those that the kernel and the container let us have."""
    known = json.loads(run([built(build, "workload"), "--list", "--json"], HANG_S).stdout)
    return {part["name"]: part["works_here"] for part in known["reactors"]}


def is_here(case, here):
    return here.get(case["implementation"], True)


def cases(micro, pattern):
    return [case for case in json.loads(run([micro, "--list-cases", "--json"], HANG_S).stdout)
            if re.search(pattern, case["case"])]


def row_of(workload, arm, how, **figures):
    row = {"workload": workload, "arm": arm, "per": "operation", "instructions": None, "rmw": None, "fences": None,
           "membarriers": None, "allocations": None, "bytes": None, "system_calls": None, "how": how}
    return row | figures


def key_of(case):
    """(workload, arm) as a bundle has them."""
    implementation = case["implementation"]
    if implementation is None:
        return case["case"], case["part"]
    return case["case"].removesuffix(f"/{implementation}"), implementation


# ---- the counting build ----

def count_figures(case, entry):
    figures = {}
    if not case["peer"]:
        figures = {"rmw": entry["rmw"] + RMW_OF_A_LOCK * entry["locks"], "fences": entry["fences"],
                   "membarriers": entry["membarriers"]}
    if case["implementation"] not in OWN_ALLOCATOR:
        figures |= {"allocations": entry["allocations"], "bytes": entry["bytes"]}
    return figures


def counted(build, here):
    """{(workload, arm): row}"""
    program = built(build, "micro_counting")
    wanted = {case["case"]: case for case in cases(program, COUNTED) if is_here(case, here)}
    pattern = "|".join(f"^{re.escape(name)}$" for name in wanted)
    done = run([program, f"--benchmark_filter={pattern}", f"--operations={COUNTED_OPERATIONS}",
                "--benchmark_format=json"], HANG_S)
    found = {}
    for entry in json.loads(done.stdout)["benchmarks"]:
        case = wanted[entry["name"]]
        figures = count_figures(case, entry)
        if figures:
            found[key_of(case)] = row_of(*key_of(case), "counting build", **figures)
    return found


# ---- callgrind ----

def micro_instructions(micro, case):
    function = THEFT.format(case["implementation"]) if case["shape"].startswith("theft/") else None

    def of(operations):
        count, printed = instructions([micro, f"--benchmark_filter=^{case['case']}$", "--benchmark_format=json",
                                       f"--operations={operations}"], HANG_S, function)
        return count, printed["benchmarks"][0]["iterations"]

    few = of(FEW)
    return per_operation(few, of(MORE * few[1]))


def workload_instructions(program, workload, parts):
    """One worker: nothing is stolen and nobody waits, so what is left is the loop."""
    flags = [flag for part, name in parts.items() for flag in (f"--{part}", name)]
    command = [program, "--workload", workload, "--workers", "1", "--set", "spin_ns=0", *flags]

    def of(iterations):
        count, printed = instructions([*command, "--iterations", str(iterations)], HANG_S)
        return count, printed["iterations"] * printed["ops_per_iteration"]

    return per_operation(*map(of, WORKLOADS[workload]))


def combinations(program):
    """[(workload, parts)]: everything with the default parts, and each other queue and deque in its place."""
    known = json.loads(run([program, "--list", "--json"], HANG_S).stdout)
    default = {part: default_part(known, part) for part in ("queue", "deque", "reactor")}
    found = [(workload, default) for workload in WORKLOADS]
    for part, workloads in VARIED.items():
        for other in known[f"{part}s"]:
            if other["name"] != default[part] and other["works_here"]:
                found += [(workload, default | {part: other["name"]}) for workload in workloads]
    return found


def default_part(known, part):
    return known[f"{part}s"][0]["name"]


def by_callgrind(build, here):
    """[(workload, arm, instructions)]: the counts do not mind company, so all processors are used."""
    micro, program = built(build, "micro"), built(build, "workload")
    jobs = [(*key_of(case), lambda case=case: micro_instructions(micro, case)) for case in cases(micro, BY_CALLGRIND)
            if is_here(case, here)]
    jobs += [(workload, "+".join(parts.values()), lambda w=workload, p=parts: workload_instructions(program, w, p))
             for workload, parts in combinations(program)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        futures = [pool.submit(job) for _, _, job in jobs]
        try:
            return [(workload, arm, future.result()) for (workload, arm, _), future in zip(jobs, futures)]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def add_instructions(rows, found):
    for workload, arm, figure in found:
        row = rows.get((workload, arm))
        if row is None:
            rows[workload, arm] = row_of(workload, arm, "callgrind", instructions=figure)
        else:
            row.update(instructions=figure, how="both")


def add_system_calls(rows, found):
    for workload, arm, figure in found:
        row = rows.setdefault((workload, arm), row_of(workload, arm, "strace"))
        row["system_calls"] = figure


def unusable(tool, probe):
    """Why a tool cannot be used here, or None."""
    if shutil.which(tool) is None:
        return f"they need {tool} (Debian: apt-get install {tool})"
    try:
        run([tool, *probe], HANG_S)
    except Refusal as refusal:
        return f"{tool} does not work here: {refusal}"
    return None


def add_slow(rows, build, here):
    """What needs a tool and time."""
    for tool, probe, what, add in (
            ("valgrind", ["--version"], "instructions", lambda: add_instructions(rows, by_callgrind(build, here))),
            ("strace", ["-o", os.devnull, "true"], "system calls",
             lambda: add_system_calls(rows, by_strace(build, here)))):
        if reason := unusable(tool, probe):
            print(f"exact: no {what}: {reason}", file=sys.stderr)
        else:
            add()


# ---- strace ----

def total_of(summary):
    """The last line of strace's summary, for which it was asked with `-U calls,name`."""
    found = re.search(r"^\s*(\d+)\s+total$", summary, re.MULTILINE)
    if not found:
        raise Refusal("strace printed no count", EXIT_FAILED)
    return int(found.group(1))


def calls_of(command):
    """(system calls of the whole process, what it printed)"""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        done = run(["strace", "-f", "-c", "-U", "calls,name", "-o", str(log), *command], HANG_S)
        return total_of(log.read_text(encoding="utf-8")), json.loads(done.stdout)


def system_calls(micro, case):
    def of(operations):
        count, printed = calls_of([micro, f"--benchmark_filter=^{case['case']}$", "--benchmark_format=json",
                                   f"--operations={operations}"])
        return count, printed["benchmarks"][0]["iterations"]

    few = of(FEW_TRACED)
    return per_operation(few, of(MORE * few[1]))


def by_strace(build, here):
    """[(workload, arm, system calls)]"""
    micro = built(build, "micro")
    return [(*key_of(case), system_calls(micro, case)) for case in cases(micro, BY_STRACE) if is_here(case, here)]


# ---- output ----

def print_table(rows):
    print("| workload | arm | instructions | system calls | read-modify-writes | fences | membarriers | allocations "
          "| bytes |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|")
    for row in rows:
        figures = [row[name] for name in ("instructions", "system_calls", "rmw", "fences", "membarriers",
                                          "allocations", "bytes")]
        cells = ["–" if figure is None else f"{figure:.1f}" if i == 0 else f"{figure:.3f}"
                 for i, figure in enumerate(figures)]
        print(f"| {row['workload']} | {row['arm']} | {' | '.join(cells)} |")


def main(argv):
    args = parse(argv)
    here = reactors_here(args.build)
    for name in (name for name, works in here.items() if not works):
        print(f"exact: {name} is left out: it is not on this machine", file=sys.stderr)
    rows = counted(args.build, here)
    if not args.quick:
        add_slow(rows, args.build, here)
    if args.json:
        print(json.dumps({"rows": list(rows.values())}, indent=1))
    else:
        print_table(rows.values())


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Refusal as refusal:
        print(f"exact: {refusal}", file=sys.stderr)
        sys.exit(refusal.code)
    except KeyboardInterrupt:
        sys.exit(130)
