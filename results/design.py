"""Which cells are measured: a star around the default combination with a balanced fraction of the pairs, or all.

A cell is a (workload, arm). Cells come in groups that are measured whole or not at all, ordered by rank: when the time
does not suffice for nine blocks, the groups of the highest rank are left out first, and the report says which. Rank 0
is never left out: the default combination, the control and the first peer on every workload.
"""
import itertools
import random
from dataclasses import dataclass

import plan

# The workloads on which a part is varied first, because they use it most; the others follow in the list's order.
STRONGEST = {"queue": ("spawn_many_remote_idle", "remote_spawn_4", "spawn_many_remote_busy1", "yield_many",
                       "spawn_many_remote_busy2", "cycle_many", "mixed", "churn_many", "transfer"),
             "deque": ("fib", "skynet", "spawn_many_local", "yield_many", "chained_spawn", "uts_t1", "ping_pong",
                       "echo", "nqueens", "bpc"),
             "reactor": ("echo_64", "echo_1000", "echo", "http_64")}
# Elsewhere a task seldom passes through a queue, its deque is hardly ever robbed, or it seldom waits for a descriptor:
# where there are many of them they are varied there only if that was asked for.
ONLY_STRONGEST, MANY = ("queue", "deque", "reactor"), 4
# Likewise for the peers beyond the first.
PEERED = ("echo_64", "echo_1000", "yield_many", "fib", "http_64", "spawn_many_local", "echo")
# Pairs are told from the product of their parts' effects, so they are measured where each of these is.
PAIRED = ("yield_many", "spawn_many_remote_idle", "echo", "fib")
PAIR_WORKLOADS = 2
SCALED = ("yield_many", "fib")


@dataclass(frozen=True)
class Group:
    rank: float
    what: str
    workload: str
    cells: tuple


def group_of(rank, what, workload, arms):
    return Group(rank, what, workload, tuple((workload, arm) for arm in arms))


def levels(queues, deques, reactors):
    return dict(zip(plan.PARTS, (queues, deques, reactors)))


def star(chosen):
    """{part: arms that differ from the default in it alone}."""
    centre = {part: names[0] for part, names in chosen.items()}
    return {part: [plan.combination(**{**centre, part: name}) for name in names[1:]]
            for part, names in chosen.items()}


def pairs(chosen, seed):
    """Arms that differ from the default in every part that has a choice: a Latin-square-like fraction.

    Every non-default level is in at least one, and the levels of a part as often as each other, within one. Together
    with the star they tell whether the parts' effects multiply.
    """
    others = {part: names[1:] for part, names in chosen.items() if len(names) > 1}
    if len(others) < 2:
        return []
    rng, count = random.Random(f"{seed}/pairs"), max(map(len, others.values()))
    columns = {}
    for part, names in others.items():
        shuffled = rng.sample(names, len(names))
        columns[part] = [shuffled[k % len(names)] for k in range(count)]
    centre = {part: names[0] for part, names in chosen.items()}
    return [plan.combination(**{**centre, **{part: column[k] for part, column in columns.items()}})
            for k in range(count)]


def factorial(chosen):
    """Every combination, the default first."""
    return [plan.combination(*names) for names in itertools.product(*chosen.values())]


def scaled(workloads, workers):
    """Variants of two workloads with 1, 2, 4, … up to twice the workers."""
    found = []
    for name in [name for name in SCALED if name in workloads]:
        one, n = workloads[name], 1
        per_worker = one["ops"] if one["ops_per_worker"] else None
        points = sorted({*(1 << k for k in range(workers.bit_length() + 1) if 1 << k <= 2 * workers), 2 * workers})
        for n in points:
            found.append(plan.Workload(f"{name}@{n}", f"{one['summary']}; {n} workers",
                                       per_worker * n if per_worker else one["ops"], parts=tuple(one["parts"]),
                                       measures=one["measures"], workers=n, base=name, scale=("workers", n)))
    return found


def in_order(names, first):
    """The names with those of `first` in front."""
    return [name for name in first if name in names] + [name for name in names if name not in first]


class Star:
    """The groups of the default design. `runs`: {peer: workloads}; `micro`: {workload: arms}; `everywhere`: the parts
    that are varied on every workload that feels them, however many there are, not only where it matters most."""

    def __init__(self, workloads, chosen, runs, micro, seed, dynamic=(), everywhere=plan.PARTS):
        self.workloads, self.runs, self.micro, self.dynamic = workloads, runs, micro, dynamic
        self.full = {name: w for name, w in workloads.items() if w.level != "micro"}
        self.default = plan.combination(*(names[0] for names in chosen.values()))
        self.star, self.pairs = star(chosen), pairs(chosen, seed)
        self.varied = [part for part, arms in self.star.items() if arms]
        self.not_varied = {part: found for part in self.varied if (found := self.beside(part, everywhere))}

    def arms(self):
        rest = [arm for arms in self.star.values() for arm in arms]
        return [self.default, plan.control_of(self.default), *self.dynamic, *rest, *self.pairs]

    def groups(self):
        return sorted([*self.base(), *self.star_groups(), *self.pair_groups(), *self.peer_groups(),
                       *micro_groups(self.workloads, self.micro)], key=lambda group: group.rank)

    def peers_of(self, name):
        return [peer for peer, runs in self.runs.items() if name in runs]

    def base(self):
        for name, one in self.full.items():
            arms = [self.default.id, plan.CONTROL, *self.peers_of(name)[:1]]
            # Servers and curves have no instance with dynamic dispatch.
            arms += [arm.id for arm in self.dynamic if one.level == "runtime" and not one.scale]
            yield group_of(0, "the default", name, arms)

    def felt(self, part):
        return [name for name, one in self.full.items() if part in one.parts and not is_curve(one)]

    def beside(self, part, everywhere):
        """The workloads that feel a part and on which it is not varied."""
        if part in everywhere or part not in ONLY_STRONGEST or len(self.star[part]) <= MANY:
            return []
        return [name for name in self.felt(part) if name not in STRONGEST[part]]

    def is_varied(self, part, name):
        return part in self.full[name].parts and name not in self.not_varied.get(part, ())

    def star_groups(self):
        for part in self.varied:
            names = [name for name in self.felt(part) if self.is_varied(part, name)]
            for k, name in enumerate(in_order(names, STRONGEST[part])):
                yield group_of(1 + k, f"every {part}", name, [arm.id for arm in self.star[part]])

    def pair_groups(self):
        if self.pairs:
            felt = [name for name, one in self.full.items() if one.level == "runtime" and not is_curve(one)
                    and sum(self.is_varied(part, name) for part in self.varied) > 1]
            for k, name in enumerate(in_order(felt, PAIRED)[:PAIR_WORKLOADS]):
                yield group_of(1.2 + 2 * k, "pairs of parts", name, [arm.id for arm in self.pairs])

    def peer_groups(self):
        count = dict.fromkeys(self.runs, 0)
        for name in in_order([name for name, one in self.full.items() if not is_curve(one)], PEERED):
            for peer in self.peers_of(name)[1:]:
                yield group_of(1.3 + count[peer], peer, name, [peer])
                count[peer] += 1


class Full(Star):
    """Everything there is, on every workload."""

    def __init__(self, workloads, chosen, runs, micro, seed, dynamic=(), everywhere=plan.PARTS):
        super().__init__(workloads, chosen, runs, micro, seed, dynamic, plan.PARTS)
        self.all = factorial(chosen)

    def arms(self):
        return [self.default, plan.control_of(self.default), *self.dynamic, *self.all[1:]]

    def groups(self):
        found = list(self.base())
        for name in self.full:
            arms = [*(arm.id for arm in self.all[1:]), *self.peers_of(name)[1:]]
            found += [group_of(0, "the rest", name, arms)] if arms else []
        return found + [group_of(0, "every implementation", name, arms) for name, arms in self.micro.items()]


def is_curve(workload):
    return workload.scale is not None and workload.scale[0] == "workers"


def micro_groups(workloads, micro):
    """Each part's micro workloads one after another, so that what is left out is spread over the parts."""
    count = {}
    for name, arms in micro.items():
        one = workloads[name]
        count[one.part] = count.get(one.part, 0) + (one.part in plan.PARTS)
        # What is only in the full comparison, if it was asked for by name, goes before the core cases do.
        rank = count[one.part] if one.effort == "core" else 100 + count[one.part]
        yield group_of(0.1 + rank, "every implementation", name, arms)


class Admission:
    """Decides group by group, in the order of rank, whether nine blocks of it still fit into the time."""

    def __init__(self, seconds, blocks):
        self.seconds, self.blocks, self.spent = seconds, blocks + 1, 0.0  # the pilot is one more

    def fits(self, group, expected_s):
        """Whether a group may go in that is expected to take expected_s per block; None is any time there is."""
        return self.seconds is None or group.rank == 0 or self.spent + self.blocks * expected_s <= self.seconds

    def add(self, block_s):
        self.spent += self.blocks * block_s
