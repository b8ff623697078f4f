"""What was measured on: processor, kernel, settings that change results, compiler, versions, commit."""
import os
import platform
import re
import subprocess
from pathlib import Path

from common import ROOT, build_dir, slug, without_local_paths

CPU = Path("/sys/devices/system/cpu")


def read(path, default=None):
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return default


def output(*command):
    """stdout and stderr of a command, or None where it is missing or fails."""
    try:
        found = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30,
                               check=False, cwd=ROOT)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip()


def first_line(text):
    return text.splitlines()[0].strip() if text else None


def succeeded(*command):
    """The same, but None unless it exits 0."""
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() if found.returncode == 0 else None


def cpu_model():
    for name in ("model name", "Model", "Hardware"):
        found = re.search(rf"^{name}\s*:\s*(.+)$", read("/proc/cpuinfo", ""), re.MULTILINE)
        if found:
            return found.group(1).strip()
    listed = re.search(r"^Model name:\s*(.+)$", output("lscpu") or "", re.MULTILINE)
    return listed.group(1).strip() if listed else platform.machine()


def caches():
    found = []
    for index in sorted(CPU.glob("cpu0/cache/index*")):
        kind = {"Data": "d", "Instruction": "i"}.get(read(index / "type", ""), "")
        found.append(f"L{read(index / 'level')}{kind} {read(index / 'size')}"
                     f" shared by CPUs {read(index / 'shared_cpu_list')}")
    return found


def hypervisor():
    """The hypervisor's name, "none" on bare metal, None where nothing tells."""
    detected = first_line(output("systemd-detect-virt"))
    if detected:
        return detected
    vendor = re.search(r"^Hypervisor vendor:\s*(.+)$", output("lscpu") or "", re.MULTILINE)
    if vendor:
        return vendor.group(1)
    return "yes, unnamed" if " hypervisor" in read("/proc/cpuinfo", "") else None


def selected(path):
    """The choice in brackets of a sysfs file like "always [madvise] never"."""
    found = re.search(r"\[(\w+)\]", read(path, ""))
    return found.group(1) if found else None


def turbo():
    if (no_turbo := read(CPU / "intel_pstate/no_turbo")) is not None:
        return "off" if no_turbo == "1" else "on"
    if (boost := read(CPU / "cpufreq/boost")) is not None:
        return "on" if boost == "1" else "off"
    return None


def memory_kib():
    found = re.search(r"^MemTotal:\s*(\d+)", read("/proc/meminfo", ""), re.MULTILINE)
    return int(found.group(1)) if found else None


def distribution():
    found = re.search(r'^PRETTY_NAME="?([^"\n]+)', read("/etc/os-release", ""), re.MULTILINE)
    return found.group(1) if found else platform.system()


def compiler():
    """Compiler and flags of the build that is measured, from its own CMake cache."""
    cache = dict(re.findall(r"^(\w+):\w+=(.*)$", read(build_dir() / "CMakeCache.txt", ""), re.MULTILINE))
    if not cache:
        return None
    kind = cache.get("CMAKE_BUILD_TYPE", "")
    flags = [cache.get("CMAKE_C_FLAGS", ""), cache.get(f"CMAKE_C_FLAGS_{kind.upper()}", "")]
    path = cache.get("CMAKE_C_COMPILER", "cc")
    return {"version": first_line(output(path, "--version")), "build_type": kind,
            "flags": without_local_paths(" ".join(filter(None, flags)))}


def commit():
    """Commit and whether the tree differs from it; earlier bundles do not count as a difference."""
    found = succeeded("git", "rev-parse", "HEAD")
    if not found:
        return {"commit": None, "dirty": None}
    status = succeeded("git", "status", "--porcelain", "--", ".", ":(exclude)results/2*")
    return {"commit": found, "dirty": bool(status)}


def wrk_version():
    found = re.search(r"wrk (\S+)", first_line(output("wrk", "-v")) or "")
    return found.group(1) if found else None


def describe(command, date, peers):
    """The content of machine.json; unknown values are null, never guessed."""
    return {
        "date": date,
        "command": without_local_paths(command),
        **commit(),
        "cpu": cpu_model(),
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "caches": caches(),
        "memory_kib": memory_kib(),
        "os": distribution(),
        "kernel": platform.release(),
        "hypervisor": hypervisor(),
        "governor": read(CPU / "cpu0/cpufreq/scaling_governor"),
        "turbo": turbo(),
        "transparent_huge_pages": selected("/sys/kernel/mm/transparent_hugepage/enabled"),
        "mitigations": {path.name: read(path) for path in sorted(CPU.glob("vulnerabilities/*"))},
        "compiler": compiler(),
        "versions": {"liburcu": succeeded("pkg-config", "--modversion", "liburcu"), "wrk": wrk_version(),
                     "python": platform.python_version(), **peers},
    }


def short_name(machine):
    """A name for the bundle's directory: the processor and its cores, not the host's name."""
    model = re.sub(r"\(R\)|\(TM\)|CPU|Processor|@.*|\d+-Core", " ", machine["cpu"])
    return f"{slug(model)[:24].strip('-')}-{machine['cores']}cpu"
