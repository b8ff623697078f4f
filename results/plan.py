"""What will be measured: the arms, the workloads, how many blocks and how long, and in which order."""
import random
from dataclasses import asdict, dataclass

from common import EXIT_USAGE, Refusal

HTTP = "http"
HTTP_SUMMARY = "HTTP/1.1 keep-alive: wrk with 64 connections against examples/httpd on loopback; one operation is one" \
               " request"
CONTROL = "A/A"
# Paired statistics need blocks more than long samples: nine is the least that allows trimming.
MIN_BLOCKS = 9
FULL_BLOCKS = 30
FULL_BUDGET_MS = 1000
PILOT_BUDGET_MS = 20
MIN_BUDGET_MS = 20
WANTED_BUDGET_MS = 200
DEFAULT_MINUTES = 4.5


@dataclass(frozen=True)
class Arm:
    """One thing on the scale: a combination, the control (the first combination again), or a peer runtime."""

    id: str
    kind: str  # "combination", "control" or "peer"
    queue: str | None = None
    deque: str | None = None
    reactor: str | None = None
    dynamic: bool = False


def combination(queue, deque, reactor, kind="combination", dynamic=False):
    name = f"{queue}+{deque}+{reactor}" + (" dynamic" if dynamic else "")
    return Arm(CONTROL if kind == "control" else name, kind, queue, deque, reactor, dynamic)


def make_arms(queues, deques, reactors, peers, dynamic=False):
    """Every combination, the control beside them, then the peers. The first combination is the default one."""
    arms = [combination(q, d, r) for r in reactors for q in queues for d in deques]
    first = arms[0]
    arms.append(combination(first.queue, first.deque, first.reactor, kind="control"))
    if dynamic:
        arms.append(combination(first.queue, first.deque, first.reactor, dynamic=True))
    arms += [Arm(peer, "peer") for peer in peers]
    return arms


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


class Cost:
    """What a sample takes, learnt from the pilot block: the part outside the measured time and one iteration."""

    def __init__(self, fixed_s, iteration_s=0.0, scales=True):
        self.fixed_s, self.iteration_s, self.scales = fixed_s, iteration_s, scales

    @classmethod
    def of(cls, sample):
        if sample["workload"] == HTTP or not sample["samples_ns"]:
            return cls(sample["elapsed_s"], scales=False)
        measured = sum(sample["samples_ns"]) / 1e9
        return cls(max(0.0, sample["elapsed_s"] - measured), measured / len(sample["samples_ns"]))

    def seconds(self, budget_ms):
        """An iteration is begun before the budget ends and finished after it: on average half of one too long."""
        if not self.scales:
            return self.fixed_s
        return self.fixed_s + max(self.iteration_s, budget_ms / 1000 + self.iteration_s / 2)


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


def describe(arms, cells, workloads, seed, workers):
    """The content of plan.json that is known before the pilot."""
    return {"seed": seed, "workers": workers, "arms": [asdict(arm) for arm in arms],
            "default": arms[0].id,
            "workloads": [{**workloads[name], "arms": list(cells[name])} for name in cells]}
