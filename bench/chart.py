#!/usr/bin/env python3
"""Draws docs/benchmarks.svg from the table of ratios in docs/BENCHMARKS.md.

The picture shows what the table between the two marks says, so whoever changes the table runs this again:

    python3 bench/chart.py            # writes docs/benchmarks.svg
    python3 bench/chart.py --check    # fails if the picture is not what the table says

It needs nothing but the standard library, so that the tests can check the picture.
"""

import math
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "BENCHMARKS.md"
PICTURE = ROOT / "docs" / "benchmarks.svg"

# The picture in pixels: labels on the left, then bars on a logarithmic scale.
LABELS, PLOT, RIGHT, ROW, TOP = 330, 360, 60, 24, 54
LEAST, MOST = 0.02, 20.0  # the ends of the scale


def ratios(text):
    """(label, ratio) for each row of the table between the marks; the ratio is the last cell."""
    body = text.split("<!-- bench/chart.py reads from here -->", 1)[1].split("<!-- to here: ratios -->", 1)[0]
    for line in body.splitlines():
        cells = [c.strip() for c in line.strip("| ").split("|")]
        if len(cells) > 2 and re.fullmatch(r"[0-9.]+", cells[-1]):
            yield cells[0], float(cells[-1])


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


def x(ratio):
    share = math.log(ratio / LEAST) / math.log(MOST / LEAST)
    return LABELS + PLOT * min(1, max(0, share))


def draw(bars):
    width, height = LABELS + PLOT + RIGHT, TOP + ROW * len(bars) + 30
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{LABELS}" y="20" font-size="14">How many times faster than pylance in process</text>',
        f'<text x="{LABELS}" y="38" fill="#555">logarithmic; left of 1 is slower</text>',
    ]
    bottom = TOP + ROW * len(bars)
    for tick in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20):
        colour = "#333" if tick == 1 else "#ddd"
        out.append(f'<line x1="{x(tick):.1f}" y1="{TOP}" x2="{x(tick):.1f}" y2="{bottom}" stroke="{colour}"/>')
        out.append(f'<text x="{x(tick):.1f}" y="{bottom + 16}" text-anchor="middle" fill="#555">{tick:g}</text>')
    for i, (label, ratio) in enumerate(bars):
        y = TOP + ROW * i
        left, right = sorted((x(1), x(ratio)))
        colour = "#2a78b8" if ratio >= 1 else "#c46a2d"
        out.append(f'<text x="{LABELS - 8}" y="{y + 16}" text-anchor="end">{escape(label)}</text>')
        out.append(f'<rect x="{left:.1f}" y="{y + 4}" width="{right - left:.1f}" height="{ROW - 8}" fill="{colour}"/>')
        at, anchor = (right + 5, "start") if ratio >= 1 else (left - 5, "end")
        out.append(f'<text x="{at:.1f}" y="{y + 16}" text-anchor="{anchor}">{ratio:g}</text>')
    return "\n".join([*out, "</svg>", ""])


def main():
    picture = draw(list(ratios(PAGE.read_text())))
    if "--check" in sys.argv[1:]:
        if PICTURE.read_text() != picture:
            sys.exit("docs/benchmarks.svg is not what docs/BENCHMARKS.md says; run python3 bench/chart.py")
        return
    PICTURE.write_text(picture)
    print("wrote", PICTURE)


if __name__ == "__main__":
    main()
