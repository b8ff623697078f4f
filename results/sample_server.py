"""A sample of a server: a fresh server process, loaded by echo_load or wrk from beside it, ended with SIGTERM."""
import json
import os
import re
import select
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import plan
from common import EXIT_SKIPPED, without_local_paths
from process import STDERR_TAIL, SampleFailure, SampleSkipped, describe_exit, kill_group, run

HANG_S = 120
START_S = 10
STOP_S = 10
UNITS_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}
CHECKS = {"echo": "each byte came back, no connection lost, clean end",
          "http": "no socket error, every response 2xx or 3xx, clean end"}


def read_place(process):
    """Where a server listens, as it announces on its first line: 127.0.0.1:PORT or unix:PATH."""
    deadline, line = time.monotonic() + START_S, b""
    while b"\n" not in line:
        ready, _, _ = select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))
        part = os.read(process.stdout.fileno(), 4096) if ready else b""
        if not part:
            raise SampleFailure("the server ended before it listened" if ready else "the server did not listen in time")
        line += part
    found = re.search(rb"listening on (127\.0\.0\.1:\d+|unix:[^\n]+)", line)
    if not found:
        raise SampleFailure(f"the server said {line!r} instead of where it listens")
    return os.fsdecode(found.group(1))


def processes_of(session):
    """The server and whatever processes it has started: they share its session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[3]) == session:
            found.append(stat.parent)
    return found


def cpu_ns(processes):
    """Time on a processor of all threads, as the scheduler counts it; None where the kernel does not tell."""
    try:
        files = [file for process in processes for file in process.glob("task/*/schedstat")]
        return sum(int(file.read_text().split()[0]) for file in files)
    except (OSError, IndexError):
        return None


def peak_rss_kib(processes):
    try:
        texts = [(process / "status").read_text() for process in processes]
    except OSError:
        return None  # one has ended; how the server ends is checked after this
    return sum(int(found.group(1)) for text in texts if (found := re.search(r"VmHWM:\s+(\d+)", text))) or None


def parse_wrk(text):
    """Requests, latencies in ms and errors from wrk's report."""
    rate = re.search(r"^Requests/sec:\s+([\d.]+)", text, re.MULTILINE)
    count = re.search(r"^\s*(\d+) requests in ([\d.]+)(us|ms|s|m)", text, re.MULTILINE)
    if not rate or not count:
        raise SampleFailure("wrk printed no result")
    latency = {f"p{percent}": float(value) * UNITS_MS[unit] for percent, value, unit
               in re.findall(r"^\s*(\d+)%\s+([\d.]+)(us|ms|s|m|h)\s*$", text, re.MULTILINE)}
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    names = ("connect", "read", "write", "timeout")
    socket_errors = dict(zip(names, map(int, errors.groups()))) if errors else dict.fromkeys(names, 0)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return {"requests": int(count.group(1)), "requests_per_s": float(rate.group(1)), "latency_ms": latency,
            "socket_errors": socket_errors, "non_2xx": int(bad.group(1)) if bad else 0}


def load_http(job, place, record):
    seconds = job.seconds or plan.http_s(job.connections)
    code, out, err = run([*job.load, "-t1", f"-c{job.connections}", f"-d{seconds}s", "--timeout", "10s", "--latency",
                          f"http://{place}/"], HANG_S)
    if code != 0:
        raise SampleFailure(f"wrk: {describe_exit(code, err)}")
    found = record["http"] = parse_wrk(out)
    if any(found["socket_errors"].values()) or found["non_2xx"] or not found["requests"]:
        raise SampleFailure(f"wrk: {found['requests']} requests, socket errors {found['socket_errors']},"
                            f" {found['non_2xx']} responses that are not 2xx or 3xx")
    record["latency_ns"] = {"count": found["requests"],
                            **{name: value * 1e6 for name, value in found["latency_ms"].items()}}
    record["iterations"] = found["requests"]
    return 1e9 / found["requests_per_s"]


def load_echo(job, place, record):
    seconds = job.seconds or plan.asked_s(job.workload, job.budget_ms)
    kind, _, where = place.rpartition(":")
    code, out, err = run([*job.load, "--unix" if kind == "unix" else "--port", where, "--connections",
                          str(job.connections), "--seconds", f"{seconds:g}"], HANG_S)
    if code == EXIT_SKIPPED:
        raise SampleSkipped(describe_exit(code, err).partition(": ")[2])
    try:
        found = json.loads(out)
        record["latency_ns"], rate = found.pop("latency_ns"), float(found["per_s"])
        # The server's time is that of the warm-up too, so it is divided by those messages too.
        record["iterations"], record["load"] = int(found["answered"]), found
    except (ValueError, KeyError, TypeError) as problem:
        raise SampleFailure(f"echo_load: {describe_exit(code, err) if code else f'unusable output: {problem!r}'}"
                            ) from None
    if code != 0 or found["checked"] is not True or not rate > 0:
        raise SampleFailure(f"echo_load: {describe_exit(code, err) if code else found['check']}")
    return 1e9 / rate


def load_server(job, server, record):
    """Put the load on, look at what the server used meanwhile, and end it; the time per request."""
    place = read_place(server)
    processes = processes_of(server.pid)
    before = cpu_ns(processes)
    value_ns = (load_http if job.workload.base == "http" else load_echo)(job, place, record)
    after = cpu_ns(processes)
    record["cpu_ns"] = None if before is None or after is None else after - before
    record["peak_rss_kib"] = peak_rss_kib(processes)
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(STOP_S)
    except subprocess.TimeoutExpired:
        raise SampleFailure(f"the server did not end within {STOP_S} s of SIGTERM") from None
    return value_ns


def run_server(job, record):
    value_ns = None
    record["check"] = CHECKS[job.workload.base]
    with tempfile.TemporaryFile() as errors:
        server = subprocess.Popen(job.command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL,
                                  start_new_session=True)
        try:
            value_ns = load_server(job, server, record)
        except SampleFailure as failure:
            refuse_to_blame_the_load(server, errors, failure)
        finally:
            kill_group(server)
            server.stdout.close()
            record["exit_code"] = server.returncode
            record["stderr_tail"] = without_local_paths(tail_of(errors))
    if server.returncode != 0:
        raise SampleFailure(f"server: {describe_exit(server.returncode, record['stderr_tail'])}")
    record.update(value_ns=value_ns, ops_per_iteration=1, checked=True)


def refuse_to_blame_the_load(server, errors, failure):
    """A server that has ended by itself says why, and not the load that missed it."""
    try:
        code = server.wait(0.2)
    except subprocess.TimeoutExpired:
        raise failure from None
    if code == EXIT_SKIPPED:
        raise SampleSkipped(describe_exit(code, tail_of(errors)).partition(": ")[2]) from None
    if code == 0:
        raise failure from None
    raise SampleFailure(f"server: {describe_exit(code, tail_of(errors))}") from None


def tail_of(file):
    file.seek(0)
    return file.read().decode(errors="replace")[-STDERR_TAIL:]
