"""The verdict in sentences, the most important first, each with the anchor of the numbers that it rests on."""
from stats import BETTER, EQUIVALENT, MIN_BLOCKS, UNDECIDED, WORSE
from transfer import MIN_PARTS
from view import KINDS, View, arm_label, faster_text, interval_text, listed, plural, ratio_text

# The peer's word for the default's: better for the one is worse for the other.
MIRRORED = ((WORSE, "faster"), (BETTER, "slower"), (EQUIVALENT, "equivalent"), (UNDECIDED, "undecided"))


def line(head, text, href):
    return {"head": head, "text": text, "href": href}


def times_text(ratio, interval):
    return f"{ratio_text(ratio)} {interval_text(interval)} times" if interval else f"{ratio_text(ratio)} times"


def overall_of(view, group, arm, role="default"):
    return next((o for o in view.summary["overall"] if (o["group"], o["arm"], o["role"]) == (group, arm, role)), None)


def part_sentence(view, kind):
    """Which queue, deque or reactor to take, under the full runtime."""
    found = view.summary["transfer"][kind]
    if found is None or view.plan["blocks"] < MIN_BLOCKS:
        return None
    best, top, default = found["runtime"][0], found["runtime_top"], found["default"]
    where = f"geometric mean over {plural(len(found['runtime_workloads']), 'workload')}"
    if default not in found["parts"]:
        text = f"{best['part']} is the fastest of {len(found['parts'])} ({where})."
    elif default in top:
        text = f"none of {len(found['parts'])} is settled to be faster than {default}, the default ({where})."
    else:
        text = (f"{best['part']} is the fastest of {len(found['parts'])}; it takes"
                 f" {times_text(best['ratio'], best['interval'])} as long as {default}, the default ({where}).")
    others = [name for name in top if name not in (best["part"], default)]
    if others:
        text += f" Too close to call: {listed(dict.fromkeys([best['part'], *others]))}."
    return line(f"{kind.capitalize()}, under the full runtime:", text, f"transfer-{kind}")


def extreme(comparisons, kind):
    """" (most: fib, 2.10 times as fast)" for the clearest of the comparisons with that verdict, seen from ours."""
    chosen = [c for c in comparisons if c["verdict"] == kind]
    if not chosen or kind not in (BETTER, WORSE):
        return ""
    most = (max if kind == WORSE else min)(chosen, key=lambda c: c["ratio"])
    return f" (most: {most['workload']}, {faster_text(1 / most['ratio'])})"


def peer_sentence(view, peer):
    """How the default combination stands against one peer."""
    found = [c for c in view.summary["comparisons"]
             if (c["group"], c["role"], c["arm"]) == ("full", "default", peer)]
    total = overall_of(view, "full", peer)
    if not total:
        return None
    counts = [f"{word} in {count}{extreme(found, kind)}" for kind, word in MIRRORED
              if (count := sum(c["verdict"] == kind for c in found))]
    interval = total["interval"] and [1 / total["interval"][1], 1 / total["interval"][0]]
    return line(f"Against {arm_label(peer, view.machine)}:", f"the default takes"
                f" {times_text(1 / total['ratio'], interval)} as long (geometric mean over"
                f" {plural(total['workloads'], 'workload')}); {', '.join(counts)}.", "peers")


def micro_peer_sentence(view, kind):
    """The fastest foreign queue or deque by itself, against the default one by itself."""
    peers = [o for o in view.summary["overall"] if (o["group"], o["role"]) == (kind, "default")
             and view.arms.by_id[o["arm"]]["kind"] == "peer"]
    if not peers:
        return None
    best = min(peers, key=lambda o: o["ratio"])
    return line(f"Foreign {kind}s, in isolation:", f"{view.arms.long(best['arm'])} is the fastest of"
                f" {len({o['arm'] for o in peers})}; it takes {times_text(best['ratio'], best['interval'])} as long as"
                f" {best['reference']} (geometric mean over {plural(best['workloads'], 'workload')}).", f"heat-{kind}")


def answer(found):
    """Whether the order in isolation predicts that under the runtime, from the least and the most that tau can be."""
    low, high = found["interval"]
    if low >= 0.5:
        return "Yes, mostly"
    if high < 0:
        return "No, rather the reverse"
    if high < 0.5:
        return "Hardly"
    return "In part" if low > 0 else "Not settled"


def transfer_answer(found, kind):
    if found is None:
        return f"That cannot be said, because fewer than two {kind}s were measured at both levels."
    agreeing = found["pairs"] - len(found["flips"])
    if not found["enough"]:
        text = (f"Too few to say, with {plural(len(found['parts']), kind)} (it takes {MIN_PARTS}, and {MIN_BLOCKS}"
                f" blocks): the order agrees in {agreeing} of {plural(found['pairs'], 'pair')}.")
    elif found["tau"] is None:
        text = "That cannot be said, because all are equal at one of the levels."
    else:
        low, high = found["interval"]
        text = (f"{answer(found)}: Kendall's τ = {found['tau']:.2f} [{low:.2f}, {high:.2f}];"
                f" {len(found['flips'])} of {plural(found['pairs'], 'pair')} change places,"
                f" {sum(flip['settled'] for flip in found['flips'])} of them beyond doubt.")
    return (f"{text} In isolation the slowest takes {ratio_text(found['isolation_spread'])} times as long as the"
            f" fastest, under the runtime {ratio_text(found['runtime_spread'])} times.")


def transfer_sentences(view):
    for kind in KINDS:
        found = view.summary["transfer"][kind]
        if found is not None:
            yield line(f"Do micro-benchmarks of {kind}s predict the runtime?", transfer_answer(found, kind),
                       f"transfer-{kind}")


def checks_sentence(summary):
    failed, total = len(summary["failed"]), summary["samples"]
    skipped = sum(cell["skipped"] is not None for cell in summary["cells"])
    if failed:
        text = f"{failed} of {total:,} samples FAILED: what they measured is in no figure here."
    else:
        text = f"each of {total:,} samples that could be taken computed what it should."
    if skipped:
        text += f" {plural(skipped, 'cell')} cannot be measured on this machine."
    return line("Checks:", text, "failed" if failed else "raw")


def control_sentence(control):
    if not control["n"]:
        return line("A/A control:", "it gave no interval.", "control")
    text = (f"the default was entered twice. Of {plural(control['n'], 'interval')} at 95 %"
            f" {control['intervals_off']} exclude 1; chance alone gives {control['expected']:.1f}, and in 95 of 100"
            f" such runs no more than {control['likely']}.")
    if control["intervals_off"] > control["likely"]:
        text += " That is TOO MANY: distrust small differences in this run."
    if control["false_verdicts"]:
        text += f" {control['false_verdicts']} got a false verdict of better or worse."
    return line("A/A control:", text, "control")


def disturbed_sentence(summary):
    counted = sum(cell["n"] for cell in summary["cells"])
    text = (f"{summary['disturbed']:,} of {counted:,} counted samples are marked as disturbed by other processes or the"
            " hypervisor; they are kept.")
    if 2 * summary["disturbed"] > counted:
        text += " Measure again on a quiet machine before you believe a figure of this one."
        return line("DISTURBED RUN:", text, "raw")
    return line("Disturbance:", text, "raw")


def coverage(view):
    """{measured, possible} cells of combination × workload, and the workloads that were not measured at all."""
    exists, plan = view.plan["exists"], view.plan
    known = set(exists["workloads"])
    combinations = {name for name, arm in view.arms.by_id.items()
                    if arm["kind"] == "combination" and not arm["dynamic"]}
    measured = sum(name in known and arm in combinations and cell["n"] > 0
                   for (name, arm), cell in view.cells.items())
    possible = len(exists["queues"]) * len(exists["deques"]) * len(exists["reactors"]) * len(known)
    names = {workload["name"] for workload in plan["workloads"]}
    return {"measured": measured, "possible": possible,
            "workloads": [name for name in exists["workloads"] if name not in names],
            "micro": [name for name in exists["micro"] if name not in names],
            "peers": [name for name in exists["peers"] if name not in view.arms.by_id]}


def coverage_sentence(view):
    found = coverage(view)
    text = (f"{found['measured']} of the {found['possible']:,} possible cells (combination × workload) were measured:"
            f" {'a star around the default' if view.plan['design'] == 'star' else 'a full factorial'}.")
    if found["workloads"]:
        text += f" Workloads left out: {len(found['workloads'])} of {len(view.plan['exists']['workloads'])}."
    return line("Coverage:", text, "coverage")


def evidence(bundle):
    """[{head, text, href}]: the verdict with its links."""
    view = View(bundle)
    peers = [name for name, arm in view.arms.by_id.items() if arm["kind"] == "peer"]
    lines = [*(part_sentence(view, kind) for kind in KINDS), *(peer_sentence(view, peer) for peer in peers),
             *transfer_sentences(view), *(micro_peer_sentence(view, kind) for kind in KINDS)]
    lines = list(filter(None, lines))
    if view.plan["blocks"] < MIN_BLOCKS:
        lines.append(line("Too little:", f"with {plural(view.plan['blocks'], 'block')} nothing can be decided; it takes"
                          f" {MIN_BLOCKS}.", "method"))
    lines += [control_sentence(view.summary["control"]), checks_sentence(view.summary), coverage_sentence(view)]
    disturbed = disturbed_sentence(view.summary)
    # What puts every figure in doubt stands before them.
    lines.insert(0 if disturbed["head"].startswith("DISTURBED") else len(lines), disturbed)
    return lines


def sentences(bundle):
    """The same as plain text, with what was skipped."""
    return [*(f"{one['head']} {one['text']}" for one in evidence(bundle)), *bundle.summary["mismatches"],
            *(f"Skipped: {line}." for line in bundle.plan["skipped"])]
