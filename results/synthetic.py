"""Bundles of known truth, made without measuring: what the tests of statistics and report start from."""
import random
from pathlib import Path

import bundle as bundles
import plan

DATE = "2026-01-02T03:04:05+00:00"
MICRO = {"queue": ("queue/pairs/1", "queue/transfer/1:1/batch:1", "queue/transfer/2:2/batch:1"),
         "deque": ("deque/owner/depth:64", "deque/thieves/1/grain:0"),
         "reactor": ("reactor/pingpong/tcp", "reactor/timers/fire"),
         "reference": ("reference/threads:1",)}
EXACT = {"instructions": 120.0, "rmw": 2.0, "fences": 0.5, "membarriers": 0.25, "allocations": 0.0, "bytes": 0.0,
         "system_calls": 3.0}


def machine():
    return {"date": DATE, "command": "./stealyard compare", "commit": "0123456789abcdef", "dirty": False,
            "cpu": "Made-up 9000", "architecture": "x86_64", "cores": 2, "caches": ["L1d 32K shared by CPUs 0"],
            "memory_kib": 4194304, "os": "Made-up OS 1", "kernel": "6.1.0", "hypervisor": "none",
            "governor": "performance", "turbo": "off", "transparent_huge_pages": "madvise",
            "mitigations": {"meltdown": "Not affected"},
            "compiler": {"version": "cc 12", "build_type": "RelWithDebInfo", "flags": "-O2 -g"},
            "versions": {"python": "3.11.2", "tokio": "tokio 1.54.1"}}


def sample(number, block, arm, workload, value_ns):
    """A good sample; a test spoils what it wants spoilt."""
    iterations = 1 if workload.level != "runtime" else 5
    state = {"busy_s": 1.0, "steal_s": 0.0, "load": 0.5}
    return {"id": f"s{number:05d}", "block": block, "arm": arm.id, "workload": workload.name, "start": DATE,
            "elapsed_s": 0.05, "command": f"workload --workload {workload.name}", "budget_ms": 20, "exit_code": 0,
            "stderr_tail": "", "checked": True, "check": "all that was sent came back", "failure": None,
            "skipped": None, "workers": workload.workers, "value_ns": value_ns, "iterations": iterations,
            "ops_per_iteration": workload.ops, "samples_ns": [value_ns] * iterations if workload.level == "runtime"
            else [], "peak_rss_kib": 3000.0, "cpu_ns": value_ns * iterations,
            "counters": {"polls": 40} if workload.level == "runtime" and arm.kind != "peer" else {},
            "latency_ns": None, "failed_ops": None, "fairness": None, "http": None, "load": None,
            "before": state, "after": state, "disturbed": None}


def with_extras(record, workload, rng):
    """What servers and micro-benchmarks tell beside their times."""
    if workload.level == "server" or workload.name == "mixed":
        latency = {"count": 1000, "p50": 4e5, "p90": 9e5, "p99": 2e6, "p99.9": 4e6, "p99.99": None, "max": 5e6}
        record["latency_ns"] = {key: value and value * rng.uniform(0.95, 1.05) if key != "count" else value
                                for key, value in latency.items()}
    if workload.level == "micro" and workload.part in ("queue", "deque"):
        record.update(failed_ops={"empty": 0.25 * rng.random(), "full": 0.0, "retry": 0.1}, fairness=0.9)
    return record


def make_workloads(micro=True):
    every = ("queue", "deque", "reactor")
    found = [plan.Workload(name, f"{name}, made up", ops, parts=every, workers=2)
             for name, ops in (("yield_many", 1000), ("spawn_many_local", 100), ("fib", 500), ("echo", 64))]
    found.append(plan.Workload("mixed", "hogs beside I/O, made up", 1, parts=every, workers=2,
                               measures="p99 latency"))
    found += [plan.Workload(f"yield_many@{n}", f"yield_many with {n} workers", 1000, parts=every, workers=n,
                            base="yield_many", scale=("workers", n)) for n in (1, 2, 4)]
    found += [plan.Workload(f"{kind}_64", f"{kind} server, 64 connections", 1, "server", parts=("reactor",), workers=2,
                            measures="time per request", base=kind, scale=("connections", 64))
              for kind in ("echo", "http")]
    if micro:
        found += [plan.Workload(name, f"{name}, made up", 1, "micro", part, (part,) if part in plan.PARTS else (),
                                measures="time per operation")
                  for part, names in MICRO.items() for name in names]
    return found


def star(queues, deques, reactors):
    arms = [plan.combination(queues[0], deques[0], reactors[0])]
    arms += [plan.combination(queue, deques[0], reactors[0]) for queue in queues[1:]]
    arms += [plan.combination(queues[0], deque, reactors[0]) for deque in deques[1:]]
    return arms + [plan.combination(queues[0], deques[0], reactor) for reactor in reactors[1:]]


def arms_of(workload, arms, micro_arms):
    """Scaling curves have the default and the first peer, micro-benchmarks their parts, the others every runtime."""
    if workload.level == "micro":
        return micro_arms[workload.part]
    if workload.scale and workload.scale[0] == "workers":
        return [arms[0], *[arm for arm in arms if arm.kind == "peer"][:1]]
    return arms


def truth(factors, arm, workload):
    """What an arm's time is multiplied by: its own factor, or those of its parts."""
    found = factors.get((arm.id, workload.name), factors.get(arm.id))
    if found is not None or arm.kind in ("peer", "control"):
        return found or 1.0
    product = 1.0
    for part in plan.PARTS:
        product *= factors.get(getattr(arm, part), 1.0)
    return product


def make(queues=("gq_mutex", "gq_ring"), deques=("dq_chase_lev", "dq_mutex"), reactors=("rx_epoll",),
         peers=("tokio", "go"), blocks=9, seed=1, noise=0.01, factors=None, micro=True, exact=True):
    """A bundle without summary. `factors`: {arm, part ("gq_ring") or (arm, workload): time relative to 1}."""
    rng, factors = random.Random(seed), factors or {}
    arms = [*star(queues, deques, reactors), *(plan.Arm(peer, "peer") for peer in peers)]
    chosen = dict(zip(plan.PARTS, (queues, deques, reactors)))
    micro_arms = {part: [plan.part_arm(name, part) for name in names] for part, names in chosen.items()}
    micro_arms["reference"] = [plan.Arm("fetch_add", "part")]
    micro_arms["queue"].append(plan.Arm("moodycamel", "peer"))
    every, control = [*arms, *sum(micro_arms.values(), [])], plan.control_of(arms[0])
    workloads = {w.name: w for w in make_workloads(micro)}
    cells = {w.name: [arm.id for arm in (*arms_of(w, arms, micro_arms), *([control] if w.part != "reference" else []))]
             for w in workloads.values()}
    content = plan.describe([*every[:1], control, *every[1:]], cells, workloads, arms[0].id, seed, 2)
    content.update(blocks=blocks, budget_ms=20, skipped=["peer nginx: nginx is missing: apt-get install nginx-light"],
                   left_out=[], design="star", resumed=0, exists=exists(chosen, peers, workloads))
    by_id = {arm.id: arm for arm in (*every, control)}
    defaults = {w["name"]: w["default"] for w in content["workloads"]}
    samples = []
    for block in range(blocks + 1):
        for name, arm in plan.order_of_block(cells, seed, block):
            twin = by_id[defaults[name] if arm == plan.CONTROL else arm]
            value = 1e5 * truth(factors, twin, workloads[name]) * rng.lognormvariate(0, noise)
            made = sample(len(samples) + 1, block, by_id[arm], workloads[name], value)
            samples.append(with_extras(made, workloads[name], rng))
    rows = [{"workload": "yield_many", "arm": arm.id, "per": "operation", **EXACT, "how": "both"}
            for arm in arms if arm.kind == "combination"]
    return bundles.Bundle("made-up", Path("made-up"), content, machine(), samples, {}, rows if exact else None)


def exists(chosen, peers, workloads):
    return {**{f"{part}s": list(names) for part, names in chosen.items()}, "peers": [*peers, "nginx"],
            "workloads": [w.name for w in workloads.values() if w.level != "micro"] + ["fib_42"],
            "micro": [w.name for w in workloads.values() if w.level == "micro"] + ["queue/transfer/8:8/batch:1"]}


def write(made, out):
    """Puts a made bundle on disk like a measured one; returns its directory."""
    from summary import summarise  # here, because most callers do not need it

    writer = bundles.Writer.create(out, made.name)
    for one in made.samples:
        writer.add(one)
    if made.exact is not None:
        writer.write_exact(made.exact)
    writer.write_parts(made.plan, made.machine, made.summary or summarise(made.plan, made.samples))
    return writer.finish()
