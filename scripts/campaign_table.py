"""The matrix of a campaign's report as a table of Markdown, and its trials as lines of values:
campaign_table.py TITLE REPORT.json [DATA.csv]."""

import csv
import json
import os
import sys
from collections import Counter
from statistics import median


def told(counts):
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def rows_of(report):
    """Structure, access and fault, on whatever node: trials, and three counters."""
    rows = {}
    for cell in report["matrix"]:
        key = (cell["structure"], cell["access"], cell["fault"])
        row = rows.setdefault(key, [0, Counter(), Counter(), Counter()])
        row[0] += cell["trials"]
        for counter, key in zip(row[1:], ("verdicts", "local", "global")):
            counter.update(cell[key])
    return rows


def table(title, report, files):
    results = [trial["result"] for trial in report["trials"]]
    counts = told(Counter(result["verdict"] for result in results))
    seconds = median(result["run"]["elapsed_ms"] for result in results) / 1000
    print(f"### {title}\n\n{len(results)} of {report['planned']} trials: {counts}.")
    print(f"{seconds:.1f} s a trial at the median.", *(f"All of them: `{name}`." for name in files))
    print()
    print("| structure | touched by | fault | trials | verdict | local behaviour | global effect |")
    print("|---|---|---|---|---|---|---|")
    for (structure, access, fault), (trials, *counters) in sorted(rows_of(report).items()):
        cells = [structure, access, fault, str(trials), *map(told, counters)]
        print("| " + " | ".join(cells) + " |")
    print()


def data(report, file):
    with open(file, "w", newline="") as text:
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow("node structure path block access fault verdict local global".split())
        results = (trial["result"] for trial in report["trials"])
        keys = ("node", "structure", "path", "block", "access", "kind")
        for result in sorted(results, key=lambda one: [one["point"][key] for key in keys]):
            point = [result["point"][key] for key in keys]
            outcome = [result["verdict"], result["local"], "+".join(result["global"])]
            lines.writerow(point + outcome)


def main():
    title, file, *rest = sys.argv[1:]
    with open(file) as text:
        report = json.load(text)
    table(title, report, [f"results/{os.path.basename(name)}" for name in rest])
    for name in rest:
        data(report, name)


main()
