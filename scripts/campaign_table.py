"""The matrix of a campaign's report as a table of Markdown: campaign_table.py TITLE REPORT.json."""

import json
import sys
from collections import Counter


def told(counts):
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def main():
    title, file = sys.argv[1:]
    with open(file) as text:
        report = json.load(text)
    rows = {}
    for cell in report["matrix"]:
        key = (cell["structure"], cell["access"], cell["fault"])
        row = rows.setdefault(key, [0, Counter(), Counter(), Counter()])
        row[0] += cell["trials"]
        for counter, key in zip(row[1:], ("verdicts", "local", "global")):
            counter.update(cell[key])
    trials = len(report["trials"])
    counts = told(Counter({name: count for name, count in report["counts"].items() if count}))
    print(f"### {title}\n\n{trials} of {report['planned']} trials: {counts}.\n")
    print("| structure | touched by | fault | trials | verdict | local behaviour | global effect |")
    print("|---|---|---|---|---|---|---|")
    for (structure, access, fault), (trials, *counters) in sorted(rows.items()):
        cells = [structure, access, fault, str(trials), *map(told, counters)]
        print("| " + " | ".join(cells) + " |")
    print()


main()
