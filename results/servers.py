"""Servers that are weighed against each other: ours over each reactor, the physical limits, the peers that serve."""
import fnmatch
import shutil
from dataclasses import dataclass

import inventory
import peers as peer_runtimes
from common import EXIT_USAGE, Refusal
from selection import EXAMPLES, why_not

TRANSPORTS = ("tcp", "unix")
LIMITS = ("limit-epoll", "limit-uring", "limit-multishot")
# The hand-written loop that asks the kernel in the same way; whoever reads when something is ready: limit-epoll.
LIMIT_OF = {"rx_uring": "limit-uring", "rx_uring_local": "limit-multishot"}


@dataclass(frozen=True)
class Arm:
    name: str
    command: tuple  # without the place to listen and the number of workers
    ours: bool = False
    limit: str | None = None  # the arm that it can at best be as good as
    version: str | None = None
    transports: tuple = TRANSPORTS

    def serving(self, transport, path, workers):
        """The command line of a server on any free port, or on a Unix socket."""
        where = ["--port", "0"] if transport == "tcp" else \
            ["--listen", f"unix:{path}"] if self.ours else ["--unix", path]
        return [*self.command, *where, "--workers", str(workers)]


def ours(kind):
    """(arms, lines that name the reactors that are not here)"""
    example = inventory.built("executor", "examples", EXAMPLES[kind])
    if not example.exists():
        raise Refusal(f"{example} is not built (./stealyard setup installs what it needs)")
    arms, skipped = [], []
    for reactor in inventory.ask()["reactors"]:
        name = reactor["name"]
        if reactor["works_here"]:
            arms.append(Arm(name, (str(example), "--reactor", name), True, LIMIT_OF.get(name, LIMITS[0])))
        else:
            skipped.append(f"{name}: not on this machine ({why_not(reactor)})")
    return arms, skipped


def theirs(kind, wanted, say):
    """The same of the peers, which are built for it."""
    found, _, skipped = peer_runtimes.find(wanted, say)
    arms = [Arm(peer.name, (peer.binary, "--serve", kind), version=peer.version,
                transports=tuple(peer.transports)) for peer in found.values() if kind in peer.serves]
    return arms, [line.removeprefix("peer ") for line in skipped]


def choose(kind, patterns, say):
    """(arms, skipped): those that a comma-separated list of names and patterns fits, all if it is None."""
    own, skipped = ours(kind)
    runtimes = [name for name in peer_runtimes.RUNTIMES if kind == "echo" or name not in LIMITS]
    known = [*(arm.name for arm in own), *(line.partition(":")[0] for line in skipped), *runtimes]
    asked = ["*"] if patterns is None else [one.strip() for one in patterns.split(",") if one.strip()]
    for one in asked:
        if not fnmatch.filter(known, one):
            raise Refusal(f"no server is called '{one}'; there are: {', '.join(known)}", EXIT_USAGE)
    wanted = {name for one in asked for name in fnmatch.filter(known, one)}
    others, lacking = theirs(kind, [name for name in runtimes if name in wanted], say)
    arms = [arm for arm in (*own, *others) if arm.name in wanted]
    skipped = [line for line in (*skipped, *lacking) if line.partition(":")[0] in wanted]
    if not arms:
        raise Refusal(f"no server is left: {'; '.join(skipped) or 'none of them can do this'}")
    return arms, skipped


def need_load(kind):
    """The program that puts the load on."""
    if kind == "echo":
        load = inventory.built("bench", "echo_load")
        if not load.exists():
            raise Refusal(f"{load} is not built")
        return [str(load)]
    if shutil.which("wrk") is None:
        raise Refusal("wrk is missing: apt-get install wrk")
    return ["wrk"]
