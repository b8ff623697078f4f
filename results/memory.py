#!/usr/bin/python3
"""What a connection takes while nothing comes over it, in each echo server: ours over each reactor, the hand-written
loops, tokio, Go, libuv and libevent.

A server is started afresh; so many connections over TCP are opened, then more of them; what the server's memory has
grown by is divided by how many were added. Once with connections over which nothing ever came (silent), and once with
one message there and back over each (used). One worker, which one thread takes connections from.

  private    pages that are the process's alone (Private_Dirty of smaps_rollup): all that user space takes, in steps of
             what its allocator asks the kernel for
  allocated  bytes and blocks from malloc and its kin, glibc's header in each; Go has its own allocator
  kernel     slab caches and page tables of the whole machine: both ends' sockets, and what epoll or io_uring keeps. A
             busy machine moves it; the client's end is the same for all

"lean" servers are ours without a buffer for an idle connection (bench/echo_lean.c); the others of ours, tokio and Go
hold one of 4 KiB each.

Exit status: 0 done, 1 a server failed, 2 wrong usage or something needed is missing, 130 interrupted
(what was measured until then is shown).
"""
import argparse
import mmap
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import inventory
import servers
from common import EXIT_CHECK_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, Refusal, run_program, to_json, write_file
from process import SampleFailure, kill_group
from sample_server import STOP_S, read_place
from selection import SPARE_DESCRIPTORS

FEW, MANY = 1000, 9000
MESSAGE = b"0123456789abcdef" * 4
ANSWER_S = 100  # for safety only; a server that polls looks at all for each one that comes
STATES = ("silent", "used")


def parse(argv):
    parser = argparse.ArgumentParser(prog="./stealyard bench memory", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", metavar="NAME,…", help="names or patterns, as 'rx_*,tokio' (default: all)")
    parser.add_argument("--few", type=int, default=FEW, help="connections at first (default: %(default)s)")
    parser.add_argument("--many", type=int, default=MANY, help="connections then (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    args = parser.parse_args(argv)
    if not 1 <= args.few < args.many:
        raise Refusal("--few and --many want two whole numbers from 1, the first of them less", EXIT_USAGE)
    raise_descriptor_limit(args.many + SPARE_DESCRIPTORS)
    return args


def raise_descriptor_limit(need):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < need:
        raise Refusal(f"--many needs {need} descriptors, the hard limit is {hard} (ulimit -Hn): give fewer")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def say(text):
    print(f"memory: {text}", file=sys.stderr, flush=True)


# ---- looking at memory ----

def private_bytes(text):
    """Of smaps_rollup, pages that are written to and nobody else's, in memory or swapped out."""
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE))
    return 1024 * (int(found["Private_Dirty"]) + int(found.get("Swap", 0)))


def kernel_bytes(text):
    """Of meminfo, what grows with sockets."""
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE))
    return 1024 * sum(int(found[name]) for name in ("Slab", "PageTables"))


class Tally:
    """What heap_tally says of a process that it was preloaded into."""

    def __init__(self, folder):
        self.module = inventory.built("bench", "libheap_tally.so")
        self.path = Path(folder) / "tally"
        self.path.write_bytes(bytes(mmap.PAGESIZE))

    def environment(self):
        if not self.module.exists():
            return dict(os.environ)
        return {**os.environ, "LD_PRELOAD": str(self.module), "STEALYARD_HEAP_TALLY": str(self.path)}

    def read(self):
        """(bytes, blocks) in use, None where it was not preloaded or there was nothing to count."""
        found = struct.unpack("=QQ", self.path.read_bytes()[:16])
        return found if any(found) else None


def look(pid, tally):
    return {"private": private_bytes(Path(f"/proc/{pid}/smaps_rollup").read_text()), "heap": tally.read(),
            "kernel": kernel_bytes(Path("/proc/meminfo").read_text())}


def growth(before, after, connections):
    """What each of the connections that were added takes."""
    found = {name: (after[name] - before[name]) / connections for name in ("private", "kernel")}
    heaps = before["heap"] and after["heap"] and list(zip(before["heap"], after["heap"]))
    found["allocated"], found["blocks"] = ((last - first) / connections for first, last in heaps) if heaps else (None,
                                                                                                                None)
    return found


# ---- connections ----

def say_hello(peer):
    peer.sendall(MESSAGE)


def hear_it_back(peer):
    got = b""
    while len(got) < len(MESSAGE):
        part = peer.recv(len(MESSAGE) - len(got))
        if not part:
            raise SampleFailure("the server ended a connection")
        got += part
    if got != MESSAGE:
        raise SampleFailure("other bytes came back than were sent")


def connect(address):
    peer = socket.create_connection(address, ANSWER_S)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leaves no TIME_WAIT behind
    return peer


def open_until(peers, address, count, used):
    """Connects until there are so many. All have been accepted: the last one answers, and they are taken in order."""
    first = len(peers)
    while len(peers) < count:
        peers.append(connect(address))
    for talk in (say_hello, hear_it_back) if used else ():
        for peer in peers[first:]:
            talk(peer)
    with connect(address) as last:
        say_hello(last)
        hear_it_back(last)


def measure_running(server, tally, args, used):
    host, port = read_place(server).rsplit(":", 1)
    peers = []
    try:
        open_until(peers, (host, int(port)), args.few, used)
        before = look(server.pid, tally)
        open_until(peers, (host, int(port)), args.many, used)
        after = look(server.pid, tally)
    except OSError as problem:
        raise SampleFailure(f"{len(peers):,} connections, then: {problem}") from None
    finally:
        for peer in peers:
            peer.close()
    server.send_signal(signal.SIGTERM)
    try:
        code = server.wait(STOP_S)
    except subprocess.TimeoutExpired:
        raise SampleFailure(f"the server did not end within {STOP_S} s of SIGTERM") from None
    if code != 0:
        raise SampleFailure(f"the server ended with exit code {code}")
    return growth(before, after, args.many - args.few)


def measure(arm, args, used):
    """The figures of a server in one of the two states."""
    with tempfile.TemporaryDirectory(prefix="stealyard-") as folder:
        tally = Tally(folder)
        server = subprocess.Popen(arm.serving("tcp", None, 1), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                  env=tally.environment(), start_new_session=True)
        try:
            return measure_running(server, tally, args, used)
        finally:
            kill_group(server)
            server.stdout.close()


# ---- the whole ----

def lean(arms):
    """Ours without a buffer, behind those with one."""
    program = inventory.built("bench", "echo_lean")
    found = []
    for arm in arms:
        found.append(arm)
        if arm.ours and program.exists():
            found.append(replace(arm, name=f"{arm.name} lean", command=(str(program), *arm.command[1:])))
    return found


def bytes_text(value):
    return "–" if value is None else f"{value:,.0f}"


def table(rows):
    lines = ["| server | " + " | ".join(f"private, {state} | allocated, {state}" for state in STATES)
             + " | blocks, used | kernel, used |", "|---|" + "--:|" * 6]
    for row in rows:
        cells = [bytes_text(row[state] and row[state][name]) for state in STATES for name in ("private", "allocated")]
        used = row["used"] or {"blocks": None, "kernel": None}
        blocks = "–" if used["blocks"] is None else f"{used['blocks']:.2f}"
        lines.append(f"| {row['server']} | {' | '.join(cells)} | {blocks} | {bytes_text(used['kernel'])} |")
    return lines


def measure_all(arms, args, rows):
    """Adds to the rows as they come. Whether one failed."""
    failed = False
    for arm in arms:
        row = {"server": arm.name, "version": arm.version, **dict.fromkeys(STATES)}
        rows.append(row)
        for state in STATES:
            try:
                row[state] = measure(arm, args, state == "used")
            except SampleFailure as failure:
                say(f"FAILED {arm.name}, {state}: {failure}")
                failed = True
        say(f"{arm.name}: {bytes_text(row['used'] and row['used']['private'])} bytes")
    return failed


def main(argv):
    args = parse(argv)
    arms, skipped = servers.choose("echo", args.servers, say)
    for line in skipped:
        say(f"SKIPPED {line}")
    rows = []
    try:
        code = EXIT_CHECK_FAILED if measure_all(lean(arms), args, rows) else 0
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    print(f"Bytes per idle connection over TCP, from {args.few:,} to {args.many:,} of them:\n")
    print("\n".join(table(rows)))
    if args.json:
        write_file(args.json, to_json({"format": "stealyard-memory", "schema": 1, "few": args.few, "many": args.many,
                                       "skipped": skipped, "rows": rows}))
    return code


if __name__ == "__main__":
    run_program("memory", main)
