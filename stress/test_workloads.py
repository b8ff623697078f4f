#!/usr/bin/env python3
"""Each workload of the program `workload` runs once and finds its own outcome right; long ones are left out."""

import json
import os
import subprocess
import unittest

from examples import BUILD, SAFETY_S

SANITIZE = os.environ.get("STEALYARD_SANITIZE", "")
WORKERS = (3,) if SANITIZE else (1, 3)
SKIPPED = 77
# Millions of tasks, which the others have too, take ThreadSanitizer half a minute.
TOO_MANY_TASKS = ("uts_t1", "uts_t3") if "thread" in SANITIZE else ()


def workload(*arguments):
    return subprocess.run([os.path.join(BUILD, "bench", "workload"), *arguments], capture_output=True, text=True,
                          timeout=SAFETY_S, check=False)


class Workloads(unittest.TestCase):
    def check_once(self, row, workers):
        done = workload("--workload", row["name"], "--workers", str(workers), "--iterations", "1")
        if done.returncode == SKIPPED:
            print(f"{row['name']}: {done.stderr.strip()}")
            return
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        result = json.loads(done.stdout)
        self.assertTrue(result["checked"])
        self.assertEqual(result["check"], row["check"])
        self.assertEqual(result["workers"], row["workers"] or workers)
        self.assertEqual(result["ops_per_iteration"], row["ops"] * (result["workers"] if row["ops_per_worker"] else 1))
        self.assertEqual(len(result["samples_ns"]), 1)
        self.assertGreater(result["samples_ns"][0], 0)

    def test_each_once(self):
        rows = json.loads(workload("--list", "--json").stdout)["workloads"]
        self.assertGreater(len(rows), 10)
        for row in rows:
            if row["effort"] == "long" or row["name"] in TOO_MANY_TASKS:
                continue
            for workers in WORKERS:
                with self.subTest(workload=row["name"], workers=workers):
                    self.check_once(row, workers)

    def test_latencies_make_the_value_of_mixed(self):
        result = json.loads(workload("--workload", "mixed", "--iterations", "1").stdout)
        self.assertEqual(result["latency_ns"]["count"], 16 * 100)
        self.assertEqual(result["samples_ns"], [result["latency_ns"]["p99"]])


if __name__ == "__main__":
    unittest.main()
