"""Other runtimes that run the same workloads: built where their tool chain is present, named as skipped elsewhere.

A peer is a program that answers --list --json with {"peer": its name and version, "workloads": [{"name": …}…],
"serves": ["echo", "http"], "transports": ["tcp", "unix"]}; the last two where it can be a server (--serve). See
bench/WORKLOADS.md.
"""
import json
import os
import shutil
import subprocess
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from common import ROOT, build_dir

SOURCES = ROOT / "bench" / "peers"
BUILD_SECONDS = 900
RUST = "install Rust from rustup.rs"
GO = "apt-get install golang-go"


class Skipped(Exception):
    """The peer cannot run here; the text says why."""


@dataclass
class Peer:
    name: str
    binary: str
    version: str | None = None
    workloads: list = field(default_factory=list)
    serves: list = field(default_factory=list)
    transports: list = field(default_factory=lambda: ["tcp"])


def need_source(path):
    if not path.exists():
        raise Skipped(f"{path.relative_to(ROOT)} is missing")


def need_program(name, how):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise Skipped(f"{name} is missing: {how}")
    return found


def run_build(tool, command, **options):
    """Run a tool that builds (a second call finds everything up to date); Skipped if it fails."""
    try:
        built = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                               timeout=BUILD_SECONDS, **options)
    except subprocess.TimeoutExpired:
        raise Skipped(f"{tool} took longer than {BUILD_SECONDS} s") from None
    if built.returncode != 0:
        lines = [line for line in built.stderr.splitlines() if line.strip() and not line.startswith("#")]
        reason = next((line for line in lines if line.startswith("error")), (lines or [f"{tool} failed"])[0])
        raise Skipped(f"it does not build: {reason[:200]}")


def cargo(name):
    """Build bench/peers/<name> with Cargo; the manifest tells what the program is called."""
    manifest, target = SOURCES / name / "Cargo.toml", build_dir() / "peers" / name
    need_source(manifest)
    tool = need_program("cargo", RUST)
    run_build("cargo build", [tool, "build", "--release", "--quiet", "--manifest-path", str(manifest), "--target-dir",
                              str(target)])
    described = tomllib.loads(manifest.read_text(encoding="utf-8"))
    binaries = described.get("bin") or [described["package"]]
    return target / "release" / binaries[0]["name"]


def go(name):
    """The standard library only, so nothing is fetched."""
    source, target = SOURCES / name, build_dir() / "peers" / name / f"{name}-workload"
    need_source(source / "go.mod")
    tool = need_program("go", GO)
    # Without git's state in it: asking for that fails in a checkout that belongs to somebody else.
    run_build("go build", [tool, "build", "-buildvcs=false", "-o", str(target), "."], cwd=source,
              env={**os.environ, "GOPROXY": "off", "GOTOOLCHAIN": "local"})
    return target


def of_our_build(package):
    def find(name):
        binary = build_dir() / "bench" / f"{name}-peer"
        if not binary.exists():
            raise Skipped(f"{name}-peer was not built: apt-get install {package}, then once more")
        return binary
    return find


def script(name):
    binary = SOURCES / name / f"{name}-peer"
    need_source(binary)
    need_program(name, f"apt-get install {name}-light")
    return binary


# The first is what everything is held against where it can run.
RUNTIMES = {"tokio": cargo, "async-executor": cargo, "go": go, "libuv": of_our_build("libuv1-dev"),
            "libevent": of_our_build("libevent-dev"), "nginx": script, "limit-epoll": of_our_build("build-essential"),
            "limit-uring": of_our_build("liburing-dev"), "limit-multishot": of_our_build("liburing-dev")}
MICRO = "micro-rust"


def ask(name, binary):
    """What a peer can run, from itself."""
    try:
        listed = subprocess.run([binary, "--list", "--json"], capture_output=True, text=True, timeout=60, check=False)
        if listed.returncode == 77:
            raise Skipped((listed.stderr.strip().splitlines() or ["it cannot run here"])[-1])
        found = json.loads(listed.stdout)
        workloads = [workload["name"] for workload in found["workloads"]]
        return Peer(name, str(binary), found.get("peer"), workloads, list(found.get("serves", [])),
                    list(found.get("transports", ["tcp"])))
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as problem:
        raise Skipped(f"its list of workloads cannot be read: {problem!r}") from None


def make(name):
    """The peer, built and asked, or why it is skipped."""
    try:
        return cargo(name) if name == MICRO else ask(name, RUNTIMES[name](name))
    except Skipped as reason:
        return reason


def find(wanted, say):
    """({name: Peer}, micro-rust's program or None, lines that name the skipped ones).

    All are built before anything is measured, side by side because most are up to date most of the time.
    """
    if wanted:
        say(f"building the peers {', '.join(wanted)} (the first time takes minutes)")
    with ThreadPoolExecutor(max_workers=4) as pool:
        made = dict(zip(wanted, pool.map(make, wanted)))
    skipped = [f"peer {name}: {reason}" for name, reason in made.items() if isinstance(reason, Skipped)]
    found = {name: peer for name, peer in made.items() if isinstance(peer, Peer)}
    micro = made.get(MICRO)
    return found, None if isinstance(micro, Skipped) else micro, skipped
