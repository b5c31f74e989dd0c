"""What was measured, as data; and what follows from it: ratios to native."""

from statistics import median

from benchmark.suite import STANDING, WORKLOADS
from benchmark.way import NATIVE
from benchmark.workload import RATE

FORMAT = 1


def collect(comparison, machine, versions):
    """All of it, as it is written with --json. Everything that is told comes from here."""
    options = comparison.options
    result = {
        "format": FORMAT,
        "machine": machine,
        "versions": versions,
        "settings": {"rounds": options.rounds, "quick": options.quick, "only": options.only,
                     "size": vars(comparison.size)},
        "over": comparison.filesystems,
        "ways": [describe(way) for way in comparison.ways],
        "workloads": described(options.only),
        "values": comparison.values,
        "standing": comparison.standing,
        "standing_titles": STANDING,
        "faults_delivered": comparison.faults,
    }
    return {**result, "ratios": ratios(result)}


def describe(way):
    """A way, with what it takes to repeat it."""
    return {"name": way.name, "about": way.about, "peer": way.is_peer, "scenario": way.scenario()}


def described(only):
    """What the workloads' values mean."""
    return [
        {"name": name, "title": title, "unit": workload.unit, "better": workload.better}
        for workload in WORKLOADS
        for name, title in workload.titles.items()
        if name in only
    ]


def ratios(result):
    """For each filesystem, workload and way: native's speed is 1, and bigger is better."""
    values = {
        (value["over"], value["workload"], value["way"], value["round"]): value.get("value")
        for value in result["values"]
    }
    found = []
    for over in result["over"]:
        for workload in result["workloads"]:
            for way in result["ways"]:
                keys = [(over, workload["name"], way["name"], number)
                        for number in range(result["settings"]["rounds"])]
                each = [ratio(values, key, workload["better"]) for key in keys]
                found += summary(over, workload, way, each)
    return found


def ratio(values, key, better):
    """One round's; nothing if either of the two has failed."""
    over, workload, _, number = key
    here, native = values.get(key), values.get((over, workload, NATIVE, number))
    if not here or not native:
        return None
    return here / native if better == RATE else native / here


def summary(over, workload, way, each):
    """The median of the rounds, and how far they lie apart."""
    known = [value for value in each if value is not None]
    if not known:
        return []
    return [{"over": over, "workload": workload["name"], "way": way["name"],
             "median": median(known), "min": min(known), "max": max(known), "rounds": each}]


def failures(result, peers=True):
    """Whatever was to be measured and was not, in words: a line for each reason."""
    theirs = {way["name"] for way in result["ways"] if way["peer"]}
    found = {}
    for value in result["values"] + result["standing"]:
        if "error" in value and (peers or value["way"] not in theirs):
            reason = (value["way"], value["over"], value["error"])
            # Each once, in this order.
            found.setdefault(reason, {})[value.get("workload") or value.get("name")] = None
    return [f"{way} over {over}: {error}: {' '.join(names)}"
            for (way, over, error), names in found.items()]
