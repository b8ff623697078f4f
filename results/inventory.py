"""What exists: asks the workload binary for its queues, deques, reactors and workloads."""
import json
import subprocess

from common import Refusal, build_dir

KINDS = ("queues", "deques", "reactors", "workloads")


def workload_binary():
    path = build_dir() / "bench" / "workload"
    if not path.exists():
        raise Refusal(f"{path} is missing: './stealyard compare' builds it; STEALYARD_BUILD names the build directory")
    return path


def httpd_binary():
    return build_dir() / "executor" / "examples" / "httpd"


def ask():
    """{"queues": [{name, summary, source, and its claims}…], …, "workloads": [{name, summary, ops, parts}…]}"""
    binary = workload_binary()
    try:
        found = subprocess.run([binary, "--list", "--json"], capture_output=True, text=True, timeout=60, check=True)
        inventory = json.loads(found.stdout)
        for kind in KINDS:
            if not [entry["name"] for entry in inventory[kind]]:
                raise Refusal(f"{binary} --list --json names no {kind}: rebuild it")
    except subprocess.CalledProcessError as error:
        raise Refusal(f"{binary} --list --json: exit code {error.returncode}: {error.stderr.strip()[:200]}") from None
    except (ValueError, KeyError, TypeError) as problem:
        raise Refusal(f"{binary} --list --json: unusable output: {problem!r}") from None
    return inventory


def names(inventory, kind):
    return [entry["name"] for entry in inventory[kind]]
