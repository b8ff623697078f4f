#!/usr/bin/python3
"""Stands in for executor/examples/httpd and echo, or for a peer that serves.

FAKE_STATUS is the status of each response, FAKE_EXIT how the server ends after SIGTERM, FAKE_SILENT=1 keeps it from
saying where it listens, FAKE_DIE=77 makes it end at once with that status.
"""
import http.server
import os
import signal
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(int(os.environ.get("FAKE_STATUS", "200")))
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


def main():
    if "--list" in sys.argv:
        print('{"peer": "fake 1.0", "workloads": [], "serves": ["echo", "http"]}')
        return
    if "FAKE_DIE" in os.environ:
        print("server: not on this machine", file=sys.stderr)
        sys.exit(int(os.environ["FAKE_DIE"]))
    signal.signal(signal.SIGTERM, lambda *_: os._exit(int(os.environ.get("FAKE_EXIT", "0"))))
    http.server.ThreadingHTTPServer.request_queue_size = 128
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print("ready" if os.environ.get("FAKE_SILENT") else f"listening on 127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
