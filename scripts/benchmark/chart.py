"""The ratios as a picture: a dot a way, a line from the least round to the greatest."""

import math
from html import escape

from benchmark.way import NATIVE

WIDTH, LABELS, RIGHT = 900, 240, 30
TOP, HEADING, STEP, GAP = 50, 34, 7, 10
LEAST, GREATEST = 0.01, 2.0
MARKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2)
# Okabe and Ito's colours: told apart by those who see few, on light and on dark.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7f7f7f")

STYLE = """\
text{font:12px system-ui,sans-serif;fill:#222}.big{font-weight:600;font-size:14px}
.grid{stroke:#8884;stroke-width:1}.one{stroke:#222;stroke-width:1.5}
svg{background:#fff}
@media(prefers-color-scheme:dark){text{fill:#ddd}.one{stroke:#ddd}svg{background:#16181c}}"""


def chart(result):
    """A self-contained SVG."""
    ways = [way["name"] for way in result["ways"] if way["name"] != NATIVE]
    colours = {way: COLOURS[place % len(COLOURS)] for place, way in enumerate(ways)}
    parts, y = [legend(colours)], TOP
    for over in result["over"]:
        part, y = panel(result, over, colours, y)
        parts.append(part)
    title = "Ratio to native, bigger is better"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" '
        f'role="img" aria-label="{title}"><style>{STYLE}</style><title>{title}</title>\n'
        + "\n".join(parts) + "\n</svg>\n"
    )


def legend(colours):
    """Which colour is which way."""
    step = (WIDTH - RIGHT) / max(len(colours), 1)
    return "\n".join(
        f'<circle cx="{12 + step * place:.0f}" cy="20" r="5" fill="{colour}"/>'
        f'<text x="{22 + step * place:.0f}" y="24">{escape(way)}</text>'
        for place, (way, colour) in enumerate(colours.items())
    )


def panel(result, over, colours, top):
    """One filesystem: its heading, a row a workload, the scale. Also where the next begins."""
    height = STEP * len(colours) + GAP
    known = {(r["workload"], r["way"]): r for r in result["ratios"] if r["over"] == over}
    parts = [f'<text class="big" x="12" y="{top + 14}">over {escape(over)}</text>']
    begin = y = top + HEADING
    for workload in result["workloads"]:
        place = f'x="{LABELS - 10}" y="{y + height / 2 + 4:.0f}" text-anchor="end"'
        parts.append(f"<text {place}>{escape(workload['title'])}</text>")
        for place, (way, colour) in enumerate(colours.items()):
            if ratio := known.get((workload["name"], way)):
                parts.append(dot(ratio, colour, y + GAP / 2 + STEP * (place + 0.5)))
        y += height
        parts.append(f'<path class="grid" d="M12 {y}H{WIDTH - RIGHT}"/>')
    return "\n".join([scale(begin, y), *parts]), y + HEADING


def scale(top, bottom):
    """Vertical lines with their numbers: each doubling is as wide as the next."""
    lines = []
    for mark in MARKS:
        kind = "one" if mark == 1 else "grid"
        x = f"{across(mark):.1f}"
        lines.append(f'<path class="{kind}" d="M{x} {top}V{bottom}"/>')
        lines.append(f'<text x="{x}" y="{top - 5}" text-anchor="middle">{mark:g}</text>')
    return "\n".join(lines)


def dot(ratio, colour, y):
    """The median, on a line over its range; what it is stands in the tooltip."""
    low, middle, high = (across(ratio[key]) for key in ("min", "median", "max"))
    told = escape(f"{ratio['way']}: {ratio['median']:.3f} ({ratio['min']:.3f}..{ratio['max']:.3f})")
    return (
        f'<path d="M{low:.1f} {y:.1f}H{high:.1f}" stroke="{colour}" stroke-width="2"/>'
        f'<circle cx="{middle:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}">'
        f"<title>{told}</title></circle>"
    )


def across(ratio):
    """Where a ratio lies; what is off the scale lies at its end."""
    inside = min(max(ratio, LEAST), GREATEST)
    part = math.log(inside / LEAST) / math.log(GREATEST / LEAST)
    return LABELS + part * (WIDTH - LABELS - RIGHT)
