"""What the tests of results/ share: a build directory with stand-ins, and a run of a program against it."""
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Bounded only so that a hang becomes a failure.
TIMEOUT_S = 120
MADE = {}


def install(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
    target.chmod(target.stat().st_mode | stat.S_IXUSR)


class WithBuild(unittest.TestCase):
    """A temporary directory with build/bench/ (stand-ins for workload and micro) and out/ for bundles."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="results-test-")
        self.addCleanup(self.directory.cleanup)
        self.top = Path(self.directory.name)
        self.build, self.out = self.top / "build", self.top / "out"
        self.out.mkdir()
        install(HERE / "fake_workload.py", self.build / "bench" / "workload")
        install(HERE / "fake_micro.py", self.build / "bench" / "micro")

    def environment(self, **extra):
        return {**os.environ, "STEALYARD_BUILD": str(self.build), **extra}

    def command(self, program, *arguments):
        return [sys.executable, str(HERE / program), *map(str, arguments)]

    def run_program(self, program, *arguments, **extra):
        return subprocess.run(self.command(program, *arguments), env=self.environment(**extra), capture_output=True,
                              text=True, timeout=TIMEOUT_S, check=False)

    def compare(self, *arguments, blocks=2, peers="none", **extra):
        """A short comparison into out/."""
        return self.run_program("compare.py", *self.short(blocks, peers), *arguments, **extra)

    def short(self, blocks=2, peers="none"):
        return ("--blocks", blocks, "--budget-ms", 20, "--workers", 2, "--peers", peers, "--seed", 1, "--no-exact",
                "--out", self.out)

    def compare_once(self, *arguments, **options):
        """The same for a bundle that many tests start from: measured for the first, copied for the others."""
        key = repr((arguments, sorted(options.items())))
        if key not in MADE:
            done = self.compare(*arguments, **options)
            self.assertEqual(done.returncode, 0, done.stderr)
            MADE[key] = tempfile.TemporaryDirectory(prefix="results-test-")
            shutil.copytree(self.out, MADE[key].name, dirs_exist_ok=True)
        else:
            shutil.copytree(MADE[key].name, self.out, dirs_exist_ok=True)

    def bundle(self):
        """The one bundle in out/."""
        found = [path for path in self.out.iterdir() if path.is_dir()]
        self.assertEqual(len(found), 1, found)
        self.assertFalse(found[0].name.endswith(".partial"), found)
        return found[0]

    def assert_refused(self, done, *words, code=2):
        """One clear line on stderr that holds the words, no traceback, the right exit code."""
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        last = done.stderr.strip().splitlines()[-1]
        for word in words:
            self.assertIn(word, last)
