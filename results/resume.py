"""Continuing an interrupted comparison: what must be the same, and which partial directory is meant."""
from pathlib import Path

import bundle as bundles
from common import Refusal

# What does not decide what is measured.
ELSEWHERE = ("resume", "out", "json", "dry_run")
MACHINE = ("cpu", "architecture", "cores", "memory_kib", "os", "kernel", "hypervisor", "governor", "turbo",
           "transparent_huge_pages", "compiler")


def options_of(args):
    return {name: value for name, value in vars(args).items() if name not in ELSEWHERE}


def identity(args, selection, described):
    """What a run is of: continued only by one of the same."""
    return {"options": options_of(args), "commit": described["commit"], "dirty": described["dirty"],
            "machine": {key: described[key] for key in MACHINE}, "programs": selection.programs()}


def differences(then, now):
    """What differs between two identities, in words."""
    found = [f"option --{name.replace('_', '-')}: {then['options'].get(name)} then, {value} now"
             for name, value in now["options"].items() if then["options"].get(name) != value]
    found += [f"{key}: {then[key]} then, {now[key]} now" for key in ("commit", "dirty") if then[key] != now[key]]
    found += [f"machine's {key}: {then['machine'].get(key)} then, {now['machine'][key]} now" for key in MACHINE
              if then["machine"].get(key) != now["machine"][key]]
    programs = [name for name in {**then["programs"], **now["programs"]}
                if then["programs"].get(name) != now["programs"].get(name)]
    return found + [f"build: {', '.join(programs)}"] * bool(programs)


def check(path, then, now):
    found = differences(then, now)
    if found:
        raise Refusal(f"{path} cannot be continued, it is of another run: {'; '.join(found)}")


def partials(out):
    """The interrupted runs in a directory that can be read."""
    found = {}
    for path in sorted(Path(out).glob(f"*{bundles.PARTIAL}")):
        try:
            found[path] = bundles.read_state(path)
        except Refusal:
            continue
    return found


def find(directory, out):
    """(path, state) of the run that --resume means."""
    if directory:
        return Path(directory), bundles.read_state(Path(directory))
    found = partials(out)
    if len(found) != 1:
        which = f"several interrupted runs, name one: {', '.join(map(str, found))}" if found else "no interrupted run"
        raise Refusal(f"--resume: {out} has {which}")
    return next(iter(found.items()))


def take_over(args, given, path, state):
    """The stored options; those given beside --resume must be the same."""
    differing = [f"--{name.replace('_', '-')} {state['options'].get(name)} then, {value} now"
                 for name, value in given.items() if name not in ELSEWHERE and state["options"].get(name) != value]
    if state["options"].get("clang") and not args.clang:
        differing.append("--clang then: give it again, it chooses the build")
    if differing:
        raise Refusal(f"{path} was begun with other options: {'; '.join(differing)}")
    for name, value in state["options"].items():
        setattr(args, name, value)


def same_full_run(args, given, selection, described, say):
    """The path of the one interrupted --full run of this commit, machine, build and options; its seed is taken over
    unless one was given. None where there is none; `say` is told of those that are of another run."""
    matching = {}
    for path, state in partials(args.out).items():
        now = identity(args, selection, described)
        if "seed" not in given:
            now["options"]["seed"] = state["options"].get("seed")
        found = differences(state, now)
        if found:
            say(f"left alone: {path} is of another run: {'; '.join(found)}")
        else:
            matching[path] = state
    if len(matching) > 1:
        raise Refusal(f"several interrupted runs of this are there, --resume one: {', '.join(map(str, matching))}")
    for path, state in matching.items():
        args.seed = state["options"]["seed"]
        return path
    return None

