#!/usr/bin/python3
"""Print the implementations with what each claims, and the newest measured figure of each if there is a bundle."""
import argparse
import shutil
import textwrap

import bundle as bundles
import inventory
import view
from common import run_program, to_json

NOT_CLAIMS = {"name", "summary", "source", "measured", "cost", "caveat", "missing", "works_here"}
# What is asked of the other kinds only, and so is false here without meaning anything.
NOT_ASKED = {"queues": {"withholds"}, "deques": {"reclaims", "allocates", "aborts"},
             "reactors": {"bounded", "withholds", "reclaims", "allocates", "aborts"},
             "timers": {"bounded", "withholds", "reclaims", "allocates", "aborts"}}
# The timers' stores are weighed by themselves only, among the cases of reactors.
KINDS = {"queues": "queue", "deques": "deque", "reactors": "reactor", "timers": "reactor"}


def arguments(argv):
    parser = argparse.ArgumentParser(
        prog="stealyard list", description="The global queues, deques, reactors, timers and workloads that exist, with"
        " what each implementation claims, and what the newest bundle in results/ has measured of it.",
        allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(argv)


def measured(bundle, kind, name):
    """Where the newest bundle ranks an implementation: under the full runtime, else in isolation, else over all."""
    found = bundle.summary["transfer"][kind]
    if found and name in found["parts"]:
        line = next(line for line in found["runtime"] if line["part"] == name)
        return {"bundle": bundle.name, "rank": line["rank"], "of": len(found["parts"]), "reference": found["default"],
                "ratio": line["ratio"], "interval": line["interval"], "workloads": len(found["runtime_workloads"])}
    centre = next(arm for arm in bundle.plan["arms"] if arm["id"] == bundle.plan["default"])
    others = [other for other in KINDS.values() if other != kind]
    arms = {arm["id"] for arm in bundle.plan["arms"] if arm[kind] == name
            and (arm["kind"] == "part" or (arm["kind"] == "combination" and not arm["dynamic"]
                                           and all(arm[other] == centre[other] for other in others)))}
    lines = [o for o in bundle.summary["overall"] if o["arm"] in arms and o["role"] == "default"]
    best = min(lines, key=lambda o: (o["group"] != "full", o["ratio"]), default=None)
    if best is None:
        return {"is_default": True, "bundle": bundle.name} if bundle.plan["default"] in arms else None
    return {"bundle": bundle.name, "rank": None, "of": None, "reference": best["reference"], "ratio": best["ratio"],
            "interval": best["interval"], "workloads": best["workloads"]}


def gather():
    """The inventory with a "measured" entry (or null) for each implementation."""
    found, newest = inventory.ask(), bundles.newest()
    for kind, single in KINDS.items():
        for entry in found[kind]:
            entry["measured"] = measured(newest, single, entry["name"]) if newest else None
    return found


def claims_text(kind, entry):
    """"progress: lock-free; bounded: no": whatever an entry says beside what it is."""
    claims = {name: value for name, value in entry.items() if name not in NOT_CLAIMS | NOT_ASKED[kind]}
    words = {True: "yes", False: "no"}
    return "; ".join(f"{name}: {words[value] if isinstance(value, bool) else value}" for name, value in claims.items()
                     if value != "")


def measured_text(entry):
    found = entry["measured"]
    if found is None:
        return "not measured yet: ./stealyard compare"
    if found.get("is_default"):
        return f"the default of {found['bundle']}, alone"
    interval = f" {view.interval_text(found['interval'])}" if found["interval"] else ""
    rank = f"rank {found['rank']} of {found['of']}, " if found["rank"] else ""
    return (f"{rank}{view.ratio_text(found['ratio'])}{interval} × the time of {found['reference']},"
            f" {view.plural(found['workloads'], 'workload')} ({found['bundle']})")


def print_hanging(head, text):
    """The text beside its head, folded to the terminal's width: lines of more than 120 columns are hard to read."""
    columns = min(max(shutil.get_terminal_size((100, 24)).columns, 60), 120)
    print(textwrap.fill(text, columns, initial_indent=head, subsequent_indent=" " * max(len(head), 4),
                        break_long_words=False, break_on_hyphens=False))


def print_text(found):
    for kind in KINDS:
        print(f"{kind}:")
        for entry in found[kind]:
            here = "" if entry["works_here"] else " (not on this machine)"
            print_hanging("  ", f"{entry['name']}: {entry['summary']}{here}")
            print_hanging("      source    ", entry["source"])
            print_hanging("      claims    ", claims_text(kind, entry))
            for field in ("missing", "cost", "caveat"):
                if entry.get(field):
                    print_hanging(f"      {field:9} ", entry[field])
            print_hanging("      measured  ", measured_text(entry))
    print("workloads:")
    width = max(len(entry["name"]) for entry in found["workloads"])
    for entry in found["workloads"]:
        print_hanging(f"  {entry['name']:{width}}  ", entry["summary"])


def main(argv):
    args = arguments(argv)
    found = gather()
    if args.json:
        print(to_json(found), end="")
    else:
        print_text(found)
    return 0


if __name__ == "__main__":
    run_program("stealyard list", main)
