"""The result as tables: for a terminal, and for a document."""

from statistics import median

from benchmark.way import NATIVE


def text(result):
    """Everything, for a terminal."""
    parts = []
    for over in result["over"]:
        rows = ratio_rows(result, over)
        if len(rows) > 1:
            parts.append(f"ratio to native over {over}, median (min..max), bigger is better\n\n"
                         + aligned(rows))
    if standing := standing_rows(result):
        parts.append("no ratios: what a mount costs before anybody uses it\n\n" + aligned(standing))
    return "\n\n".join(parts)


def ratio_rows(result, over):
    """Workloads down, ways across."""
    known = {(r["workload"], r["way"]): r for r in result["ratios"] if r["over"] == over}
    ways = [way["name"] for way in result["ways"] if way["name"] != NATIVE]
    rows = [["", *ways]]
    for workload in result["workloads"]:
        cells = [known.get((workload["name"], way)) for way in ways]
        rows.append([workload["title"], *map(cell, cells)])
    return rows


def cell(ratio):
    """A ratio with its range; what has failed is a dash."""
    if ratio is None:
        return "-"
    if len(ratio["rounds"]) == 1:
        return number(ratio["median"])
    return f"{number(ratio['median'])} ({number(ratio['min'])}..{number(ratio['max'])})"


def number(value):
    """Two digits that mean something."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def standing_rows(result):
    """Figures that are no ratios."""
    rows = []
    for figure in result["standing"]:
        title = result["standing_titles"][figure["name"]]
        rows.append([title, figure["way"], "-" if "error" in figure else amount(figure)])
    order = list(result["standing_titles"].values())
    return sorted(rows, key=lambda row: order.index(row[0]))


def amount(figure):
    """A median with its unit."""
    middle = median(figure["values"])
    if figure["unit"] == "s":
        return f"{middle * 1000:.1f} ms"
    return f"{middle / 1024:.1f} MiB"


def aligned(rows):
    """Columns as wide as what they hold, the first to the left."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for first, *rest in rows:
        others = (word.rjust(width) for word, width in zip(rest, widths[1:]))
        lines.append("  ".join([first.ljust(widths[0]), *others]).rstrip())
    return "\n".join(lines)


def markdown(rows):
    """The same for a document."""
    first, *others = rows
    rule = ["---", *["---:"] * (len(first) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [first, rule, *others])
