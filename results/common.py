"""What every program in results/ shares: refusals, paths, names, and writing that leaves no half file.

Exit codes: 0 ok, 1 a check failed, 2 wrong usage or something needed is missing, 130 interrupted.
"""
import fnmatch
import json
import os
import re
import sys
from pathlib import Path

RESULTS = Path(__file__).resolve().parent
ROOT = RESULTS.parent

EXIT_CHECK_FAILED = 1
EXIT_USAGE = 2
EXIT_SKIPPED = 77
EXIT_INTERRUPTED = 130


class Refusal(Exception):
    """Something is wrong that the caller can mend: one clear line, no traceback."""

    def __init__(self, message, code=EXIT_USAGE):
        super().__init__(message)
        self.code = code


def run_program(name, main):
    """Run main(argv) and turn refusals and operating-system errors into one line and an exit code."""
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except Refusal as refusal:
        print(f"{name}: {refusal}", file=sys.stderr)
        code = refusal.code
    except BrokenPipeError:
        # The reader (head, a pager) has seen enough. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        print(f"{name}: {describe_os_error(error)}", file=sys.stderr)
        code = EXIT_USAGE
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        code = EXIT_INTERRUPTED
    sys.exit(code)


def describe_os_error(error):
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def build_dir():
    """The build directory that holds bench/ and executor/examples/."""
    return Path(os.environ.get("STEALYARD_BUILD") or ROOT / "build" / "release")


def slug(text):
    """A lower-case name of letters, digits and dashes, for file names and anchors."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def without_local_paths(text):
    """Say where things are relative to the project: bundles are published, local directories are not."""
    for path, name in ((str(build_dir()), "$STEALYARD_BUILD"), (str(ROOT), "."), (os.path.expanduser("~"), "~")):
        if len(path) > 1:
            text = text.replace(path, name)
    return text


def choose_names(kind, wanted, known):
    """The names of a comma-separated list, checked against what exists; a shell-style pattern stands for the names
    that it fits, None for all."""
    if wanted is None:
        return list(known)
    asked = [name.strip() for name in wanted.split(",") if name.strip()]
    fitting = {one: [name for name in known if name == one or fnmatch.fnmatchcase(name, one)] for one in asked}
    unknown = [one for one, names in fitting.items() if not names]
    if unknown or not asked:
        what = f"unknown {kind} '{', '.join(unknown)}'" if unknown else f"no {kind} named"
        raise Refusal(f"{what}; known: {', '.join(known)}")
    return list(dict.fromkeys(name for names in fitting.values() for name in names))


def to_json(value):
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_file(path, text):
    """Replace path by text, whole or not at all."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(path):
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
