"""A bundle on disk: written beside its final name and renamed when complete; read only if all of it is valid.

    plan.json      arms, workloads, blocks, budget, seed
    machine.json   what was measured on
    samples.jsonl  every sample, raw, one JSON object per line, in the order taken
    summary.json   statistics of the samples, with the samples' number and SHA-256
    exact.json     where it could be counted: instructions, atomic operations, allocations per operation
    report.html, table.md, charts/*.svg   the same for people
"""
import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from common import RESULTS, Refusal, describe_os_error, sync_directory, to_json, write_file

try:
    import jsonschema
except ImportError:
    jsonschema = None

FORMAT = "stealyard-bundle"
SCHEMA_VERSION = 2
PARTS = ("plan", "machine", "summary")
SAMPLES = "samples.jsonl"
STATE = "run.json"
PARTIAL = ".partial"
SYNC_S = 1.0
HEADER = {"format": FORMAT, "schema": SCHEMA_VERSION}


@dataclass
class Bundle:
    name: str
    path: Path
    plan: dict
    machine: dict
    samples: list
    summary: dict
    exact: list | None = None  # rows of figures that noise cannot move


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Writer:
    """Collects a bundle in <name>.partial/; finish() makes it <name>/. `state` is what a later run needs to go on."""

    def __init__(self, final, samples, state):
        self.final, self.samples, self.state = final, samples, state
        self.path = partial_of(final)
        self.file = open(self.path / SAMPLES, "a", encoding="utf-8")
        self.synced = time.monotonic()

    @classmethod
    def create(cls, out, name, state=None):
        final = free_name(Path(out), name)
        try:
            partial_of(final).mkdir(parents=True)
            writer = cls(final, [], state)
        except OSError as error:
            raise Refusal(f"cannot write a bundle into {out}: {describe_os_error(error)}") from None
        writer.lock()
        writer.write(STATE, to_json({**HEADER, **(state or {})}))
        return writer

    @classmethod
    def resume(cls, path, say):
        """Goes on with a partial directory; what a crash left half-written is dropped, with a notice."""
        state = read_state(path)
        writer = cls(path.with_name(path.name.removesuffix(PARTIAL)), [], state)
        writer.lock()
        data = read_bytes(path / SAMPLES)
        writer.samples, whole = readable_samples(data)
        if whole < len(data):
            say(f"dropped {len(data) - whole} bytes at the end of {path / SAMPLES}: a sample that was half written")
            writer.file.truncate(whole)
        state["resumed"] = state.get("resumed", 0) + 1
        writer.write(STATE, to_json({**HEADER, **state}))
        return writer

    def lock(self):
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.file.close()
            raise Refusal(f"{self.path}: another comparison is writing it") from None

    def add(self, sample):
        self.samples.append(sample)
        # Flushed at once: a killed run loses nothing. A power cut may take the last second's samples.
        self.file.write(json.dumps(sample, allow_nan=False, separators=(",", ":")) + "\n")
        self.file.flush()
        if time.monotonic() - self.synced > SYNC_S:
            os.fsync(self.file.fileno())
            self.synced = time.monotonic()

    def write(self, name, text):
        path = self.path / name
        path.parent.mkdir(exist_ok=True)
        write_file(path, text)

    def write_exact(self, rows):
        self.write("exact.json", to_json({**HEADER, "rows": rows}))

    def write_parts(self, plan, machine, summary):
        os.fsync(self.file.fileno())
        self.file.close()
        summary["samples_sha256"] = digest((self.path / SAMPLES).read_bytes())
        for name, content in zip(PARTS, (plan, machine, summary)):
            self.write(f"{name}.json", to_json({**HEADER, **content}))

    def finish(self):
        read(self.path)  # What we could not read again must not pass for a bundle.
        (self.path / STATE).unlink()
        sync_directory(self.path)
        while True:
            try:
                self.path.rename(self.final)
                break
            except OSError as error:
                # Another comparison has finished under this name meanwhile: take the next.
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
                self.final = free_name(self.final.parent, self.final.name)
        sync_directory(self.final.parent)
        return self.final

    def abandon(self):
        """Close the file and say what is left of it; an empty directory is taken away."""
        try:
            self.file.close()
        except OSError:
            pass  # The disk is full: what could not be written stays unwritten, and the caller says so.
        if self.samples:
            return (f"{len(self.samples)} samples are kept in {self.path}, which is not a bundle;"
                    f" './stealyard compare --resume {self.path}' goes on")
        shutil.rmtree(self.path)
        return "nothing was written"


def partial_of(final):
    return final.with_name(final.name + PARTIAL)


def read_state(path):
    """What a partial directory says of the run that made it."""
    if not path.is_dir() or not path.name.endswith(PARTIAL):
        raise Refusal(f"{path}: {'not the .partial directory of a run' if path.exists() else 'no such directory'}")
    where = path / STATE
    content = parse(where, read_bytes(where))
    check_header(where, content)
    return {key: value for key, value in content.items() if key not in HEADER}


def readable_samples(data):
    """(samples, how many bytes they take): up to the first line that is not a whole sample."""
    samples, whole = [], 0
    for line in data.splitlines(keepends=True):
        try:
            if not line.endswith(b"\n"):
                break
            samples.append(json.loads(line))
        except ValueError:
            break
        whole += len(line)
    return samples, whole


def free_name(out, name):
    number, candidate = 2, out / name
    while candidate.exists() or partial_of(candidate).exists():
        candidate = out / f"{name}-{number}"
        number += 1
    return candidate


def load(path):
    """Read and check a bundle; Refusal says what is wrong with it."""
    path = Path(path)
    if not path.is_dir():
        raise Refusal(f"{path}: {'not a directory' if path.exists() else 'no such bundle'}")
    if path.name.endswith(PARTIAL):
        raise Refusal(f"{path}: an interrupted run, not a bundle: './stealyard compare --resume {path}' goes on")
    return read(path)


def need_schema_library():
    if jsonschema is None:
        raise Refusal("bundles cannot be checked without python3-jsonschema: apt-get install python3-jsonschema")


def read(path):
    need_schema_library()
    parts = {name: load_part(path, name) for name in PARTS}
    samples = load_samples(path, parts["summary"])
    check_consistency(path, parts, samples)
    return Bundle(path.resolve().name, path, samples=samples, exact=load_exact(path), **parts)


def read_bytes(path):
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise Refusal(f"{path.parent}: not a bundle: {path.name} is missing") from None
    except OSError as error:
        raise Refusal(f"{path}: {error.strerror}") from None


def parse(where, data):
    try:
        return json.loads(data)
    except ValueError as error:
        raise Refusal(f"{where}: corrupt: {error}") from None


def load_part(path, name):
    where = path / f"{name}.json"
    content = parse(where, read_bytes(where))
    check_header(where, content)
    validate(where, name, content)
    return content


def check_header(where, content):
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise Refusal(f"{where}: not of a {FORMAT}, so not ours to read")
    version = content.get("schema")
    if version != SCHEMA_VERSION:
        newer = isinstance(version, int) and version > SCHEMA_VERSION
        advice = "newer: use the release that wrote it" if newer else "older: measure again"
        raise Refusal(f"{where}: schema {version!r}, but this release reads schema {SCHEMA_VERSION}; {advice}")


def load_exact(path):
    """The rows of exact.json, None where the run could not count."""
    return load_part(path, "exact")["rows"] if (path / "exact.json").exists() else None


def load_samples(path, summary):
    where = path / SAMPLES
    data = read_bytes(where)
    if data and not data.endswith(b"\n"):
        raise Refusal(f"{where}: truncated: the last line has no end")
    lines = data.splitlines()
    if len(lines) != summary["samples"]:
        raise Refusal(f"{where}: truncated: {len(lines)} samples, the summary was made of {summary['samples']}")
    samples = []
    for number, line in enumerate(lines, 1):
        samples.append(parse(f"{where}, line {number}", line))
        validate(f"{where}, line {number}", "sample", samples[-1])
    if digest(data) != summary["samples_sha256"]:
        raise Refusal(f"{where}: changed since the summary was made (SHA-256 differs)")
    return samples


_validators = {}


def validate(where, kind, content):
    if kind not in _validators:
        schema = json.loads((RESULTS / "schema.json").read_text(encoding="utf-8"))
        _validators[kind] = jsonschema.Draft202012Validator({**schema, "$ref": f"#/$defs/{kind}"})
    for error in _validators[kind].iter_errors(content):
        at = "/".join(map(str, error.absolute_path)) or "the whole"
        raise Refusal(f"{where}: does not fit the schema at {at}: {error.message[:200]}")


def check_consistency(path, parts, samples):
    """What a schema cannot say: the parts speak of the same arms and workloads."""
    arms = {arm["id"] for arm in parts["plan"]["arms"]}
    workloads = {workload["name"] for workload in parts["plan"]["workloads"]}
    spoken_of = samples + parts["summary"]["cells"] + parts["summary"]["comparisons"]
    for item in spoken_of:
        if item["arm"] not in arms or item["workload"] not in workloads:
            raise Refusal(f"{path}: inconsistent: {item['arm']} × {item['workload']} is not in the plan")


def newest(directory=RESULTS):
    """The newest valid bundle in a directory, or None. Names begin with the date; the date inside decides."""
    found = []
    for path in Path(directory).glob("2*/summary.json"):
        try:
            found.append(load(path.parent))
        except Refusal:
            continue
    return max(found, key=lambda bundle: bundle.machine["date"], default=None)
