"""What a comparison is about: parts, peers, workloads and micro-benchmarks chosen by name, and how each cell is run."""
import hashlib
import resource
import shutil
from pathlib import Path

import design
import inventory
import peers as peer_runtimes
import plan
from common import Refusal, choose_names
from inventory import built
from process import Job

# What the load generators need beside one descriptor for each connection.
SPARE_DESCRIPTORS = 100
CONNECTIONS = (1, 64, 1000, 10000)
CORE_CONNECTIONS = {"echo": (64, 1000), "http": (64,)}
SERVERS = {"echo": "64 bytes there and back over each of {} TCP connections to a server process, under echo_load",
           "http": "GET / over each of {} keep-alive connections to a server process, under wrk"}
EXAMPLES = {"echo": "echo", "http": "httpd"}
LOADS = {"echo": "echo_load", "http": "wrk"}
REFERENCE = "reference"
AXES = ("workers", "threads", "connections")


def server_workloads(workers):
    return [plan.Workload(f"{kind}_{k}", summary.format(f"{k:,}"), 1, "server", parts=("reactor",), workers=workers,
                          measures="time per request", effort="core" if k in CORE_CONNECTIONS[kind] else "wide",
                          base=kind, scale=("connections", k))
            for kind, summary in SERVERS.items() for k in CONNECTIONS]


def runtime_workload(entry, workers):
    workers = entry["workers"] or workers
    return plan.Workload(entry["name"], entry["summary"], entry["ops"] * (workers if entry["ops_per_worker"] else 1),
                         parts=tuple(entry["parts"]), measures=entry["measures"], workers=workers,
                         effort=entry["effort"])


def missing_for(workload):
    """Why a server workload cannot run here, or None."""
    example, load = built("executor", "examples", EXAMPLES[workload.base]), LOADS[workload.base]
    if load == "wrk" and shutil.which("wrk") is None:
        return "wrk is missing: apt-get install wrk"
    for path in (example, *([built("bench", load)] if load != "wrk" else [])):
        if not path.exists():
            return f"{path} is not built"
    need, limit = workload.scale[1] + SPARE_DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if limit != resource.RLIM_INFINITY and limit < need:
        return f"it needs {need} descriptors, the hard limit is {limit} (ulimit -Hn)"
    return None


def why_not(part):
    """What a part that does not work here lacks; one that was built is refused by the kernel or a container."""
    return part.get("missing") or part["caveat"] or "the kernel or the container refuses it"


class Micro:
    """The micro-benchmarks: their workloads, and which program runs which case for an arm."""

    def __init__(self, found, skipped):
        self.workloads, self.arms, self.cases, self.orders = {}, {}, {}, {}
        self.listed = {entry["name"] for part in plan.PARTS for entry in found[f"{part}s"]}
        program = built("bench", "micro")
        if program.exists():
            self.add(program, lambda case: case["peer"])
        else:
            skipped.append(f"micro-benchmarks: {program} is not built: apt-get install libbenchmark-dev")

    def add(self, program, is_peer):
        for case in inventory.micro_cases(program):
            name, implementation = case["case"], case["implementation"]
            if implementation:
                name = name.removesuffix(f"/{implementation}")
            kind = "peer" if case["part"] != REFERENCE and is_peer(case) else "part"
            arm = implementation or REFERENCE
            self.arms[arm] = plan.Arm(arm, "peer") if kind == "peer" else plan.part_arm(arm, case["part"])
            self.cases[name, arm] = (program, case["case"])
            if case.get("order"):
                self.orders[arm] = case["order"]
            self.workloads.setdefault(name, micro_workload(name, case))

    def peers(self):
        return [arm.id for arm in self.arms.values() if arm.kind == "peer"]

    def cells(self, chosen, peers):
        """{workload: arms}: the chosen parts and peers, and the control where there is a part to repeat."""
        wanted = {name for names in chosen.values() for name in names} | set(peers)
        found = {}
        for name, arm in self.cases:
            # What is ours and in no list (reference rows, the timers) cannot be chosen: it is always there.
            if arm in wanted or (self.arms[arm].kind == "part" and arm not in self.listed):
                found.setdefault(name, []).append(arm)
        return {name: [*arms, *([plan.CONTROL] if self.workloads[name].part != REFERENCE else [])]
                for name, arms in found.items()}


def micro_workload(name, case):
    part, axis = case["part"], case["axis"]
    scale = (axis["axis"], axis["x"]) if axis and axis["axis"] in AXES else None
    return plan.Workload(name, f"{name}: {part} by itself", 1, "micro", part, (part,) if part in plan.PARTS else (),
                         case.get("measures", "duration"), effort="core" if case["core"] else "wide",
                         base=case["base"] or name, scale=scale)


class Selection:
    """Arms, workloads and groups of cells; `skipped` says what cannot run here, `exists` what there is."""

    def __init__(self, args, say):
        found, self.args = inventory.ask(), args
        self.skipped = [f"{entry['name']}: not on this machine ({why_not(entry)})" for part in plan.PARTS
                        for entry in found[f"{part}s"] if entry not in inventory.working(found, f"{part}s")]
        self.chosen = design.levels(*(choose_names(part, getattr(args, f"{part}s"), inventory.names(found, f"{part}s"))
                                      for part in plan.PARTS))
        self.micro = Micro(found, self.skipped)
        self.peers, micro_peers = self._find_peers(say)
        known = self._known_workloads(found)
        names = choose_names("workload", args.workloads, list(known))
        self.not_core = []
        if args.workloads is None and not args.full:
            self.not_core = [name for name in names if known[name].effort != "core"]
            names = [name for name in names if known[name].effort == "core"]
        self.workloads = self._runnable({name: known[name] for name in names})
        self.exists = {**{f"{part}s": inventory.names(found, f"{part}s") for part in plan.PARTS},
                       "workloads": [name for name, one in known.items() if one.level != "micro"],
                       "micro": list(self.micro.workloads), "peers": self.known_peers,
                       "orders": {**self.micro.orders,
                                  **{entry["name"]: entry["order"] for part in plan.PARTS for entry in found[f"{part}s"]
                                     if "order" in entry}}}
        self._design(micro_peers)

    def _find_peers(self, say):
        self.known_peers = list(dict.fromkeys([*peer_runtimes.RUNTIMES, peer_runtimes.MICRO, *self.micro.peers()]))
        wanted = [] if self.args.peers == "none" else choose_names("peer", self.args.peers, [*self.known_peers, "none"])
        programs = [name for name in wanted if name in peer_runtimes.RUNTIMES or name == peer_runtimes.MICRO]
        runtimes, rust, skipped = peer_runtimes.find(programs, say)
        self.skipped += skipped
        ours = set(self.micro.peers())
        if rust and self.micro.workloads:
            self.micro.add(rust, lambda case: True)
        return runtimes, [arm for arm in self.micro.peers() if arm in wanted or arm not in ours]

    def _known_workloads(self, found):
        workers = self.args.workers
        known = [runtime_workload(entry, workers) for entry in found["workloads"]]
        known += design.scaled({entry["name"]: entry for entry in found["workloads"]}, workers)
        return {one.name: one for one in (*known, *server_workloads(workers), *self.micro.workloads.values())}

    def _runnable(self, workloads):
        found = {}
        for name, one in workloads.items():
            if one.level == "server" and (reason := missing_for(one)):
                self.skipped.append(f"workload {name}: {reason}")
            else:
                found[name] = one
        return found

    def _design(self, micro_peers):
        runs = {name: {*peer.workloads, *(f"{kind}_{k}" for kind in peer.serves for k in CONNECTIONS)}
                for name, peer in self.peers.items()}
        runs = {name: {one.name for one in self.workloads.values()
                       if (one.base if design.is_curve(one) else one.name) in can} for name, can in runs.items()}
        dynamic = [plan.combination(*(names[0] for names in self.chosen.values()), dynamic=True)]
        micro = {name: arms for name, arms in self.micro.cells(self.chosen, micro_peers).items()
                 if name in self.workloads}
        named = plan.PARTS if self.args.workloads else [part for part in plan.PARTS if getattr(self.args, f"{part}s")]
        made = (design.Full if self.args.full else design.Star)(self.workloads, self.chosen, runs, micro,
                                                                self.args.seed, dynamic if self.args.dynamic else [],
                                                                named)
        self.default, self.groups, self.not_varied = made.default.id, made.groups(), made.not_varied
        used = {arm for group in self.groups for _, arm in group.cells}
        arms = [*made.arms(), *(plan.Arm(name, "peer") for name in self.peers), *self.micro.arms.values()]
        self.arms = {arm.id: arm for arm in arms if arm.id in used or arm.id == self.default}
        if not used:
            raise Refusal(f"nothing is left to measure: {'; '.join(self.skipped) or 'no arm can run what was chosen'}")

    def versions(self):
        return {name: peer.version for name, peer in self.peers.items() if peer.version}

    def programs(self):
        """What runs, by name: a run is continued with the same programs only."""
        found = {"workload": inventory.workload_binary(), "micro": built("bench", "micro"),
                 "echo_load": built("bench", "echo_load"),
                 **{example: built("executor", "examples", example) for example in EXAMPLES.values()},
                 **{f"peer {name}": Path(peer.binary) for name, peer in self.peers.items()}}
        return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items() if path.exists()}

    def job(self, workload, arm, seed, budget_ms):
        """How a cell is run."""
        one, arm = self.workloads[workload], self.arms[arm]
        if one.level == "micro":
            return self._micro_job(one, arm, budget_ms)
        workers = ["--workers", str(one.workers)]
        parts = ["--queue", arm.queue, "--deque", arm.deque, "--reactor", arm.reactor]
        peer = self.peers[arm.id].binary if arm.kind == "peer" else None
        if one.level == "server":
            kind, connections = one.base, one.scale[1]
            server = [peer, "--serve", kind] if peer else [built("executor", "examples", EXAMPLES[kind]), *parts]
            load = [built("bench", "echo_load"), "--seed", str(seed)] if kind == "echo" else ["wrk"]
            return Job(one, [*server, "--port", "0", *workers], budget_ms, load=load, connections=connections)
        name = one.base if design.is_curve(one) else one.name
        common = ["--workload", name, "--seed", str(seed), "--budget-ms", str(budget_ms), *workers]
        # Seconds or minutes an iteration: a warm-up would double the time and change nothing.
        common += ["--iterations", "1"] if one.effort == "long" else []
        if peer:
            return Job(one, [peer, *common], budget_ms)
        return Job(one, [inventory.workload_binary(), *common, *parts, *(["--dynamic"] if arm.dynamic else [])],
                   budget_ms)

    def _micro_job(self, one, arm, budget_ms):
        twin = arm.id
        if arm.kind == "control":
            present = [self.arms[name] for name in self.micro_arms_of(one.name)]
            twin = plan.default_of(one, present, self.default)
        program, case = self.micro.cases[one.name, twin]
        return Job(one, [program], budget_ms, case=case)

    def micro_arms_of(self, name):
        cells = [cell for group in self.groups for cell in group.cells]
        return [arm for workload, arm in cells if workload == name and arm != plan.CONTROL]
