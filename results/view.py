"""What a bundle holds, in words and in rows ready to print: shared by the HTML report, table.md and the terminal."""
from common import slug
from plan import CONTROL

UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"))
PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
UNKNOWN = "–"
KINDS = ("queue", "deque", "reactor")
# What is shown together, in this order: (key, title, what a workload must be).
GROUPS = (("runtime", "Runtime workloads", lambda w: w["level"] == "runtime"),
          ("server", "Servers under load", lambda w: w["level"] == "server"),
          ("queue", "Global queues in isolation", lambda w: w["part"] == "queue"),
          ("deque", "Deques in isolation", lambda w: w["part"] == "deque"),
          ("reactor", "Reactors in isolation", lambda w: w["part"] == "reactor"),
          ("reference", "Reference rows", lambda w: w["part"] == "reference"))


def time_text(ns):
    if ns is None:
        return UNKNOWN
    for scale, unit in UNITS:
        if ns >= scale:
            return f"{ns / scale:.3g} {unit}" if ns < 1000 * scale else f"{ns / scale:.0f} {unit}"
    return f"{ns:.3g} ns"


def number_text(value):
    if value is None:
        return UNKNOWN
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def rate_text(per_second):
    """Operations per second, with a prefix: 1.23 M/s."""
    if per_second is None:
        return UNKNOWN
    for scale, prefix in PREFIXES:
        if per_second >= scale:
            return f"{per_second / scale:.3g} {prefix}/s" if per_second < 1000 * scale else \
                f"{per_second / scale:.0f} {prefix}/s"
    return f"{per_second:.3g} /s"


def ratio_text(ratio):
    if ratio >= 100:
        return f"{ratio:.0f}"
    if ratio >= 10:
        return f"{ratio:.1f}"
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def interval_text(interval, text=ratio_text):
    return f"[{text(interval[0])}, {text(interval[1])}]" if interval else "[unknown]"


def faster_text(ratio):
    """A ratio of times in words."""
    if 0.995 <= ratio <= 1.005:
        return "the same time"
    return f"{ratio_text(1 / ratio)} times as fast" if ratio < 1 else f"{ratio_text(ratio)} times as long"


def plural(count, one, many=None):
    return f"{count} {one if count == 1 else many or one + 's'}"


def listed(names, most=6):
    """"a, b and c", cut short where there are many."""
    names = list(names)
    if len(names) > most:
        return f"{', '.join(names[:most - 1])} and {len(names) - most + 1} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def arm_label(arm, machine):
    """A peer's version; of a physical limit, which says at length what it is instead, the name."""
    version = machine["versions"].get(arm)
    if version and version.startswith("physical limit"):
        return f"{arm} (physical limit)"
    return f"{version} (peer)" if version else arm


def anchor(workload, arm):
    return f"raw-{slug(workload)}-{slug(arm)}"


def throughput(cell):
    """Operations per second of a cell whose value is a time, else None."""
    return 1e9 / cell["op_ns"] if cell["op_ns"] else None


def per_cpu_second(cell):
    """Operations per second of processor time, or None; bundles of before that was told have none."""
    return 1e9 / cell["cpu_op_ns"] if cell.get("cpu_op_ns") else None


def is_time(workload):
    """Whether a workload's value is the time of its operations, so that a throughput follows from it."""
    return workload["measures"] == "duration" or workload["measures"].startswith("time per ")


def relaxed_orders(plan):
    """{queue, ours or a peer's: its order} of those that promise less than one order for all: they may win by that."""
    queues = {*plan["exists"]["queues"], *(arm["id"] for arm in plan["arms"] if arm["kind"] == "peer")}
    orders = plan["exists"].get("orders", {})
    return {name: order for name, order in orders.items() if name in queues and order != "FIFO"}


class Arms:
    """How the arms of a plan are called: an arm that differs from the default in one part goes by that part."""

    def __init__(self, plan, machine):
        self.by_id = {arm["id"]: arm for arm in plan["arms"]}
        self.order = list(self.by_id)
        self.default = self.by_id[plan["default"]]
        self.machine = machine
        self.orders = relaxed_orders(plan)

    def differing(self, arm):
        """The parts in which a combination differs from the default one."""
        return [kind for kind in KINDS if arm[kind] != self.default[kind]]

    def kind(self, name):
        """"default", "queue", "deque", "reactor", "pair", "dynamic", "control", "part" or "peer"."""
        arm = self.by_id[name]
        if arm["kind"] != "combination":
            return arm["kind"]
        if arm["dynamic"]:
            return "dynamic"
        found = self.differing(arm)
        return {0: "default", 1: found[0] if found else ""}.get(len(found), "pair")

    def short(self, name):
        """A label for a narrow column; the whole name stands in its tooltip."""
        arm, kind = self.by_id[name], self.kind(name)
        if kind in ("default", "dynamic"):
            return kind
        if kind in KINDS:
            return arm[kind]
        return " + ".join(arm[part] for part in self.differing(arm)) if kind == "pair" else name

    def long(self, name):
        label = arm_label(name, self.machine) if self.kind(name) == "peer" else self.short(name)
        return self.with_order(name, label)

    def with_order(self, name, label):
        """The label, and how a queue by itself falls short of FIFO: that stands beside each of its figures."""
        return f"{label} ({self.orders[name]})" if name in self.orders else label


class View:
    """A bundle with its cells, comparisons and workloads at hand by name."""

    def __init__(self, bundle):
        self.bundle, self.plan, self.summary, self.machine = bundle, bundle.plan, bundle.summary, bundle.machine
        self.arms = Arms(bundle.plan, bundle.machine)
        self.cells = {(cell["workload"], cell["arm"]): cell for cell in self.summary["cells"]}
        self.workloads = {workload["name"]: workload for workload in self.plan["workloads"]}
        self.versus = {(c["workload"], c["arm"], c["role"]): c for c in self.summary["comparisons"]}
        self.versus |= {(c["workload"], CONTROL, "default"): c for c in self.summary["control"]["comparisons"]}
        self.samples = {}
        for number, sample in enumerate(bundle.samples, 1):
            self.samples.setdefault((sample["workload"], sample["arm"]), []).append((number, sample))

    def cell(self, workload, arm):
        """The cell if anything was measured in it, else None."""
        found = self.cells.get((workload, arm))
        return found if found and found["n"] else None

    def groups(self):
        """(key, title, workloads) of what is shown together and not empty."""
        for key, title, belongs in GROUPS:
            found = [workload for workload in self.plan["workloads"] if belongs(workload)]
            if found:
                yield key, title, found

    def rows(self, workload):
        """A row per arm of a workload, from the fastest, everything already formatted."""
        cells = [self.cells.get((workload["name"], arm)) for arm in workload["arms"]]
        return [self.row(workload, cell) for cell in sorted(filter(None, cells), key=speed)]

    def row(self, workload, cell):
        arm, timed = cell["arm"], is_time(workload)
        return {"arm": arm, "label": self.arms.with_order(arm, arm_label(arm, self.machine)), "cell": cell,
                "anchor": anchor(workload["name"], arm), "median": time_text(cell["median_ns"]),
                "interval": interval_text(cell["interval"], time_text) if cell["interval"] else "",
                "rate": rate_text(throughput(cell)) if timed else UNKNOWN,
                "default": self.comparison(workload, arm, "default"),
                "reference": self.comparison(workload, arm, "reference"),
                "cpu": number_text(cell["cpu_share"]), "memory": memory_text(cell)}

    def comparison(self, workload, arm, role):
        if arm == workload[role]:
            return {"text": "1", "interval": "", "verdict": "itself", "sort": 1}
        found = self.versus.get((workload["name"], arm, role))
        if found is None:
            return {"text": UNKNOWN, "interval": "", "verdict": "", "sort": ""}
        return {"text": ratio_text(found["ratio"]), "interval": interval_text(found["interval"]),
                "verdict": found["verdict"], "sort": found["ratio"]}


def speed(cell):
    """Sorts cells from the fastest, those without a value last."""
    return cell["median_ns"] is None, cell["median_ns"] or 0


def memory_text(cell):
    return UNKNOWN if cell["peak_rss_kib"] is None else f"{cell['peak_rss_kib'] / 1024:.1f}"


def machine_lines(machine):
    """(what, value) pairs for people."""
    compiler = machine["compiler"] or {"version": None, "build_type": "", "flags": ""}
    memory = machine["memory_kib"]
    versions = ", ".join(f"{name} {value}" for name, value in machine["versions"].items() if value)
    commit = (machine["commit"] or UNKNOWN)[:12] + (" with changes that are not committed" if machine["dirty"] else "")
    lines = [("Processor", f"{machine['cpu']}, {plural(machine['cores'], 'core')} ({machine['architecture']})"),
             ("Caches", "; ".join(machine["caches"])), ("Memory", memory and f"{memory / 2**20:.1f} GiB"),
             ("System", f"{machine['os']}, Linux {machine['kernel']}"), ("Hypervisor", machine["hypervisor"]),
             ("Governor", machine["governor"]), ("Turbo", machine["turbo"]),
             ("Transparent huge pages", machine["transparent_huge_pages"]),
             ("Compiler", compiler["version"]), ("Flags", f"{compiler['build_type']} {compiler['flags']}"),
             ("Versions", versions), ("Commit", commit), ("Date", machine["date"]), ("Command", machine["command"])]
    return [(name, value or "not known") for name, value in lines]
