"""The processes of a sample: started in sessions of their own, limited in time, ended whatever happens."""
import os
import signal
import subprocess
from dataclasses import dataclass

from common import EXIT_SKIPPED, without_local_paths
from plan import Workload

STDERR_TAIL = 2000


class SampleFailure(Exception):
    """The sample gave no result that may be used; the text says why."""


class SampleSkipped(Exception):
    """The machine lacks what the workload needs; the text says what."""


@dataclass
class Job:
    """What a sample runs: a workload's process, a server and what loads it, or a case of the micro-benchmarks."""

    workload: Workload
    command: list
    budget_ms: int
    load: list | None = None
    connections: int | None = None
    case: str | None = None
    seconds: float | None = None  # how long a server is loaded; None: as the budget has it

    def shown(self):
        return without_local_paths(" ".join(map(str, [*self.command, *([self.case] if self.case else [])])))


def kill_group(process):
    """End a child that we started, and what it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def run(command, timeout_s):
    """(exit code, stdout, stderr) of a child in its own session, so that ^C reaches us alone and we clean up."""
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                   start_new_session=True)
    except OSError as error:
        raise SampleFailure(f"{without_local_paths(str(command[0]))}: {error.strerror}") from None
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        kill_group(process)
        raise SampleFailure(f"still running after {timeout_s:.0f} s: ended") from None
    except BaseException:
        kill_group(process)
        raise
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")


def run_child(command, timeout_s, record):
    """Run the one process of a sample; its stdout. The exit code and the end of stderr go into the record."""
    code, out, err = run(command, timeout_s)
    record["exit_code"] = code
    record["stderr_tail"] = without_local_paths(err[-STDERR_TAIL:])
    if code == EXIT_SKIPPED:
        raise SampleSkipped(describe_exit(code, err).removeprefix(f"exit code {EXIT_SKIPPED}: "))
    return out


def describe_exit(code, err):
    last = err.strip().splitlines()[-1:] or ["nothing on stderr"]
    what = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
    return without_local_paths(f"{what}: {last[0][:300]}")
