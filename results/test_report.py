#!/usr/bin/python3
# ctest-timeout: 900
"""report on bundles of known truth: a self-contained page, its words, its links to raw samples, its charts."""
import contextlib
import copy
import functools
import io
import json
import re
import tempfile
import unittest
import xml.etree.ElementTree as xml
from collections import Counter

import bundle as bundles
import plots
import report
import synthetic
import tables
import verdict
import view
from page import Page
from summary import summarise
from testing import WithBuild

QUEUES = ("gq_mutex", "gq_ring", "gq_faa", "gq_seg")
# The ring wins in isolation and loses under the runtime; moodycamel beats all in isolation; go is slow.
FACTORS = {"gq_ring": 0.7, "gq_faa": 0.9, "gq_seg": 1.5, "gq_ring+dq_chase_lev+rx_epoll": 1.3, "moodycamel": 0.4,
           "go": 1.8, "tokio": 1.2}


@functools.cache
def made():
    one = synthetic.make(queues=QUEUES, factors=FACTORS)
    one.summary = summarise(one.plan, one.samples)
    return one


@functools.cache
def drawn():
    return plots.draw(view.View(made()))


def render(one):
    return report.render(one, drawn())


@functools.cache
def page():
    return render(made())


def changed(edit):
    """A copy of the bundle with something done to it."""
    one = copy.deepcopy(made())
    edit(one)
    return one


class Html(unittest.TestCase):
    def setUp(self):
        self.text = page()["report.html"]
        self.page = Page(self.text)

    def test_well_formed_and_self_contained(self):
        self.assertEqual((self.page.bad, self.page.open), ([], []))
        self.assertEqual([url for url in self.page.fetched if not url.startswith(("data:", "#"))], [])
        self.assertNotRegex(self.text, r"@import|url\((?!#)|fetch\(|XMLHttpRequest")
        self.assertIn("prefers-color-scheme: dark", self.text)
        self.assertIn("width=device-width", self.text)

    def test_links_resolve_and_ids_are_unique(self):
        self.assertEqual({link for link in self.page.links if link[1:] not in self.page.ids}, set())
        # Charts share one document: their clip paths and markers must not shadow each other's.
        self.assertEqual([name for name, count in Counter(self.page.ids).items() if count > 1], [])
        used = set(re.findall(r'(?:xlink:href="|url\()#([^")]+)', self.text))
        self.assertEqual(used - set(self.page.ids), set())

    def test_every_sample_is_listed_with_its_line(self):
        raw = self.text[self.text.index('id="raw"'):]
        listed = sorted(int(number) for number in re.findall(r"^(\d+): [\d–]", raw, re.MULTILINE))
        self.assertEqual(listed, list(range(1, len(made().samples) + 1)))
        for cell in made().summary["cells"]:
            self.assertIn(view.anchor(cell["workload"], cell["arm"]), self.page.ids)

    def test_every_cell_of_a_heat_map_leads_to_its_samples_or_is_hatched(self):
        cells = [cell for heat in tables.heat_groups(view.View(made())) for row in heat["rows"]
                 for cell in row["cells"]]
        unmeasured = sum(cell["kind"] == "unmeasured" for cell in cells)
        measured = {(cell["workload"], cell["arm"]) for cell in made().summary["cells"] if cell["arm"] != "A/A"}
        self.assertEqual(len(cells) - unmeasured, len(measured))
        self.assertGreater(unmeasured, 0)
        self.assertEqual(self.text.count('<td class="n"></td>'), unmeasured)
        for cell in cells:
            if cell["kind"] != "unmeasured":
                self.assertIn(f'href="#{cell["href"]}" title="{cell["title"]}"', self.text)

    def test_overall_counts_verdicts(self):
        found = {(line["group"], line["arm"]): line for line in tables.overall_rows(view.View(made()))}
        seg, moodycamel = found["full", "gq_seg+dq_chase_lev+rx_epoll"], found["queue", "moodycamel"]
        self.assertEqual([seg[kind] for kind in ("better", "worse", "equivalent", "undecided")], [0, 7, 0, 0])
        self.assertEqual((moodycamel["better"], moodycamel["worse"]), (3, 0))

    def test_verdict_stands_first(self):
        self.assertLess(self.text.index("Queue, under the full runtime"), self.text.index("<table"))

    def test_hostile_text_is_escaped(self):
        one = changed(lambda b: b.samples[0].update(failure="<script>alert(1)</script>", value_ns=None))
        self.assertNotIn("<script>alert", render(one)["report.html"])

    def test_a_chart_has_room_beside_the_longest_name(self):
        one = view.View(changed(lambda b: b.machine["versions"].update(tokio="tokio " + "and more " * 30)))
        workload = next(w for w in one.plan["workloads"] if "tokio" in w["arms"])
        self.assertIn("and more and more", plots.strip(one, workload))

    def test_a_physical_limit_is_called_by_its_name(self):
        limit = {"versions": {"limit-epoll": "physical limit: one thread, epoll", "go": "Go 1.26.8"}}
        self.assertEqual(view.arm_label("limit-epoll", limit), "limit-epoll (physical limit)")
        self.assertEqual(view.arm_label("go", limit), "Go 1.26.8 (peer)")
        self.assertEqual(view.arm_label("tokio", limit), "tokio")

    def test_exact_figures_latency_and_failed_operations_are_shown(self):
        for needle in ('id="exact"', 'id="latency"', 'id="micro"', 'id="scaling"', 'id="pareto"', 'id="peers"',
                       'id="servers"'):
            self.assertIn(needle, self.text)

    def test_what_a_message_costs_a_server(self):
        def cheaper(one):
            for sample in one.samples:
                if sample["workload"] == "echo_64":
                    sample.update(iterations=1000, cpu_ns={"go": 1e6, "tokio": 8e6}.get(sample["arm"], 2e6))
            one.summary = summarise(one.plan, one.samples)
        rows = [row for row in tables.server_rows(view.View(changed(cheaper))) if row["workload"] == "echo_64"]
        self.assertEqual([row["arm"] for row in (rows[0], rows[-1])], ["go", "tokio"])
        self.assertEqual((rows[0]["cpu"], rows[0]["versus"], rows[-1]["versus"]), ("1 µs", [2, 8], [0.25, 1]))
        self.assertNotIn("A/A", [row["arm"] for row in rows])

    def test_a_bundle_of_before_costs_were_told(self):
        def forget(one):
            for cell in one.summary["cells"]:
                del cell["cpu_op_ns"]
        self.assertNotIn('id="servers"', render(changed(forget))["report.html"])

    def test_without_what_a_run_may_lack(self):
        one = synthetic.make(queues=QUEUES[:1], deques=("dq_chase_lev",), peers=(), blocks=2, micro=False, exact=False)
        one.summary = summarise(one.plan, one.samples)
        found = report.files(one)
        bare = Page(found["report.html"])
        self.assertEqual((bare.bad, bare.open), ([], []))
        self.assertEqual({link for link in bare.links if link[1:] not in bare.ids}, set())
        self.assertIn("nothing can be decided", found["report.html"])


class Sentences(unittest.TestCase):
    def said(self, one=None):
        return "\n".join(verdict.sentences(one or made()))

    def test_planted_winner(self):
        self.assertRegex(self.said(), r"Queue, under the full runtime: gq_faa is the fastest of 4; it takes 0\.90")
        self.assertIn("none of 2 is settled to be faster than dq_chase_lev", self.said())

    def test_planted_peers(self):
        self.assertRegex(self.said(), r"Against go: the default takes 0\.5[56] \[.*\] times as long .* faster in")
        self.assertRegex(self.said(), r"moodycamel is the fastest of 1; it takes 0\.(39|40|41) ")

    def test_points_of_a_curve_do_not_count_twice(self):
        found = {o["arm"]: o["workloads"] for o in made().summary["overall"]
                 if (o["group"], o["role"]) == ("full", "default")}
        # Five runtime workloads and two servers; yield_many@1, @2 and @4 are yield_many again.
        self.assertEqual((found["tokio"], found["go"]), (7, 7))

    def test_without_the_default_there_is_no_ratio_to_it(self):
        def spoil(one):
            one.summary["transfer"]["queue"].update(default="gq_absent")
        self.assertIn("gq_faa is the fastest of 4 (geometric", self.said(changed(spoil)))

    def test_planted_flips(self):
        # In isolation ring, faa, mutex, seg; under the runtime faa, mutex, ring, seg: the ring flips with two of three.
        self.assertRegex(self.said(), r"Do micro-benchmarks of queues predict the runtime\? .*τ = 0\.33 .*2 of 6 pairs"
                                      r" change places, 2 of them beyond doubt")

    def test_control_says_what_chance_gives(self):
        n = made().summary["control"]["n"]
        self.assertIn(f"Of {n} intervals at 95 % {made().summary['control']['intervals_off']} exclude 1; chance alone"
                      f" gives {n * 0.05:.1f}", self.said())
        worse = changed(lambda b: b.summary["control"].update(intervals_off=n))
        self.assertIn("TOO MANY", self.said(worse))
        self.assertNotIn("TOO MANY", self.said())

    def test_mostly_disturbed_says_so_first(self):
        counted = sum(cell["n"] for cell in made().summary["cells"])
        one = changed(lambda b: b.summary.update(disturbed=counted // 2 + 1))
        self.assertTrue(verdict.sentences(one)[0].startswith("DISTURBED RUN"))
        one.summary["disturbed"] = counted // 2
        self.assertNotIn("DISTURBED", self.said(one))

    def test_failed_and_skipped_are_told_apart(self):
        def spoil(one):
            one.samples[0].update(value_ns=None, failure="wrong sum")
            one.samples[1].update(value_ns=None, skipped="no io_uring")
            one.summary = summarise(one.plan, one.samples)
        one = changed(spoil)
        self.assertEqual(one.summary["failed"], [one.samples[0]["id"]])
        self.assertIn("1 of ", self.said(one))
        self.assertIn("FAILED", self.said(one))
        self.assertIn("1 cell cannot be measured", self.said(one))
        self.assertIn("wrong sum", render(one)["report.html"])

    def test_coverage_counts_cells_of_the_full_factorial(self):
        found = verdict.coverage(view.View(made()))
        # 4 queues × 2 deques × 1 reactor on 10 workloads and fib_42; curves have the default alone.
        self.assertEqual(found["possible"], 4 * 2 * 11)
        self.assertEqual(found["measured"], 5 * 7 + 3)
        self.assertEqual((found["workloads"], found["peers"]), (["fib_42"], ["nginx"]))

    def test_relaxed_queues_are_labelled(self):
        one = changed(lambda b: b.plan["exists"].update(orders={"gq_ring": "FIFO", "gq_seg": "FIFO per producer"}))
        self.assertIn("gq_seg (FIFO per producer)", render(one)["report.html"])
        self.assertNotIn("Relaxed order", page()["report.html"])

    def test_the_order_of_a_relaxed_queue_stands_beside_each_figure(self):
        one = changed(lambda b: b.plan["exists"].update(orders={"moodycamel": "FIFO per producer", "gq_faa": "FIFO"}))
        found = view.View(one)
        rows = [row for workload in found.plan["workloads"] for row in found.rows(workload)]
        for row in rows:
            self.assertEqual("(FIFO per producer)" in row["label"], row["arm"] == "moodycamel")
        self.assertIn("moodycamel", [row["arm"] for row in rows])
        table = render(one)["table.md"]
        self.assertEqual(table.count("moodycamel"), table.count("moodycamel (FIFO per producer)"))

    def test_long_lists_are_cut(self):
        self.assertEqual([view.listed("ab"), view.listed("a"), view.listed("abcdefgh")],
                         ["a and b", "a", "a, b, c, d, e and 3 more"])


class Charts(unittest.TestCase):
    def test_xml_that_takes_the_ink_of_its_place(self):
        charts = {name: text for name, text in page().items() if name.endswith(".svg")}
        for kind in ("heat-runtime", "heat-queue", "peers", "control", "transfer-queue", "times-fib", "latency-mixed",
                     "scaling-yield-many", "pareto-echo-64", "pareto-all-workloads"):
            self.assertIn(f"charts/{kind}.svg", charts)
        for text in charts.values():
            self.assertTrue(xml.fromstring(text).tag.endswith("svg"))
            self.assertIn("var(--ink", text)
            self.assertNotRegex(text, r"#000000|dc:date|\d{4}-\d\d-\d\dT")

    def test_pareto_front(self):
        points = [{"speed": s, "tail": t, "memory": m} for s, t, m in
                  ((1, 1, 1), (2, 1, 1), (2.01, 0.99, 1), (1, 0.5, 1), (0.5, 2, 0.5), (0.5, 2, 0.9))]
        self.assertEqual([tables.on_front(point, points) for point in points],
                         [False, True, True, True, True, False])

    def test_scaling_needs_two_points(self):
        found = tables.scaling_sets(view.View(made()))
        self.assertEqual([(one["base"], [x for x, _ in one["lines"]["tokio"]]) for one in found],
                         [("yield_many", [1, 2, 4])])
        one = changed(lambda b: b.plan["workloads"].__delitem__(slice(6, 8)))
        self.assertEqual(tables.scaling_sets(view.View(one)), [])

    def test_an_excluding_control_is_marked(self):
        def spoil(one):
            one.summary["control"]["comparisons"][0]["interval"] = [1.1, 1.2]
        self.assertIn(plots.ORANGE, plots.control(view.View(changed(spoil))))


class Files(unittest.TestCase):
    def test_markdown_has_a_row_for_each_cell(self):
        costs, _, rest = page()["table.md"].partition("## Processor time per message")[2].partition("\n## ")
        servers = [row for row in costs.splitlines() if row.startswith("|")]
        self.assertEqual(len(servers) - 2, len(tables.server_rows(view.View(made()))))
        self.assertEqual(len({line.count("|") for line in servers}), 1)
        lines = [line for line in rest.splitlines() if line.startswith("|")]
        heads = sum(line.startswith("| workload") for line in lines)
        self.assertEqual(len(lines) - 2 * heads, len(made().summary["cells"]))
        self.assertEqual(len({line.count("|") for line in lines}), 1)

    def test_rendered_where_the_bundle_is_and_always_the_same(self):
        with tempfile.TemporaryDirectory() as top, contextlib.redirect_stdout(io.StringIO()) as said:
            path = synthetic.write(made(), top)
            self.assertEqual(report.main([str(path), "--open", "no"]), 0)
            self.assertIn("Queue, under the full runtime", said.getvalue())
            for name, text in page().items():
                self.assertEqual((path / name).read_text(), text, name)


class Words(unittest.TestCase):
    def test_units(self):
        self.assertEqual([view.time_text(ns) for ns in (None, 0.5, 999, 1234, 5.5e6, 2e9)],
                         ["–", "0.5 ns", "999 ns", "1.23 µs", "5.5 ms", "2 s"])

    def test_ratios_in_words(self):
        self.assertEqual([view.faster_text(ratio) for ratio in (0.5, 1.0, 2.0)],
                         ["2.00 times as fast", "the same time", "2.00 times as long"])


class List(WithBuild):
    def test_prints_claims(self):
        done = self.run_program("list.py")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("chase_lev", done.stdout)
        self.assertIn("progress: lock-free; bounded: no\n      cost      push: 1 RMW\n", done.stdout)
        self.assertIn("gq_alien for tests (not on this machine)", done.stdout)
        self.assertIn("caveat    wants another machine", done.stdout)

    def test_says_of_each_kind_what_is_asked_of_it(self):
        import list as listing
        entry = {"name": "x", "bounded": True, "withholds": False, "reclaims": False}
        self.assertEqual(listing.claims_text("queues", entry), "bounded: yes; reclaims: no")
        self.assertEqual(listing.claims_text("deques", entry), "bounded: yes; withholds: no")

    def test_folds_to_the_terminal(self):
        narrow, wide = (self.run_program("list.py", COLUMNS=columns).stdout for columns in ("60", "500"))
        self.assertLessEqual(max(map(len, narrow.splitlines())), 60)
        self.assertGreater(len(narrow.splitlines()), len(wide.splitlines()))
        self.assertEqual(narrow.split(), wide.split())

    def test_json(self):
        found = json.loads(self.run_program("list.py", "--json").stdout)
        self.assertEqual([queue["name"] for queue in found["queues"]], ["gq_mutex", "gq_ring", "gq_alien"])

    def test_figures_come_from_the_newest_bundle(self):
        import list as listing
        path = synthetic.write(made(), self.out)
        path = path.rename(path.with_name("2026-01-02-made-up"))  # as a measured one is called
        newest = bundles.newest(self.out)
        self.assertEqual(newest.path, path)
        found = listing.measured(newest, "queue", "gq_seg")
        self.assertEqual((found["rank"], found["of"]), (4, 4))
        self.assertAlmostEqual(found["ratio"], 1.5, delta=0.05)
        self.assertIn("rank 4 of 4, 1.5", listing.measured_text({"measured": found}))
        self.assertTrue(listing.measured(newest, "reactor", "rx_epoll")["is_default"])
        self.assertIsNone(listing.measured(newest, "queue", "gq_none"))

    def test_missing_binary(self):
        (self.build / "bench" / "workload").unlink()
        self.assert_refused(self.run_program("list.py"), "bench/workload is missing")


if __name__ == "__main__":
    unittest.main()
