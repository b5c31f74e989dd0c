#!/usr/bin/env python3
"""Which tools notice one flipped bit? Runs recipes on their samples and writes the table of results.

usage: measure-recipes.py [--trials N] [--seed N] [RECIPE...]    all of them: writes scenarios/recipes/README.md
"""

import argparse
import json
import subprocess
import tempfile
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "scenarios" / "recipes"

HEAD = """# Which tools notice one flipped bit?

One bit, flipped in what the tool reads, somewhere else in each trial; `errorfs drill --recipe NAME` on
the recipe's sample. *noticed* is of the trials whose flip was read, with the exact 95 % interval of the
rate. *harm* is how many of the others gave wrong data and said nothing (`silent_corruption`), *none* how
many did no harm that the recipe can see, *other* how many crashed, hung or gave no answer. *unread* flips
were never read, and count for nothing.

Another layout of the same product (free space, compression, an index more) gives other rates: try your
own data with `errorfs drill --recipe NAME DIR`.

Written by `scripts/measure-recipes.py`: {trials} trials each, seed {seed}, {day}, errorfs {errorfs}, Linux
{kernel}.

| recipe | noticed | 95 % | harm | none | other | unread | product |
|---|--:|---|--:|--:|--:|--:|---|
"""


def measured(program, recipe, args):
    """The report of one recipe."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.json"
        command = [program, "drill", "--recipe", recipe, "--json", report]
        command += ["--trials", str(args.trials), "--seed", str(args.seed)]
        ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if not report.exists():
            raise SystemExit(f"{recipe}: status {ended.returncode}: {ended.stderr.strip()}")
        return json.loads(report.read_text())


def percent(rate):
    return f"{100 * rate:.1f}"


def row(report):
    counts = report["counts"]
    noticed = f"{report['noticed']} of {report['activated']}"
    interval = report["interval_95"]
    bounds = " to ".join(percent(bound) for bound in interval) + " %" if interval else ""
    bad = [counts[verdict] for verdict in ("crash", "hang", "unavailable", "data_loss", "inconclusive")]
    cells = [
        f"`{report['recipe']}`", noticed, bounds, counts["silent_corruption"], counts["benign"],
        sum(bad), counts["not_activated"], (report["tool"] or "").replace("|", "\\|"),
    ]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("recipes", nargs="*")
    args = parser.parse_args()
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=ROOT, check=True)
    metadata = ["cargo", "metadata", "--format-version=1", "--no-deps", "--offline"]
    target = json.loads(subprocess.check_output(metadata, cwd=ROOT))["target_directory"]
    program = Path(target) / "release" / "errorfs"
    names = args.recipes or sorted(path.stem for path in FOLDER.glob("*.toml"))
    rows = []
    for name in names:
        report = measured(program, name, args)
        rows.append(row(report))
        print(rows[-1], flush=True)
    if not args.recipes:
        kernel = subprocess.check_output(["uname", "-r"], text=True).strip()
        head = HEAD.format(trials=args.trials, seed=args.seed, day=date.today(),
                           errorfs=report["errorfs"], kernel=kernel)
        (FOLDER / "README.md").write_text(head + "\n".join(rows) + "\n")


main()
