#!/usr/bin/python3
"""Stands in for an echo server: keeps FAKE_HOARD bytes for each connection, all of them written to.

FAKE_LOSE=N ends the Nth connection at once; FAKE_WRONG=1 sends other bytes back; FAKE_EXIT is how it ends after
SIGTERM.
"""
import os
import selectors
import signal
import socket


def serve(listener):
    hoard, lose = int(os.environ.get("FAKE_HOARD", "0")), int(os.environ.get("FAKE_LOSE", "0"))
    wrong, kept, waiting = "FAKE_WRONG" in os.environ, [], selectors.DefaultSelector()
    waiting.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            if key.fileobj is listener:
                peer, _ = listener.accept()
                kept.append(bytearray(b"x") * hoard)
                if len(kept) == lose:
                    peer.close()
                else:
                    waiting.register(peer, selectors.EVENT_READ)
            elif got := receive(key.fileobj):
                key.fileobj.sendall(bytes(len(got)) if wrong else got)
            else:
                waiting.unregister(key.fileobj)
                key.fileobj.close()


def receive(peer):
    try:
        return peer.recv(4096)
    except ConnectionError:
        return b""


def main():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(int(os.environ.get("FAKE_EXIT", "0"))))
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
    serve(listener)


if __name__ == "__main__":
    main()
