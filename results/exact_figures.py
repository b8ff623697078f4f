"""Figures that noise cannot move, per operation: asked of bench/exact.py after the measuring."""
import json
import subprocess
import sys

import bundle as bundles
from common import EXIT_SKIPPED, ROOT, Refusal, build_dir

PROGRAM = ROOT / "bench" / "exact.py"
QUICK_SECONDS, FULL_SECONDS = 180, 6 * 3600


def take(full, program=PROGRAM):
    """(rows, None), or (None, why there are none)."""
    if not program.exists():
        return None, f"{program.name} is missing"
    command = [sys.executable, program, "--build", build_dir(), "--json", *([] if full else ["--quick"])]
    limit_s = FULL_SECONDS if full else QUICK_SECONDS
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit_s,
                              check=False)
    except subprocess.TimeoutExpired:
        return None, f"{program.name} took longer than {limit_s} s"
    last = (done.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
    if done.returncode == EXIT_SKIPPED:
        return None, last
    if done.returncode != 0:
        return None, f"{program.name}: exit code {done.returncode}: {last}"
    try:
        rows = json.loads(done.stdout)["rows"]
        bundles.validate(program.name, "exact", {**bundles.HEADER, "rows": rows})
    except (ValueError, KeyError, TypeError, Refusal) as problem:
        return None, f"{program.name}: unusable output: {problem}"
    return rows, None
