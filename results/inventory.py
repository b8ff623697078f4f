"""What exists: asks the programs that were built for their parts, workloads and micro-benchmarks."""
import json
import subprocess

from common import Refusal, build_dir

KINDS = ("queues", "deques", "reactors", "timers", "workloads")
LIST_SECONDS = 60


def built(*where):
    return build_dir().joinpath(*where)


def workload_binary():
    path = built("bench", "workload")
    if not path.exists():
        raise Refusal(f"{path} is missing: './stealyard compare' builds it; STEALYARD_BUILD names the build directory")
    return path


def ask_program(command):
    """The JSON that a program of ours prints; Refusal says what is wrong with it."""
    name = " ".join(map(str, command))
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=LIST_SECONDS, check=True)
        return json.loads(found.stdout)
    except subprocess.CalledProcessError as error:
        raise Refusal(f"{name}: exit code {error.returncode}: {error.stderr.strip()[:200]}") from None
    except subprocess.TimeoutExpired:
        raise Refusal(f"{name}: no answer within {LIST_SECONDS} s") from None
    except ValueError as problem:
        raise Refusal(f"{name}: unusable output: {problem!r}") from None


def ask():
    """{"queues": [{name, summary, source, and its claims}…], …, "workloads": [{name, summary, ops, parts…}…]}"""
    binary = workload_binary()
    inventory = ask_program([binary, "--list", "--json"])
    try:
        for kind in KINDS:
            if not [entry["name"] for entry in inventory[kind]]:
                raise Refusal(f"{binary} --list --json names no {kind}: rebuild it")
    except (KeyError, TypeError) as problem:
        raise Refusal(f"{binary} --list --json: unusable output: {problem!r}") from None
    return inventory


def micro_cases(binary):
    """The cases of micro, or of a peer's twin of it, with what each is about."""
    found = ask_program([binary, "--list-cases", "--json"])
    for case in found:
        if not {"case", "part", "implementation", "core", "axis", "base", "measures"} <= set(case):
            raise Refusal(f"{binary} --list-cases --json: unusable output: {case}")
    return found


def working(inventory, kind):
    """The parts that work on this machine."""
    return [entry for entry in inventory[kind] if entry["works_here"]]


def names(inventory, kind):
    return [entry["name"] for entry in working(inventory, kind)]
