"""Takes the samples of a selection, block by block, into a bundle's writer; what is there is not taken again."""
import design
import plan
import sample
from common import to_json
from progress import Progress, clock


class Run:
    """`cells` is what was admitted; `skipped` says what cannot run and why, `left_out` on which workloads there was no
    time for what."""

    def __init__(self, selection, args, writer):
        self.selection, self.args, self.writer = selection, args, writer
        self.cells, self.costs, self.skipped, self.left_out, self.absent = {}, {}, [], {}, set()
        self.taken = {(s["block"], s["workload"], s["arm"]): s for s in writer.samples}
        self.seconds = 60 * (args.minutes or plan.DEFAULT_MINUTES)

    def sample(self, block, workload, arm, budget_ms, progress):
        """Takes one sample, unless an earlier run has."""
        if (block, workload, arm) in self.taken:
            return self.taken[block, workload, arm]
        name = f"s{len(self.writer.samples) + 1:05d}"
        job = self.selection.job(workload, arm, self.args.seed + block, budget_ms)
        record = sample.take(name, block, arm, job)
        self.writer.add(record)
        for word, reason in (("FAILED", record["failure"]), ("SKIPPED", record["skipped"])):
            if reason:
                progress.say(f"{word} {name} {workload} {arm}: {reason}")
        return record

    def pilot(self):
        """A short block that is checked but not counted: it warms up, tells what each sample costs, and with that how
        much of the design fits the time."""
        groups = self.selection.groups
        progress = Progress(sum(len(group.cells) for group in groups))
        progress.say(f"pilot: up to {progress.total} short samples, checked but not counted")
        admission = make_admission(self.args, self.seconds)
        for group in groups:
            cells = [cell for cell in group.cells if cell not in self.costs]
            if not admission.fits(group, sum(self.expected_s(*cell) for cell in cells)):
                self.leave_out(group)
                progress.step(len(group.cells), f"no time for {group.what} on {group.workload}")
                continue
            for cell in cells:
                self.pilot_cell(*cell, progress)
            admission.add(sum(self.costs[cell].seconds(self.least_budget_ms()) for cell in cells))
        progress.close()

    def leave_out(self, group):
        self.left_out.setdefault(group.what, []).append(group.workload)

    def pilot_cell(self, workload, arm, progress):
        record = self.sample(0, workload, arm, plan.PILOT_BUDGET_MS, progress)
        self.cells.setdefault(workload, []).append(arm)
        self.costs[workload, arm] = plan.Cost.of(self.selection.workloads[workload], record)
        if record["skipped"]:
            self.absent.add((workload, arm))
            self.skipped.append(f"workload {workload} for {arm}: {record['skipped']}")
        progress.step(1, f"block 0: {workload} {arm}")

    def least_budget_ms(self):
        return self.args.budget_ms or plan.MIN_BUDGET_MS

    def expected_s(self, workload, arm):
        """What a sample of a cell should take: as long as others of its workload did."""
        known = [cost.seconds(self.least_budget_ms()) for (name, _), cost in self.costs.items() if name == workload]
        if known:
            return sum(known) / len(known)
        return plan.assumed_cost(self.selection.workloads[workload]).seconds(self.least_budget_ms())

    def running(self):
        """The cells that are measured in each block."""
        return {name: arms for name, all_arms in self.cells.items()
                if (arms := [arm for arm in all_arms if (name, arm) not in self.absent])}

    def choose_effort(self):
        left = self.seconds - sum(s["elapsed_s"] for s in self.writer.samples if s["block"] == 0)
        costs = [cost for cell, cost in self.costs.items() if cell not in self.absent]
        return plan.choose_effort(costs, left, self.args.blocks, self.args.budget_ms, self.args.minutes is not None)

    def block(self, number, budget_ms, progress):
        for workload, arm in plan.order_of_block(self.running(), self.args.seed, number):
            self.sample(number, workload, arm, budget_ms, progress)
            progress.step(self.costs[workload, arm].seconds(budget_ms), f"block {number}: {workload} {arm}")

    def blocks(self, blocks, budget_ms):
        """Takes the blocks and says how many there were time for."""
        seconds = blocks * sum(cost.seconds(budget_ms) for cell, cost in self.costs.items() if cell not in self.absent)
        progress = Progress(seconds)
        count = sum(map(len, self.running().values()))
        progress.say(f"{blocks} blocks × {count} samples of {budget_ms} ms, about {clock(seconds)} minutes,"
                     f" seed {self.args.seed}")
        done = 0
        while done < blocks:
            done += 1
            self.block(done, budget_ms, progress)
            if self.args.blocks is None and plan.time_is_up(done, *self.spent_and_allowed()):
                break
        progress.close()
        if done < blocks:
            progress.say(f"the time is up after {done} of {blocks} blocks")
        return done

    def spent_and_allowed(self):
        """Seconds: of the blocks so far, in this run and those before it, and what the pilot has left for them."""
        pilot = sum(s["elapsed_s"] for s in self.writer.samples if s["block"] == 0)
        return sum(s["elapsed_s"] for s in self.writer.samples if s["block"] > 0), self.seconds - pilot


def make_admission(args, seconds):
    # Who says how many blocks, or wants everything, waits for as long as it takes.
    return design.Admission(None if args.blocks else seconds, plan.MIN_BLOCKS)


class NoWriter:
    samples = ()


def describe_dry(selection, args, plan_of):
    """What would be measured, by costs that are assumed: nothing is run."""
    run = Run(selection, args, NoWriter)
    admission = make_admission(args, run.seconds)
    for group in selection.groups:
        if not admission.fits(group, sum(run.expected_s(*cell) for cell in group.cells)):
            run.leave_out(group)
            continue
        for workload, arm in group.cells:
            run.cells.setdefault(workload, []).append(arm)
            run.costs[workload, arm] = plan.assumed_cost(selection.workloads[workload])
        admission.add(sum(run.expected_s(*cell) for cell in group.cells))
    blocks, budget_ms = run.choose_effort()
    content = plan_of(selection, args, run, blocks, budget_ms, 0)
    seconds = (blocks + 1) * plan.block_seconds(run.costs.values(), budget_ms)
    if args.json:
        return to_json({**content, "expected_s": round(seconds)}).rstrip()
    lines = [f"{one['name']:40} {', '.join(one['arms'])}" for one in content["workloads"]]
    lines += [f"left out: {line}" for line in content["left_out"]]
    lines.append(f"{content['design']} design: {len(run.costs)} cells on {len(run.cells)} workloads, {blocks} blocks of"
                 f" {budget_ms} ms samples, about {clock(seconds)} minutes if samples cost what is assumed (the pilot"
                 " measures it)")
    return "\n".join(lines)
