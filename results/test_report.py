#!/usr/bin/python3
# ctest-timeout: 900
"""report and list on bundles of the stand-in: self-contained HTML, links to raw samples, two bundles, figures."""
import html.parser
import json
import re
import unittest
import xml.etree.ElementTree as xml
from collections import Counter

import bundle as bundles
import view
from testing import WithBuild

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(html.parser.HTMLParser):
    """Collects ids, links and what would be fetched, and notices tags that do not nest."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.fetched, self.open, self.bad = [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if tag == "a":
            self.links.append(attrs["href"])
        if tag not in ("a", "use"):
            self.fetched += [value for name, value in attrs.items() if name in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.bad.append((tag, self.getpos()))


class Report(WithBuild):
    def setUp(self):
        super().setUp()
        self.compare_once("--queues", "mutex", "--workloads", "fib,echo", blocks=6, FAKE_FACTOR_MUTEX="1.3")
        self.path = self.bundle()
        self.text = (self.path / "report.html").read_text()

    def test_self_contained_and_well_formed(self):
        page = Page(self.text)
        self.assertEqual(page.bad, [])
        self.assertEqual(page.open, [])
        self.assertEqual([url for url in page.fetched if not url.startswith(("data:", "#"))], [])
        self.assertNotRegex(self.text, r"@import|url\((?!#)|fetch\(|XMLHttpRequest")
        self.assertIn("prefers-color-scheme: dark", self.text)
        self.assertIn("width=device-width", self.text)

    def test_links_lead_to_raw_samples(self):
        page = Page(self.text)
        self.assertEqual({link for link in page.links if link[1:] not in page.ids}, set())
        self.assertTrue(page.links)
        for sample in bundles.load(self.path).samples:
            self.assertIn(sample["id"], page.ids)

    def test_ids_are_unique(self):
        # Charts share one document: their clip paths and markers must not shadow each other's.
        page = Page(self.text)
        self.assertEqual([name for name, count in Counter(page.ids).items() if count > 1], [])
        used = set(re.findall(r'(?:xlink:href="|url\()#([^")]+)', self.text))
        self.assertEqual(used - set(page.ids), set())

    def test_says_the_verdict_first(self):
        first = [line for line in view.sentences(bundles.load(self.path)) if not line.startswith("DISTURBED")][0]
        self.assertIn("worse in 2", first)
        self.assertIn(first, self.text)
        self.assertLess(self.text.index("worse in 2"), self.text.index("<table"))

    def test_a_run_that_was_mostly_disturbed_says_so_first(self):
        bundle = bundles.load(self.path)
        counted = sum(cell["n"] for cell in bundle.summary["cells"])
        bundle.summary["disturbed"] = counted // 2 + 1
        self.assertTrue(view.sentences(bundle)[0].startswith("DISTURBED RUN"))
        bundle.summary["disturbed"] = counted // 2
        self.assertNotIn("DISTURBED", " ".join(view.sentences(bundle)))

    def test_rendering_again_gives_the_same(self):
        before = {path: path.read_bytes() for path in self.path.rglob("*") if path.is_file()}
        (self.path / "report.html").unlink()
        done = self.run_program("report.py", self.path, "--open", "no")
        self.assertEqual(done.returncode, 0, done.stderr)
        after = {path: path.read_bytes() for path in self.path.rglob("*") if path.is_file()}
        self.assertEqual(before, after)

    def test_charts_are_xml_and_take_the_ink_of_their_place(self):
        charts = sorted((self.path / "charts").glob("*.svg"))
        self.assertEqual([chart.stem for chart in charts],
                         ["control", "forest-mutex-chase-lev-epoll", "times-echo", "times-fib"])
        for chart in charts:
            text = chart.read_text()
            self.assertTrue(xml.fromstring(text).tag.endswith("svg"))
            self.assertIn("var(--ink", text)
            self.assertNotIn("#000000", text)

    def test_markdown_has_a_row_for_each_cell(self):
        lines = (self.path / "table.md").read_text().splitlines()
        table = [line for line in lines if line.startswith("|")]
        self.assertEqual(len(table), 2 + 2 * 3)
        self.assertEqual(len({line.count("|") for line in table}), 1)

    def test_two_bundles(self):
        first = self.path
        self.out = self.top / "second"
        self.out.mkdir()
        # In the first bundle the mutex deque took 1.3 times as long as the other, in the second just as long.
        self.assertEqual(self.compare("--queues", "mutex", "--workloads", "fib", blocks=6).returncode, 0)
        done = self.run_program("report.py", first, self.bundle(), "--open", "no")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("1 became better, 0 worse", done.stdout)
        # An estimate: the stand-in's times scatter by a few per cent and the seed is drawn anew.
        said = re.search(r"mutex\+mutex\+epoll in fib, ([0-9.]+) times as fast", done.stdout)
        self.assertIsNotNone(said, done.stdout)
        self.assertAlmostEqual(float(said.group(1)), 1.3, delta=0.04)
        page = Page((self.bundle() / f"versus-{first.name}.html").read_text())
        self.assertEqual((page.bad, page.open), ([], []))

    def test_bundles_that_share_nothing_are_refused(self):
        first = self.path
        self.out = self.top / "second"
        self.out.mkdir()
        self.compare("--queues", "ring", "--workloads", "spawn_many_local", blocks=1)
        self.assert_refused(self.run_program("report.py", first, self.bundle()), "share no workload and arm")
        self.assert_refused(self.run_program("report.py", first, first, first), "one or two bundles, not 3")

    def test_hostile_text_is_escaped(self):
        bundle = bundles.load(self.path)
        bundle.samples[0].update(failure="<script>alert(1)</script>", value_ns=None)
        import report
        self.assertNotIn("<script>alert", report.files(bundle)["report.html"])


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
        self.assertIn("progress: lock-free; bounded: no\n", done.stdout)

    def test_json(self):
        found = json.loads(self.run_program("list.py", "--json").stdout)
        self.assertEqual([queue["name"] for queue in found["queues"]], ["mutex", "ring"])

    def test_figures_come_from_the_newest_bundle(self):
        import list as listing
        self.compare("--queues", "mutex", "--workloads", "fib", blocks=5, FAKE_FACTOR_MUTEX="1.3")
        newest = bundles.newest(self.out)
        self.assertEqual(newest.path, self.bundle())
        found = listing.measured(newest, "deque", "mutex")
        self.assertAlmostEqual(found["ratio"], 1.3, delta=0.03)
        self.assertTrue(listing.measured(newest, "queue", "mutex")["arm"])
        self.assertIsNone(listing.measured(newest, "queue", "ring"))

    def test_missing_binary(self):
        (self.build / "bench" / "workload").unlink()
        self.assert_refused(self.run_program("list.py"), "bench/workload is missing")


if __name__ == "__main__":
    unittest.main()
