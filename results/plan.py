"""What is measured, in which words: arms, workloads, the order within a block, costs, and how much fits the time."""
import random
from dataclasses import asdict, dataclass

from common import EXIT_USAGE, Refusal

CONTROL = "A/A"
PARTS = ("queue", "deque", "reactor")
# Paired statistics need blocks more than long samples: nine is the least that allows trimming.
MIN_BLOCKS = 9
FULL_BLOCKS = 30
FULL_BUDGET_MS = 300
PILOT_BUDGET_MS = 20
MIN_BUDGET_MS = 20
WANTED_BUDGET_MS = 200
MICRO_BUDGET_MS = 100
# Of the ten that a comparison may take: what remains is for the pilot's surprises, exact figures and the report.
DEFAULT_MINUTES = 7.2


@dataclass(frozen=True)
class Arm:
    """One thing on the scale: a combination, the control (the default again), a part by itself, or a peer."""

    id: str
    kind: str  # "combination", "control", "part" or "peer"
    queue: str | None = None
    deque: str | None = None
    reactor: str | None = None
    dynamic: bool = False


@dataclass(frozen=True)
class Workload:
    """What an arm is weighed with; `base` and `scale` tell which points make one scaling curve."""

    name: str
    summary: str
    ops: float | None
    level: str = "runtime"  # or "server" or "micro"
    part: str | None = None  # of micro: what is measured by itself, or "reference"
    parts: tuple = ()  # whose choice it can feel
    measures: str = "duration"
    workers: int = 1
    effort: str = "core"  # or "wide" or "long"
    base: str = ""
    scale: tuple | None = None  # (axis, x)

    def describe(self):
        scale = None if self.scale is None else {"axis": self.scale[0], "x": self.scale[1]}
        return {"name": self.name, "summary": self.summary, "ops": self.ops, "level": self.level, "part": self.part,
                "parts": list(self.parts), "measures": self.measures, "workers": self.workers,
                "base": self.base or self.name, "scale": scale}


def combination(queue, deque, reactor, dynamic=False):
    return Arm(f"{queue}+{deque}+{reactor}" + (" dynamic" if dynamic else ""), "combination", queue, deque, reactor,
               dynamic)


def control_of(arm):
    return Arm(CONTROL, "control", arm.queue, arm.deque, arm.reactor)


def part_arm(name, part):
    """A part by itself, or a reference row, which is none."""
    return Arm(name, "part", **({part: name} if part in PARTS else {}))


def default_of(workload, arms, default):
    """The id of the arm of ours that the others of a workload are held against."""
    if default in (arm.id for arm in arms):
        return default
    ours = [arm for arm in arms if arm.kind in ("combination", "part")]
    return (ours or arms)[0].id


def describe(arms, cells, workloads, default, seed, workers):
    """The content of plan.json that the choice of cells decides; arms in order, the first peer is the reference."""
    used = {arm for chosen in cells.values() for arm in chosen} | {default}
    described = []
    for name, chosen in cells.items():
        present = [arm for arm in arms if arm.id in set(chosen)]
        ours = default_of(workloads[name], present, default)
        reference = next((arm.id for arm in present if arm.kind == "peer"), ours)
        described.append({**workloads[name].describe(), "default": ours, "reference": reference,
                          "arms": [arm.id for arm in present]})
    return {"seed": seed, "workers": workers, "default": default,
            "arms": [asdict(arm) for arm in arms if arm.id in used], "workloads": described}


def order_of_block(cells, seed, block):
    """A complete block: each (workload, arm) exactly once.

    Workloads come in random order and the arms of a workload, again in random order, directly after each other: the
    nearer in time two arms of a pair run, the less the machine has changed between them.
    """
    rng = random.Random(f"{seed}/{block}")
    workloads = list(cells)
    rng.shuffle(workloads)
    order = []
    for workload in workloads:
        arms = list(cells[workload])
        rng.shuffle(arms)
        order += [(workload, arm) for arm in arms]
    return order


def http_s(connections):
    """Whole seconds, as wrk has it; thousands of connections take a while to be made."""
    return 1 if connections < 1000 else 2 if connections < 10000 else 4


def asked_s(workload, budget_ms):
    """How long a sample is asked to measure: a server for longer than the budget, a case by itself no longer than it
    needs."""
    if workload.level == "server":
        return http_s(workload.scale[1]) if workload.base == "http" else min(1.0, max(0.2, budget_ms / 250))
    return min(budget_ms, MICRO_BUDGET_MS if workload.level == "micro" else budget_ms) / 1000


class Cost:
    """What a sample takes, learnt from a pilot sample: the part outside the measured time and one iteration."""

    def __init__(self, workload, fixed_s, iteration_s=0.0):
        self.workload, self.fixed_s, self.iteration_s = workload, fixed_s, iteration_s

    @classmethod
    def of(cls, workload, sample):
        measured, iteration_s = asked_s(workload, sample["budget_ms"]), 0.0
        # Iterations that have a value of their own (a percentile) do not tell how long they took.
        if sample["samples_ns"] and workload.measures == "duration":
            measured = sum(sample["samples_ns"]) / 1e9
            iteration_s = measured / len(sample["samples_ns"])
        return cls(workload, max(0.0, sample["elapsed_s"] - measured), iteration_s)

    def seconds(self, budget_ms):
        """An iteration is begun before the budget ends and finished after it: on average half of one too long."""
        return self.fixed_s + max(self.iteration_s, asked_s(self.workload, budget_ms) + self.iteration_s / 2)


def assumed_cost(workload):
    """Before anything was measured."""
    iteration_s = 30 if workload.effort == "long" else 0.005
    return Cost(workload, {"runtime": 0.05, "server": 0.15, "micro": 0.03}[workload.level], iteration_s)


def block_seconds(costs, budget_ms):
    return sum(cost.seconds(budget_ms) for cost in costs)


def choose_effort(costs, seconds, blocks=None, budget_ms=None, fill=True):
    """(blocks, budget in ms) for the time: blocks first up to a fair budget; if even nine do not fit it shrinks.

    With fill the time is used up; without, nothing is repeated more often than for publication or longer than is fair.
    """
    if blocks is None:
        blocks = max(MIN_BLOCKS, int(seconds / block_seconds(costs, budget_ms or WANTED_BUDGET_MS)))
        blocks = blocks if fill else min(blocks, FULL_BLOCKS)
    if budget_ms is None:
        most = FULL_BUDGET_MS if fill else WANTED_BUDGET_MS
        budget_ms = MIN_BUDGET_MS
        while budget_ms < most and blocks * block_seconds(costs, budget_ms + 5) <= seconds:
            budget_ms += 5
    return blocks, budget_ms


def time_is_up(done, spent_s, seconds):
    """Whether one more block would not fit, after `done` complete blocks in spent_s. The pilot may have been too
    hopeful on a busy machine. To stop by the clock, never by the results, and between blocks only, biases nothing.
    """
    return done >= MIN_BLOCKS and spent_s + spent_s / done > seconds


def check_effort(blocks, budget_ms, minutes, workers):
    for name, value, least in (("--blocks", blocks, 1), ("--budget-ms", budget_ms, 1), ("--workers", workers, 1)):
        if value is not None and value < least:
            raise Refusal(f"{name} {value} is too small: it must be at least {least}", EXIT_USAGE)
    if minutes is not None and not 0 < minutes < 10000:
        raise Refusal(f"--minutes {minutes:g} is not a usable time: give a number above 0", EXIT_USAGE)
