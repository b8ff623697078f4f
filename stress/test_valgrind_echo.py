#!/usr/bin/env python3
"""The echo under valgrind's memcheck, over every reactor: the workload, both of whose ends are on the runtime, and the
example server under load. What valgrind itself cannot run is skipped with the reason.

ctest-plain-only: yes
"""

import json
import os
import re
import select
import subprocess
import time
import unittest

from examples import BUILD, SAFETY_S, Server, program, require, skip

VALGRIND = require("valgrind")[0]
MEMCHECK = ("-q", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect,possible", "--error-exitcode=9")
WAITING = re.compile(rb"sys_io_uring_enter \( \w+, \d+, [1-9]")


def bench(name):
    path = os.path.join(BUILD, "bench", name)
    if not os.path.exists(path):
        skip(f"{name} is not built in {BUILD}")
    return path


def reactors():
    """Those that work here; the others are skipped, with the reason."""
    listed = subprocess.run([bench("workload"), "--list", "--json"], capture_output=True, check=True, timeout=SAFETY_S)
    for reactor in json.loads(listed.stdout)["reactors"]:
        if reactor["works_here"]:
            yield reactor["name"]
        else:
            print(f"SKIP {reactor['name']}: it does not work here (./stealyard list)")


def waits_in_io_uring(reactor):
    """
    Whether valgrind lets other threads run while one waits in io_uring_enter: its trace marks such a call as
    asynchronous. Those of Debian 12 (3.19) do not know that the call may block, and the program stands still.
    """
    server = subprocess.Popen([VALGRIND, "-q", "--trace-syscalls=yes", program("echo"), "--reactor", reactor],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    trace, waiting, until = b"", None, time.monotonic() + SAFETY_S
    while time.monotonic() < until:
        if select.select([server.stderr], [], [], 0.1)[0]:
            trace += os.read(server.stderr.fileno(), 1 << 16)
        if not waiting and (waiting := WAITING.search(trace)):
            until = time.monotonic() + 3
        if waiting and b"[async]" in trace[waiting.end():].partition(b"\n")[0]:
            break
    else:
        waiting = None
    server.kill()
    server.wait()
    server.stderr.close()
    return waiting is not None


class Memcheck(unittest.TestCase):
    def test_workload(self):
        for reactor in RUN:
            with self.subTest(reactor):
                done = subprocess.run([VALGRIND, *MEMCHECK, bench("workload"), "--workload", "echo", "--reactor",
                                       reactor, "--workers", "2", "--iterations", "1"],
                                      capture_output=True, text=True, timeout=SAFETY_S, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(json.loads(done.stdout)["reactor"], reactor)

    def test_server(self):
        for reactor in RUN:
            with self.subTest(reactor), Server("echo", *MEMCHECK, program("echo"), "--reactor", reactor, "--port", "0",
                                               path=VALGRIND) as server:
                load = subprocess.run([bench("echo_load"), "--port", str(server.address[1]), "--connections", "8",
                                       "--seconds", "0.2"], timeout=SAFETY_S, check=False)
                self.assertEqual(load.returncode, 0)
                self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    RUN = list(reactors())
    URING = [reactor for reactor in RUN if reactor.startswith("rx_uring")]
    if URING and not waits_in_io_uring(URING[0]):
        for name in URING:
            RUN.remove(name)
            print(f"SKIP {name}: this valgrind stands still in io_uring_enter (it does not know that the call waits)")
    unittest.main(verbosity=2)
