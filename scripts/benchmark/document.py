"""BENCHMARKS.md: everything in it comes from the JSON of one measurement."""

import textwrap

from benchmark import table
from benchmark.result import failures

WIDTH = 100

INTRODUCTION = """\
# Benchmarks

What a mount costs, as a ratio to the plain directory below it: 1 is as fast as native, bigger is
better, for times as well. Every way does the same work within the same round, one after the other;
what stands here is the median of the rounds, in brackets the least and the greatest. Over a disk
more than 1 is no magic: who serves a mount may answer from the page cache below it what was asked
for directly, where the plain directory asks the disk, and may read ahead further."""

REPEAT = """\
## How to repeat it

    scripts/bench --markdown BENCHMARKS.md --svg benchmarks.svg --json benchmarks.json

It installs what it needs, builds errorfs and leaves nothing mounted. `--peer NAME=COMMAND` adds
another filesystem, `--quick` shows in little time that it works, `--help` has the rest. This page
is written by it and not by hand."""


def document(result, chart=None):
    """The text of the page; `chart` is the file name of the picture beside it."""
    parts = [INTRODUCTION, measured_on(result)]
    if chart:
        parts.append(f"![Ratios to native by workload and way]({chart})")
    parts += [section(result, over) for over in result["over"] if result["ratios"]]
    parts += [ways(result), standing(result), failed(result), REPEAT]
    return "\n\n".join(part for part in parts if part) + "\n"


def measured_on(result):
    """When, where, with what."""
    machine, versions, settings = result["machine"], result["versions"], result["settings"]
    rounds = settings["rounds"]
    told = (
        f"Measured {machine['when'][:10]} with {versions['errorfs']} ({versions['commit']}), "
        f"{rounds} round{'s' if rounds > 1 else ''}, on Linux {machine['kernel']} "
        f"({machine['architecture']}), {machine['cores']} cores of {machine['processor']}, "
        f"{machine['memory_mib'] >> 10} GiB of memory, as {machine['user']}; "
        f"load before: {machine['load_before']:.1f}; {versions['fio']}, {versions['git']}."
    )
    if not machine["drops_caches"]:
        told += " Caches below the mounts could not be emptied: cold are the mounts' own only."
    if settings["quick"]:
        told += " With `--quick`: these figures show that it works, and not how fast."
    return textwrap.fill(told, WIDTH, break_long_words=False, break_on_hyphens=False)


def section(result, over):
    """The ratios over one filesystem."""
    kind = result["over"][over]
    heading = f"## Over {over}" + ("" if kind == over else f" (here: {kind})")
    return heading + "\n\n" + table.markdown(table.ratio_rows(result, over))


def ways(result):
    """What the columns are."""
    rows = [["way", "what it is"]]
    for way in result["ways"]:
        about = f"`{way['about']}`" if way["peer"] else way["about"]
        rows.append([f"`{way['name']}`", about.replace("|", "\\|")])
    return "## Ways\n\n" + table.markdown(rows).replace("---:", "---")


def standing(result):
    """What is no ratio."""
    rows = table.standing_rows(result)
    if not rows:
        return ""
    return "## Before anybody uses it\n\n" + table.markdown([["", "way", "median"], *rows])


def failed(result):
    """What a dash means."""
    told = failures(result)
    if not told:
        return ""
    return "## Not measured\n\n" + "\n".join(f"- {line.replace('|', '/')}" for line in told)
