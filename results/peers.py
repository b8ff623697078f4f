"""Other runtimes that run the same workloads: built where their tool chain is present, named as skipped elsewhere."""
import json
import shutil
import subprocess
from dataclasses import dataclass

from common import ROOT, Refusal, build_dir

MANIFEST = ROOT / "bench" / "peers" / "tokio" / "Cargo.toml"
BUILD_SECONDS = 900
KNOWN = ("tokio",)


class Skipped(Exception):
    """The peer cannot run here; the text says why."""


@dataclass
class Peer:
    name: str
    binary: str
    workloads: list


def build_tokio():
    """Build tokio-workload (a second call finds it up to date) and ask what it can run."""
    if not MANIFEST.exists():
        raise Skipped(f"{MANIFEST.relative_to(ROOT)} is missing")
    if shutil.which("cargo") is None:
        raise Skipped("cargo is missing: install it with 'apt-get install cargo' or from rustup.rs")
    target = build_dir() / "peers" / "tokio"
    command = ["cargo", "build", "--release", "--quiet", "--manifest-path", str(MANIFEST), "--target-dir", str(target)]
    try:
        built = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                               timeout=BUILD_SECONDS)
    except subprocess.TimeoutExpired:
        raise Skipped(f"cargo build took longer than {BUILD_SECONDS} s") from None
    if built.returncode != 0:
        reason = next((line for line in built.stderr.splitlines() if line.startswith("error")), "cargo build failed")
        raise Skipped(f"it does not build: {reason[:200]}")
    binary = target / "release" / "tokio-workload"
    return Peer("tokio", str(binary), listed_workloads(binary))


def listed_workloads(binary):
    try:
        found = subprocess.run([binary, "--list", "--json"], capture_output=True, text=True, timeout=60, check=True)
        return [workload["name"] for workload in json.loads(found.stdout)["workloads"]]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as problem:
        raise Skipped(f"its list of workloads cannot be read: {problem}") from None


def find(wanted, say):
    """(peers that run here, lines that name the skipped ones)."""
    if wanted == "none":
        return [], []
    found, skipped = [], []
    for name in wanted.split(","):
        if name not in KNOWN:
            raise Refusal(f"unknown peer '{name}'; known: {', '.join(KNOWN)}, none")
        say(f"building the peer {name} (the first time takes a minute)")
        try:
            found.append(build_tokio())
        except Skipped as reason:
            skipped.append(f"peer {name}: {reason}")
    return found, skipped
