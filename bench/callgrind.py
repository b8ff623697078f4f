"""Running a program of the benchmarks that prints JSON: as it is, or under callgrind, which counts its instructions."""
import json
import re
import subprocess
import tempfile
from pathlib import Path

EXIT_FAILED, EXIT_USAGE = 1, 2


class Refusal(Exception):
    def __init__(self, message, code=EXIT_USAGE):
        super().__init__(message)
        self.code = code


def run(command, hang_s):
    """The finished process."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=hang_s,
                              check=False)
    except subprocess.TimeoutExpired:
        raise Refusal(f"still running after {hang_s} s: {' '.join(command)}", EXIT_FAILED) from None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
        raise Refusal(f"exit code {done.returncode}: {' '.join(command)}: {last}", EXIT_FAILED)
    return done


def instructions(command, hang_s, function=None):
    """(instructions of the whole process, or of a function and what it calls; what the program printed)"""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        only = [f"--toggle-collect={function}"] if function else []
        done = run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--fair-sched=yes",
                    f"--log-file={log}", *only, *command], hang_s)
        found = re.search(r"Collected : (\d+)", log.read_text(encoding="utf-8"))
    if not found:
        raise Refusal("callgrind printed no count", EXIT_FAILED)
    return int(found.group(1)), json.loads(done.stdout)


def per_operation(few, more):
    """Of a short and a longer run, (instructions, operations) of each: starting and ending are left out."""
    return (more[0] - few[0]) / (more[1] - few[1])
