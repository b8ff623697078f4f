#!/usr/bin/python3
# ctest-timeout: 120
"""What is measured: the star, the pairs, the full factorial, the fit into the time, the order, the effort, patterns."""
import unittest
from collections import Counter

import design
import plan
from common import Refusal, choose_names

ZOO = (13, 11, 8)  # about as many as are to be told apart
COST_S = {"runtime": 0.075, "server": 0.35, "micro": 0.035}


def chosen(queues, deques, reactors):
    return design.levels(*([f"{prefix}_{k}" for k in range(n)]
                           for prefix, n in (("gq", queues), ("dq", deques), ("rx", reactors))))


def make(sizes, runtime=40, peers=5, kind=design.Star, seed=1, everywhere=plan.PARTS):
    """A design over made-up workloads: some feel the reactor, two are scaled, two are servers, 20 are micro."""
    parts, names = chosen(*sizes), ["yield_many", "fib", "echo", *(f"w{k}" for k in range(runtime - 3))]
    workloads = {name: plan.Workload(name, name, 1, parts=plan.PARTS if name in ("echo", "w1") else plan.PARTS[:2])
                 for name in names}
    entries = {name: {"summary": name, "ops": 1, "ops_per_worker": False, "parts": ["queue", "deque"],
                      "measures": "duration"} for name in names}
    workloads.update({one.name: one for one in design.scaled(entries, 2)})
    for name in ("echo", "http"):
        workloads[f"{name}_64"] = plan.Workload(f"{name}_64", name, 1, "server", parts=("reactor",), base=name,
                                                scale=("connections", 64))
    micro = {}
    for part, shapes in (("queue", 9), ("deque", 6), ("reactor", 5)):
        for name in [f"{part}/{k}" for k in range(shapes)]:
            workloads[name] = plan.Workload(name, name, 1, "micro", part, (part,))
            micro[name] = [*parts[part], "made_up_peer", plan.CONTROL]
    runs = {f"peer{k}": {name for name, one in workloads.items() if one.level != "micro"} for k in range(peers)}
    return kind(workloads, parts, runs, micro, seed, everywhere=everywhere)


def cost_s(made, cells):
    return sum(1.2 if name == "http_64" else COST_S[made.workloads[name].level] for name, _ in cells)


def admitted(made, seconds=60 * plan.DEFAULT_MINUTES):
    """(groups that fit, groups that do not, seconds) at the made-up costs."""
    admission, found, left_out = design.Admission(seconds, plan.MIN_BLOCKS), [], []
    for group in made.groups():
        if admission.fits(group, cost_s(made, group.cells)):
            admission.add(cost_s(made, group.cells))
            found.append(group)
        else:
            left_out.append(group)
    return found, left_out, admission.spent


def cells_of(groups):
    return [cell for group in groups for cell in group.cells]


class Star(unittest.TestCase):
    def test_one_part_varies_at_a_time(self):
        made = make(ZOO)
        for part, arms in made.star.items():
            self.assertEqual(len(arms), {"queue": 12, "deque": 10, "reactor": 7}[part])
            for arm in arms:
                differs = [other for other in plan.PARTS if getattr(arm, other) != getattr(made.default, other)]
                self.assertEqual(differs, [part])

    def test_a_part_is_varied_only_where_it_is_felt(self):
        made = make((3, 3, 3))
        reactors = {arm.id for arm in made.star["reactor"]}
        for name, arm in cells_of(made.groups()):
            if arm in reactors:
                self.assertIn("reactor", made.workloads[name].parts)

    def varied(self, made):
        return {part: {group.workload for group in made.groups() if group.what == f"every {part}"}
                for part in plan.PARTS}

    def test_many_queues_and_deques_are_varied_only_where_they_matter_most(self):
        made = make(ZOO, everywhere=())
        found = self.varied(made)
        self.assertEqual((found["queue"], found["deque"]), ({"yield_many"}, {"yield_many", "fib", "echo"}))
        self.assertEqual((found["reactor"], made.not_varied["reactor"]), ({"echo", "echo_64", "http_64"}, ["w1"]))
        everywhere = {name for name, one in made.full.items() if "deque" in one.parts and not design.is_curve(one)}
        for part in ("queue", "deque"):
            self.assertEqual(found[part] | set(made.not_varied[part]), everywhere)
            self.assertFalse(found[part] & set(made.not_varied[part]))
        for others in (make(ZOO), make((3, 4, 5), everywhere=()), make(ZOO, kind=design.Full, everywhere=())):
            self.assertEqual(others.not_varied, {})

    def test_parts_that_were_named_are_varied_everywhere(self):
        made = make(ZOO, everywhere=("deque",))
        self.assertEqual(set(made.not_varied), {"queue", "reactor"})
        self.assertEqual(len(self.varied(made)["deque"]), 40)

    def test_each_cell_once_and_no_arm_unknown(self):
        for kind in (design.Star, design.Full):
            made = make((3, 4, 2), kind=kind)
            cells = cells_of(made.groups())
            self.assertEqual(Counter(cells).most_common(1)[0][1], 1)
            known = {arm.id for arm in made.arms()} | set(made.runs)
            self.assertEqual({arm for name, arm in cells if made.workloads[name].level != "micro"} - known, set())

    def test_control_and_default_on_every_workload(self):
        made = make(ZOO)
        cells = set(cells_of(admitted(made)[0]))
        for name, one in made.workloads.items():
            if one.level != "micro":
                self.assertTrue({(name, made.default.id), (name, plan.CONTROL), (name, "peer0")} <= cells, name)

    def test_curves_go_to_twice_the_workers(self):
        made = make((1, 2, 1))
        self.assertEqual([name for name in made.workloads if name.startswith("fib@")], ["fib@1", "fib@2", "fib@4"])
        entry = {"fib": {"summary": "", "ops": 10, "ops_per_worker": True, "parts": [], "measures": "duration"}}
        points = design.scaled(entry, 6)
        self.assertEqual([(one.scale, one.ops) for one in points],
                         [(("workers", n), 10 * n) for n in (1, 2, 4, 8, 12)])


class Pairs(unittest.TestCase):
    def test_pairs_stand_where_their_parts_are_varied_by_themselves(self):
        made = make(ZOO[:2] + (1,), everywhere=())
        places = {what: {group.workload for group in made.groups() if group.what == what}
                  for what in ("every queue", "every deque", "pairs of parts")}
        self.assertEqual(places["pairs of parts"], places["every queue"] & places["every deque"])
        self.assertTrue(places["pairs of parts"])

    def test_every_level_about_equally_often(self):
        for sizes in (ZOO, (4, 4, 4), (2, 9, 1), (5, 2, 2)):
            for seed in range(5):
                parts = chosen(*sizes)
                arms = design.pairs(parts, seed)
                self.assertEqual(len(set(arms)), len(arms))
                self.assertEqual(len(arms), max(sizes) - 1)
                for part, names in parts.items():
                    count = Counter(getattr(arm, part) for arm in arms)
                    if len(names) > 1:
                        self.assertEqual(set(count), set(names[1:]))
                        self.assertLessEqual(max(count.values()) - min(count.values()), 1)

    def test_none_is_in_the_star(self):
        for sizes in (ZOO, (3, 2, 1)):
            made = make(sizes)
            self.assertFalse({arm.id for arm in made.pairs} & {arm.id for arms in made.star.values() for arm in arms})

    def test_one_choice_makes_no_pairs(self):
        self.assertEqual(design.pairs(chosen(1, 5, 1), 1), [])

    def test_the_seed_decides(self):
        parts = chosen(9, 9, 9)
        self.assertEqual(design.pairs(parts, 1), design.pairs(parts, 1))
        self.assertNotEqual(design.pairs(parts, 1), design.pairs(parts, 2))


class Fit(unittest.TestCase):
    def test_the_largest_zoo_fits_six_minutes(self):
        made = make(ZOO, everywhere=())
        groups, left_out, seconds = admitted(made)
        self.assertLessEqual(seconds, 60 * plan.DEFAULT_MINUTES)
        self.assertTrue(left_out)
        # However thin: every level by itself, in the star and in a pair; every peer.
        arms = {arm for _, arm in cells_of(groups)}
        self.assertEqual({arm.id for arm in made.arms()} - arms, set())
        self.assertEqual(set(made.runs) - arms, set())
        for part, names in chosen(*ZOO).items():
            self.assertEqual(set(names) - arms, set(), part)

    def test_peers_beyond_the_first_and_pairs_go_before_the_star(self):
        made = make(ZOO)
        count = Counter(group.what for group in admitted(made)[0])
        self.assertGreaterEqual(count["every queue"], count["pairs of parts"])
        self.assertGreater(count["every queue"], 1)

    def test_more_time_leaves_out_less_and_enough_nothing(self):
        made = make(ZOO)
        left = [len(admitted(made, seconds)[1]) for seconds in (180, 360, 720, 7200)]
        self.assertEqual(left, sorted(left, reverse=True))
        self.assertEqual(left[-1], 0)

    def test_the_least_is_measured_however_short_the_time(self):
        groups, _, _ = admitted(make(ZOO), 1)
        self.assertEqual({group.rank for group in groups}, {0})

    def test_without_limit_all_fits(self):
        self.assertEqual(admitted(make(ZOO), None)[1], [])


class Full(unittest.TestCase):
    def test_every_combination_on_every_workload(self):
        made = make((3, 4, 2), runtime=5, peers=2, kind=design.Full)
        cells = set(cells_of(made.groups()))
        for name, one in made.full.items():
            arms = {arm for workload, arm in cells if workload == name}
            self.assertEqual(len(arms), 3 * 4 * 2 + 1 + 2)
        self.assertEqual({group.rank for group in made.groups()}, {0})


class Order(unittest.TestCase):
    cells = {"a": ["x", "y", "z"], "b": ["x", "z"]}

    def test_each_block_is_complete_and_keeps_a_workload_together(self):
        for block in range(20):
            order = plan.order_of_block(self.cells, 1, block)
            self.assertEqual(sorted(order), sorted((w, arm) for w, arms in self.cells.items() for arm in arms))
            runs = [w for k, (w, _) in enumerate(order) if k == 0 or order[k - 1][0] != w]
            self.assertEqual(len(runs), len(self.cells))

    def test_order_is_shuffled_and_repeats_with_the_seed(self):
        orders = [plan.order_of_block(self.cells, 1, block) for block in range(20)]
        self.assertGreater(len(set(map(tuple, orders))), 5)
        self.assertEqual(orders, [plan.order_of_block(self.cells, 1, block) for block in range(20)])
        self.assertNotEqual(orders, [plan.order_of_block(self.cells, 2, block) for block in range(20)])

    def test_every_arm_comes_first_about_equally_often(self):
        first = Counter(plan.order_of_block({"a": ["x", "y", "z"]}, 3, block)[0][1] for block in range(300))
        self.assertTrue(all(70 <= count <= 130 for count in first.values()), first)


class Effort(unittest.TestCase):
    workload = plan.Workload("a", "a", 1)

    def test_time_that_is_too_short_keeps_the_blocks_and_shrinks_the_samples(self):
        costs = [plan.Cost(self.workload, 0.1, 0.01)] * 400
        self.assertEqual(plan.choose_effort(costs, 60), (plan.MIN_BLOCKS, plan.MIN_BUDGET_MS))

    def test_time_that_suffices_is_kept_to(self):
        costs = [plan.Cost(self.workload, 0.1, 0.01)] * 60
        blocks, budget_ms = plan.choose_effort(costs, 60 * plan.DEFAULT_MINUTES, fill=False)
        self.assertGreaterEqual(blocks, plan.MIN_BLOCKS)
        self.assertLessEqual(blocks * plan.block_seconds(costs, budget_ms), 60 * plan.DEFAULT_MINUTES)

    def test_a_long_iteration_is_what_a_sample_costs_at_least(self):
        taken = {"budget_ms": 20, "elapsed_s": 3.1, "samples_ns": [3e9]}
        cost = plan.Cost.of(self.workload, taken)
        self.assertAlmostEqual(cost.seconds(20), 3.1, places=6)
        self.assertAlmostEqual(cost.seconds(5000), 0.1 + 5 + 1.5, places=6)

    def test_a_percentile_is_not_taken_for_a_duration(self):
        mixed = plan.Workload("mixed", "", 1, measures="p99 latency")
        cost = plan.Cost.of(mixed, {"budget_ms": 20, "elapsed_s": 0.6, "samples_ns": [4e8] * 5})
        self.assertGreater(cost.seconds(20), 0.59)

    def test_what_does_not_follow_the_budget(self):
        http = plan.Workload("http_64", "", 1, "server", base="http", scale=("connections", 64))
        micro = plan.Workload("queue/a", "", 1, "micro", "queue")
        self.assertEqual([plan.asked_s(http, ms) for ms in (20, 300)], [1, 1])
        self.assertEqual([plan.asked_s(micro, ms) for ms in (20, 300)], [0.02, 0.1])

    def test_stops_between_blocks_when_the_time_is_up(self):
        self.assertFalse(plan.time_is_up(12, 120, 131))
        self.assertTrue(plan.time_is_up(12, 120, 129))
        self.assertFalse(plan.time_is_up(plan.MIN_BLOCKS - 1, 500, 100))  # never fewer than nine


class Description(unittest.TestCase):
    def test_default_and_reference_of_each_workload(self):
        arms = [plan.combination("q", "d", "r"), plan.part_arm("dq", "deque"), plan.part_arm("reference", "reference"),
                plan.Arm("peer", "peer")]
        workloads = {"w": plan.Workload("w", "", 1), "deque/a": plan.Workload("deque/a", "", 1, "micro", "deque"),
                     "reference/a": plan.Workload("reference/a", "", 1, "micro", "reference")}
        cells = {"w": ["peer", "q+d+r"], "deque/a": ["dq", "peer"], "reference/a": ["reference"]}
        found = plan.describe(arms, cells, workloads, "q+d+r", 1, 2)
        self.assertEqual([(one["default"], one["reference"]) for one in found["workloads"]],
                         [("q+d+r", "peer"), ("dq", "peer"), ("reference", "reference")])
        self.assertEqual([arm["id"] for arm in found["arms"]], ["q+d+r", "dq", "reference", "peer"])
        self.assertEqual([arm["deque"] for arm in found["arms"]], ["d", "dq", None, None])


class Patterns(unittest.TestCase):
    known = ["fib", "fib@1", "sync_mpsc_100", "sync_semaphore", "queue/pairs/1", "queue/transfer/1:1/batch:1"]

    def test_patterns_and_names(self):
        self.assertEqual(choose_names("workload", "sync_*,fib", self.known), ["sync_mpsc_100", "sync_semaphore", "fib"])
        self.assertEqual(choose_names("workload", "queue/*", self.known), self.known[4:])
        self.assertEqual(choose_names("workload", "fib*,fib", self.known), ["fib", "fib@1"])
        self.assertEqual(choose_names("workload", None, self.known), self.known)

    def test_what_fits_nothing_is_refused_with_the_list(self):
        for wanted in ("fob", "sync_x*", ",", "fib,Fib"):
            with self.assertRaisesRegex(Refusal, "known: fib, fib@1, sync_mpsc_100"):
                choose_names("workload", wanted, self.known)


if __name__ == "__main__":
    unittest.main()
