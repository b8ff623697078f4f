#!/usr/bin/python3
"""The report in headless Chromium: no overflow on a phone, no console message, nothing fetched, sorting and folding."""
import json
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import report
import synthetic
from summary import summarise

SKIPPED = 77
PHONE_PX = 390
TIMEOUT_S = 120
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Runs beside the page, in whose frame it looks: a window cannot be made as narrow as a phone.
PROBE = """<!doctype html><body><iframe id="frame" src="%s" style="width:%dpx;height:2000px;border:0"></iframe><script>
"use strict";
function look(frame) {
  const page = frame.contentDocument, view = frame.contentWindow, found = {};
  const width = () => page.documentElement.scrollWidth;
  found.folded = width();
  for (const one of page.querySelectorAll("details")) one.open = true;
  found.unfolded = width();
  found.fetched = view.performance.getEntriesByType("resource").map((entry) => entry.name)
    .filter((name) => !name.startsWith("data:"));
  const flat = (svg) => svg.getBoundingClientRect().height < 20;
  found.invisible = [...page.querySelectorAll("figure svg")].filter(flat).length;
  found.charts = page.querySelectorAll("figure svg").length;
  const head = page.querySelector(".sortable th:nth-child(3)");
  const column = () => [...head.closest("table").tBodies[0].rows].map((row) => Number(row.cells[2].dataset.sort));
  head.click();
  found.sorted = column();
  for (const one of page.querySelectorAll("details")) one.open = false;
  const link = page.querySelector(".heat td a");
  link.click();
  return new Promise((done) => setTimeout(() => {
    const target = page.getElementById(link.hash.slice(1));
    found.target = Boolean(target) && target.closest("details").open;
    found.ground = view.getComputedStyle(page.body).backgroundColor;
    done(found);
  }, 200));
}
document.getElementById("frame").addEventListener("load", (event) => look(event.target).then((found) => {
  document.body.textContent = "FOUND" + JSON.stringify(found) + "END";
}));
</script>"""


def make(directory):
    made = synthetic.make(queues=("gq_mutex", *(f"gq_quite_long_name_{k}" for k in range(8))))
    made.summary = summarise(made.plan, made.samples)
    path = Path(directory) / "report.html"
    path.write_text(report.files(made)["report.html"], encoding="utf-8")
    return path


def browse(directory, width, *options):
    """(what the probe found, what the browser printed)."""
    probe = Path(directory) / f"probe-{width}.html"
    probe.write_text(PROBE % ("report.html", width), encoding="utf-8")
    done = subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                           "--disable-background-networking", "--disable-component-update", "--enable-logging=stderr",
                           "--allow-file-access-from-files", f"--user-data-dir={directory}/profile-{width}",
                           "--virtual-time-budget=20000", *options, "--dump-dom", probe.as_uri()],
                          capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    found = re.search(r"FOUND(\{.*\})END", done.stdout)
    assert found, f"the probe gave nothing: {done.stdout[-300:]} {done.stderr[-500:]}"
    return json.loads(found.group(1)), done.stderr


class Browser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="results-page-")
        cls.addClassCleanup(cls.directory.cleanup)
        make(cls.directory.name)
        cls.phone, cls.printed = browse(cls.directory.name, PHONE_PX)
        cls.desk, _ = browse(cls.directory.name, 1200, "--blink-settings=preferredColorScheme=0")

    def test_nothing_overflows_on_a_phone(self):
        self.assertLessEqual(self.phone["folded"], PHONE_PX)
        self.assertLessEqual(self.phone["unfolded"], PHONE_PX)

    def test_no_message_on_the_console(self):
        self.assertNotIn("CONSOLE", self.printed)

    def test_nothing_is_fetched(self):
        self.assertEqual(self.phone["fetched"] + self.desk["fetched"], [])

    def test_charts_have_a_size(self):
        self.assertGreater(self.phone["charts"], 20)
        self.assertEqual(self.phone["invisible"] + self.desk["invisible"], 0)

    def test_a_click_on_a_head_sorts(self):
        self.assertGreater(len(self.desk["sorted"]), 3)
        self.assertEqual(self.desk["sorted"], sorted(self.desk["sorted"]))

    def test_a_cell_opens_its_raw_samples(self):
        self.assertTrue(self.phone["target"])

    def test_light_and_dark(self):
        self.assertNotEqual(self.phone["ground"], self.desk["ground"])


if __name__ == "__main__":
    if CHROMIUM is None:
        print("SKIPPED: no chromium to open the report in: apt-get install chromium", file=sys.stderr)
        sys.exit(SKIPPED)
    unittest.main()
