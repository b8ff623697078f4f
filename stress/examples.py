"""What the tests of the example programs share: where they are, running a server, skipping loudly."""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading

BUILD = os.environ.get("STEALYARD_BUILD", "build/release")
SANITIZED = bool(os.environ.get("STEALYARD_SANITIZE"))
SAFETY_S = 60  # nothing that works takes this long


def skip(reason):
    """Ends the test as skipped, which CTest reports as such."""
    print(f"SKIPPED: {reason}")
    sys.exit(77)


def program(name):
    """The path of an example; skips the test where its library was missing when it was built."""
    path = os.path.join(BUILD, "executor", "examples", name)
    if not os.path.exists(path):
        skip(f"{name} is not built in {BUILD} (is its library missing?)")
    return path


def require(*tools):
    """The paths of tools; skips the test if one is missing."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    found = [shutil.which(tool, path=path) for tool in tools]
    missing = [tool for tool, where in zip(tools, found) if not where]
    if missing:
        skip("not installed: " + ", ".join(missing) + " (./stealyard setup installs it)")
    return found


def scaled(plain, sanitized):
    """How much load: less under a sanitizer, which slows everything down."""
    return sanitized if SANITIZED else plain


def raise_descriptor_limit(need):
    """Raises the soft limit to the hard one; skips the test if that is not enough."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < need:
        skip(f"the hard limit on descriptors is {hard}, this test needs {need} (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Server:
    """A server as a child process, from its "listening on" line to its end by SIGTERM: an example, or what is at `path`."""

    def __init__(self, name, *arguments, path=None):
        self.process = subprocess.Popen([path or program(name), *arguments], stdout=subprocess.PIPE, text=True)
        self.watchdog = threading.Timer(SAFETY_S, self.process.kill)
        self.watchdog.start()
        line = self.process.stdout.readline()
        self.watchdog.cancel()
        match = re.fullmatch(r"listening on (.+)\n", line)
        if not match:
            raise AssertionError(f'{name} said "{line.strip()}" and not "listening on …"')
        self.text = match[1]

    @property
    def address(self):
        """What socket.connect takes."""
        if self.text.startswith("unix:"):
            return self.text[len("unix:"):]
        host, port = self.text.rsplit(":", 1)
        return host.strip("[]"), int(port)

    @property
    def url(self):
        return "http://%s:%d" % self.address

    def rss_bytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) * 1024

    def processor_seconds(self):
        """User and system time so far."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self, how=signal.SIGTERM):
        """Asks for the end and returns the exit status."""
        self.process.send_signal(how)
        return self.process.wait(timeout=SAFETY_S)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def wrk(path, url, *arguments):
    """Runs wrk and returns its requests; fails on any error that it tells."""
    output = subprocess.run([path, *arguments, url], capture_output=True, text=True, timeout=SAFETY_S * 2, check=True)
    for sign in ("Socket errors", "Non-2xx"):
        if sign in output.stdout:
            raise AssertionError("wrk reports failures:\n" + output.stdout)
    requests = int(re.search(r"(\d+) requests in", output.stdout)[1])
    if requests == 0:
        raise AssertionError("wrk got no answer:\n" + output.stdout)
    print(f"wrk {' '.join(arguments)}: {requests} requests,",
          re.search(r"Requests/sec:\s+(\S+)", output.stdout)[1], "a second")
    return requests
