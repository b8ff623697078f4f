#!/usr/bin/env python3
"""The example fetch against a real nginx, with URLs that are refused, fail, never answer or bring no JSON."""

import contextlib
import os
import re
import socket
import subprocess
import tempfile
import time
import unittest

from examples import SAFETY_S, program, require, scaled

(NGINX,) = require("nginx")

CONFIG = """
daemon off;
worker_processes 1;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    default_type application/json;
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {root}/www;
        location /broken {{ return 500 '{{"name": "never shown"}}'; }}
        location /moved {{ return 302 /name.json; }}
        location /round {{ return 302 /round; }}
        location /elsewhere {{ return 302 file:///etc/hostname; }}
    }}
}}
"""

FILES = {
    "name.json": '{"id": 1, "name": "Ada", "title": "second choice"}',
    "title.json": '{"title": "Notes\\non the \\"engine\\""}',
    "object.json": '{"a": 1, "b": 2}',
    "list.json": "[1, 2, 3]",
    "number.json": "42",
    "long.json": '{"name": "' + "x" * 3000000 + '"}',
    "cut.json": '{"name": "Ada"',
    "page.json": "<html>no JSON</html>",
    "empty.json": "",
}


@contextlib.contextmanager
def bound_socket(listening):
    """A port of our own: where nobody listens, or where nobody answers."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        if listening:
            holder.listen(1024)
        yield "http://127.0.0.1:%d/" % holder.getsockname()[1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def try_nginx(root):
    """Starts nginx at a free port; (process, URL), or None if another took the port first."""
    port = free_port()
    config = os.path.join(root, "nginx.conf")
    with open(config, "w", encoding="ascii") as file:
        file.write(CONFIG.format(root=root, port=port))
    process = subprocess.Popen([NGINX, "-e", root + "/error.log", "-p", root, "-c", config])
    end = time.monotonic() + SAFETY_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return process, f"http://127.0.0.1:{port}"
        time.sleep(0.02)
    process.kill()
    process.wait()
    return None


def start_nginx(root):
    os.mkdir(root + "/www")
    for name, text in FILES.items():
        with open(f"{root}/www/{name}", "w", encoding="ascii") as file:
            file.write(text)
    for _ in range(5):
        started = try_nginx(root)
        if started:
            return started
    with open(root + "/error.log", encoding="utf-8") as log:
        raise AssertionError("nginx does not start:\n" + log.read())


class Fetch(unittest.TestCase):
    maxDiff = None  # what a program says on stderr is shown whole

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        os.chmod(cls.directory.name, 0o755)  # nginx's workers are another user when root runs this
        cls.nginx, cls.url = start_nginx(cls.directory.name)

    @classmethod
    def tearDownClass(cls):
        cls.nginx.terminate()
        cls.nginx.wait(timeout=SAFETY_S)
        cls.directory.cleanup()

    def fetch(self, *arguments):
        """(exit status, {url: line without it}, all lines)."""
        done = subprocess.run([program("fetch"), *arguments], capture_output=True, text=True, timeout=SAFETY_S,
                              check=False)
        self.assertEqual(done.stderr, "")
        lines = done.stdout.splitlines()
        results = {}
        for line in lines[:-1]:
            verdict, url, said = re.fullmatch(r"(ok  |FAIL) (\S+): (.*)", line).groups()
            results[url] = f"{verdict.strip()}: {said}"
        return done.returncode, results, lines

    def expect(self, status, expected, *arguments):
        """Fetches the URLs of `expected` and compares what is said of each (a regular expression)."""
        urls = [url if "://" in url else self.url + url for url in expected]
        got_status, results, lines = self.fetch(*arguments, *urls)
        self.assertEqual(sorted(results), sorted(urls))
        for url, pattern in zip(urls, expected.values()):
            self.assertRegex(results[url], pattern)
        failed = sum(pattern.startswith("^FAIL") for pattern in expected.values())
        self.assertEqual(lines[-1], f"{len(urls) - failed} ok, {failed} failed")
        self.assertEqual(got_status, status)
        return lines

    def test_good_answers(self):
        self.expect(0, {
            "/name.json": r'^ok: name "Ada"$',
            "/title.json": r'^ok: title "Notes\\non the \\"engine\\""$',
            "/object.json": "^ok: an object, size 2$",
            "/list.json": "^ok: an array, size 3$",
            "/number.json": "^ok: a single value, size 0$",
            "/long.json": '^ok: name "xxx',
            "/moved": '^ok: name "Ada"$',
        })

    def test_failures_are_told_one_by_one(self):
        with bound_socket(listening=False) as refused, bound_socket(listening=True) as silent:
            self.expect(1, {
                "/name.json": r'^ok: name "Ada"$',
                refused: "^FAIL: .*(refused|[Ff]ailed to connect|Couldn't connect)",
                silent: "^FAIL: .*timed out after [0-9]+ milliseconds",
                "/missing": "^FAIL: HTTP status 404$",
                "/broken": "^FAIL: HTTP status 500$",
                "/cut.json": "^FAIL: bad JSON at byte [0-9]+ of 14$",
                "/page.json": "^FAIL: bad JSON at byte 0 of 20$",
                "/empty.json": "^FAIL: bad JSON at byte 0 of 0$",
                "/round": "^FAIL: Maximum .*redirects followed",
                "/elsewhere": "^FAIL: Protocol \"file\" not supported",
                "file:///etc/hostname": "^FAIL: Protocol \"file\" not supported",
                "ftp://127.0.0.1/x": "^FAIL: Protocol \"ftp\" not supported",
            }, "--timeout-ms", scaled("500", "3000"))

    def test_results_come_as_they_finish(self):
        with bound_socket(listening=True) as silent:
            lines = self.expect(1, {
                silent: "^FAIL: .*timed out",
                "/name.json": "^ok: ",
                "/list.json": "^ok: ",
            }, "--timeout-ms", scaled("500", "3000"))
            self.assertIn(silent, lines[2])  # asked first, told last

    def test_transfers_overlap(self):
        count, each_ms = 20, 500
        with bound_socket(listening=True) as silent:
            start = time.monotonic()
            self.expect(1, {f"{silent}{i}": "^FAIL: .*timed out" for i in range(count)}, "--timeout-ms", str(each_ms))
            elapsed = time.monotonic() - start
        self.assertGreaterEqual(elapsed, each_ms / 1000)
        self.assertLess(elapsed, count * each_ms / 1000 / 2)

    def test_many_urls_on_few_and_many_workers(self):
        urls = {f"/name.json?{i}": '^ok: name "Ada"$' for i in range(scaled(300, 50))}
        for workers in ("1", "4"):
            self.expect(0, urls, "--workers", workers)


if __name__ == "__main__":
    program("fetch")
    unittest.main(verbosity=2)
