"""What is made of repetitions: medians, ratios, exponents, goals, and the table.

    python -m doctest bench_parts/table.py
"""

import json
import math

COLUMNS = ["work", "threads", "program", "cells", "seconds", "ratio", "least", "most", "ceiling", "MiB",
           "off", "note"]


def median(values):
    """
    >>> median([3, 1, 2]), median([4, 1, 3, 2])
    (2, 2.5)
    """
    values = sorted(values)
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def paired(own, other):
    """The median of the ratios of repetitions that followed each other, the least and the most.

    >>> paired([1.0, 2.0, 1.0], [2.0, 6.0, 4.0])
    (3.0, 2.0, 4.0)
    """
    ratios = [b / a for a, b in zip(own, other)]
    return median(ratios), min(ratios), max(ratios)


def exponent(sizes, seconds):
    """The slope of log time over log size, by least squares.

    >>> round(exponent([1, 2, 4], [3, 12, 48]), 6)
    2.0
    """
    x, y = [math.log(v) for v in sizes], [math.log(v) for v in seconds]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / sum(
        (a - mean_x) ** 2 for a in x)


def judged(name, value, goal, at_most=False):
    """A goal beside its value.

    >>> judged("ratio", 2.0, 1.8)
    'ratio 2.00, goal 1.80: met'
    >>> judged("MiB", 300, 200, at_most=True)
    'MiB 300.00, goal at most 200.00: not met'
    """
    met = value <= goal if at_most else value >= goal
    return (f"{name} {value:.2f}, goal {'at most ' if at_most else ''}{goal:.2f}: "
            f"{'met' if met else 'not met'}")


def shown(value, kind):
    if value is None:
        return "-"
    if kind in ("off",):
        return f"{value:.1e}"
    if kind == "seconds":
        return f"{value:.4g}"
    if kind == "ceiling":
        return f"{value:.0%}"
    if kind in ("ratio", "least", "most"):
        return f"{value:.2f}"
    return f"{value:.0f}" if isinstance(value, float) else str(value)


class Table:
    """Lines that are printed as they come, and written whole after each."""

    def __init__(self, folder):
        self.folder, self.lines = folder, []
        print(self.line(COLUMNS), flush=True)

    @staticmethod
    def line(cells):
        widths = [44, 7, 38, 6, 9, 7, 7, 7, 7, 6, 8]
        return " ".join(
            cell.ljust(width) if i in (0, 2) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths))) + "  " + cells[-1]

    def add(self, repetitions=None, **members):
        self.lines.append({**members, "repetitions": repetitions or {}})
        print(self.line([shown(members.get(name), name) for name in COLUMNS]), flush=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        rows = [[shown(line.get(name), name) for name in COLUMNS] for line in self.lines]
        (self.folder / "bench.tsv").write_text(
            "\n".join("\t".join(row) for row in [COLUMNS, *rows]) + "\n")
        (self.folder / "bench.json").write_text(json.dumps(self.lines, indent=1) + "\n")

    def goals(self):
        found = [note for line in self.lines for note in line.get("note", "").split("; ")
                 if note.endswith(("met", "not met"))]
        missed = sum(note.endswith("not met") for note in found)
        return f"{len(found) - missed} of {len(found)} goals met"
