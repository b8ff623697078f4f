#!/usr/bin/python3
"""Print the implementations with what each claims, and the newest measured figure of each if there is a bundle."""
import argparse

import bundle as bundles
import inventory
import view
from common import RESULTS, run_program, to_json

NOT_CLAIMS = {"name", "summary", "source", "measured"}
KINDS = {"queues": "queue", "deques": "deque", "reactors": "reactor"}


def arguments(argv):
    parser = argparse.ArgumentParser(
        prog="stealyard list", description="The global queues, deques, reactors and workloads that exist, with what"
        " each implementation claims, and what the newest bundle in results/ has measured of it.", allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(argv)


def measured(bundle, kind, name):
    """The best combination that contains an implementation: its overall time ratio to the bundle's reference."""
    arms = {arm["id"] for arm in bundle.plan["arms"] if arm["kind"] == "combination" and arm[kind] == name}
    reference = bundle.summary["reference"]
    found = [o for o in bundle.summary["overall"] if o["arm"] in arms and o["reference"] == reference]
    best = min(found, key=lambda o: o["ratio"], default=None)
    if best is None:
        return {"is_reference": True, "bundle": bundle.name} if reference in arms else None
    return {"bundle": bundle.name, "arm": best["arm"], "reference": view.arm_label(reference, bundle.machine),
            "ratio": best["ratio"], "interval": best["interval"], "workloads": best["workloads"]}


def gather():
    """The inventory with a "measured" entry (or null) for each implementation."""
    found, newest = inventory.ask(), bundles.newest()
    for kind, single in KINDS.items():
        for entry in found[kind]:
            entry["measured"] = measured(newest, single, entry["name"]) if newest else None
    return found


def claims_text(entry):
    """"progress: lock-free; bounded: no": whatever an entry says beside what it is."""
    claims = {name: value for name, value in entry.items() if name not in NOT_CLAIMS}
    words = {True: "yes", False: "no"}
    return "; ".join(f"{name}: {words[value] if isinstance(value, bool) else value}" for name, value in claims.items()
                     if value != "")


def measured_text(entry):
    found = entry["measured"]
    if found is None:
        return "not measured yet: ./stealyard compare"
    if found.get("is_reference"):
        return f"the reference of {found['bundle']}"
    interval = view.interval_text(found["interval"]) if found["interval"] else ""
    return (f"{view.ratio_text(found['ratio'])} {interval} × the time of {found['reference']},"
            f" {found['workloads']} workloads, as {found['arm']} ({found['bundle']})")


def print_text(found):
    for kind in KINDS:
        print(f"{kind}:")
        for entry in found[kind]:
            print(f"  {entry['name']}: {entry['summary']}")
            print(f"      source    {entry['source']}")
            print(f"      claims    {claims_text(entry)}")
            print(f"      measured  {measured_text(entry)}")
    print("workloads:")
    width = max(len(entry["name"]) for entry in found["workloads"])
    for entry in found["workloads"]:
        print(f"  {entry['name']:{width}}  {entry['summary']}")


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
