"""The rows of the table: which work of which model, and who does it."""

import math
from dataclasses import dataclass, field

import time_maps
from bench_parts import arithmetic, workers
from bench_parts.jobs import PARTING, Question, fewer, long_pair, one_phone_pair, step_job, suite_pair
from bench_parts.libraries import LIBRARIES, NOT_THEIRS
from bench_parts.models import MODELS
from bench_parts.table import judged, median, paired

OURS = "this package"


@dataclass
class Row:
    title: str
    work: str
    job: dict
    sizes: arithmetic.Sizes = None
    # What a ratio to the best way of PyTorch should be at least, and the share of the ceiling.
    ratio: float = None
    share: float = None
    # Slow programs do every so many-th window, and their seconds are scaled by cells.
    every: int = 1
    threads: int = 2
    # Of the libraries, those that are asked.
    libraries: list = field(default_factory=lambda: list(LIBRARIES))


def rows(key, options, threads):
    """All rows of one model."""
    title, folders = MODELS[key]
    folders = folders(options)
    common = {"threads": threads}

    def question(pair):
        return Question(folders, pair, threads)
    if key == "small":
        q = question(suite_pair())
        yield Row(f"{title}: forward, 1.2 s", "forward", q.job(), q.sizes, **common)
        yield Row(f"{title}: search, residual and heads", "search",
                  q.job(q.residual() + q.heads()), ratio=1.5, **common)
        yield Row(f"{title}: map, residual, 80 ms", "map", q.job(q.residual()), q.sizes, 8, 0.85,
                  **common)
        yield Row(f"{title}: map, connector and lm", "map", q.job(q.residual(("connector", "lm"))),
                  q.sizes, **common)
        yield Row(f"{title}: training step of 16", "step", step_job(folders, threads), ratio=1,
                  **common)
    elif key == "whisper":
        q = question(long_pair(30))
        yield Row(f"{title}: log-mel of 30 s", "log-mel", q.job(), ratio=1, **common)
        q = question(suite_pair())
        yield Row(f"{title}: forward", "forward", q.job(), q.sizes, **common)
        yield Row(f"{title}: map, encoder, 240 ms", "map", q.job(q.residual(("encoder",)), 240, 0),
                  q.sizes, 1.8, 0.85, every=2, **common)
        decoder = [s for i in range(q.sizes.deep) for s in (
            f"decoder.{i}.resid_post", *(f"decoder.{i}.cross.{name}" for name in "kvz"))]
        yield Row(f"{title}: map, decoder and cross, 120 ms", "map", q.job(decoder, 120), q.sizes, 20,
                  every=2, **common)
        # The pair's own two runs are most of what so few cells take; of a longer recording they are not.
        q = Question(folders, one_phone_pair(10), threads, PARTING)
        yield Row(f"{title}: map, decoder and cross, 10 s by 80 ms", "map", q.job(decoder), q.sizes, 20,
                  every=16, **common)
    elif key == "173":
        q = question(long_pair(30))
        yield Row(f"{title}: log-mel of 30 s", "log-mel", q.job(), ratio=1, **common)
        q = question(long_pair(10))
        yield Row(f"{title}: forward, 10 s", "forward", q.job(), q.sizes, ratio=1, **common)
        yield Row(f"{title}: search, residual and heads", "search",
                  q.job(q.residual() + q.heads(), 1000), ratio=1, **common)
        yield Row(f"{title}: map, residual, 10 s by 1 s", "map", q.job(q.residual(), 1000), q.sizes,
                  1.75, 0.90, every=4, **common)
        yield Row(f"{title}: map, connector and lm", "map",
                  q.job(q.residual(("connector", "lm")), 1000), q.sizes, every=4, **common)
    else:
        q = question(long_pair(10))
        yield Row(f"{title}: forward, 10 s", "forward", q.job(), q.sizes, **common)
        yield Row(f"{title}: map, lm cells, 10 s by 1 s", "map", q.job(q.residual(("lm",)), 1000),
                  q.sizes, 3, 0.85, every=4, **common)


def rivals(row, options):
    """Name and command of everyone else, whether they do fewer windows, and whether it is PyTorch."""
    some = fewer(row.job, row.every)
    if row.work != "map":
        yield "PyTorch with hooks", workers.pytorch(row.job, row.work), True
    else:
        yield "its plain path", workers.package(options, some, "plain-map"), False
        behind = any(time_maps.Hooked.is_behind_encoder(site) for site in row.job["sites"])
        for reuse in (False, True) if behind else (False,):
            text = ", encoder reused" if reuse else ""
            yield (f"PyTorch, one cell a pass{text}",
                   workers.pytorch(some, "map", "one", reuse), True)
            # Where the encoder need not run again, who runs it all the same is slow.
            yield (f"PyTorch, cells batched{text}", workers.pytorch(
                row.job if reuse or not behind else some, "map", "batched", reuse), True)
    for name in row.libraries:
        yield name, None if row.work in NOT_THEIRS else workers.library(
            some, row.work, name), False


def measure(row, options, table):
    """One row against everyone, in pairs of repetitions."""
    own = workers.Worker(OURS, workers.package(options, row.job, row.work), row.threads)
    found, seconds, rates = [], [], [time_maps.sgemm_rate(0.5, row.threads)]
    for name, command, is_torch in rivals(row, options):
        try:
            if command is None:
                raise workers.Cannot(NOT_THEIRS[row.work])
            other = workers.Worker(name, command, row.threads)
            pairs = []
            for _ in range(options.rounds):
                pairs.append((own.go(), other.go()))
            said = other.end()
        except workers.Cannot as reason:
            found.append((name, str(reason), None, is_torch))
            continue
        rates.append(time_maps.sgemm_rate(0.5, row.threads))
        seconds += [a for a, _ in pairs]
        found.append((name, pairs, said, is_torch))
    end = own.end()
    if not seconds:
        seconds = end["seconds"] or [math.nan]
    report(row, table, found, seconds, end, max(rates))


def report(row, table, found, seconds, end, rate):
    ours, cells = median(seconds), len([v for _, v in end["first"] if v is not None])
    lines, torch = [], []
    for name, pairs, said, is_torch in found:
        line = {"work": row.title, "threads": row.threads, "program": name}
        if said is None:
            lines.append({**line, "note": f"cannot: {pairs}"})
            continue
        try:
            # A step moves the weights: both have made as many, since no one else makes any.
            off, count = workers.difference(end, said)
        except workers.Cannot as reason:
            lines.append({**line, "note": f"not compared: {reason}"})
            continue
        scale = cells / count if row.work == "map" else 1
        a, b = [x for x, _ in pairs], [scale * x for _, x in pairs]
        ratio, least, most = paired(a, b)
        line |= {"cells": count if row.work in ("map", "search") else None, "seconds": median(b),
                 "ratio": ratio, "least": least, "most": most, "MiB": said["peak_mebibytes"],
                 "off": off, "note": "" if scale == 1 else f"scaled from {count} of {cells} cells",
                 "repetitions": {"package": a, "program": b}}
        lines.append(line)
        if is_torch:
            torch.append(line)
    share = ceiling(row, ours, rate)
    notes = []
    if row.share:
        notes.append(judged("share of the ceiling", share, row.share))
    if torch:
        best = min(torch, key=lambda line: line["seconds"])
        judgement = [judged("ratio", best["ratio"], row.ratio)] if row.ratio else []
        judgement.append("the best way of PyTorch")
        best["note"] = "; ".join([best["note"]] * bool(best["note"]) + judgement)
        notes.append(judged("MiB", float(end["peak_mebibytes"]), best["MiB"], at_most=True))
    if end.get("operations"):
        notes.append(f"{end['operations'] / ours / rate:.0%} with what it multiplies besides")
    table.add(work=row.title, threads=row.threads, program=OURS,
              cells=cells if row.work in ("map", "search") else None, seconds=ours, ratio=1.0,
              ceiling=share, MiB=end["peak_mebibytes"], note="; ".join(notes),
              repetitions={"package": seconds, "sgemm": [rate]})
    for line in lines:
        table.add(**line)


def ceiling(row, seconds, rate):
    """The least time by arithmetic over the time it took."""
    if row.sizes is None or row.work not in ("map", "forward"):
        return None
    if row.work == "forward":
        return arithmetic.forward(row.sizes, row.job) / rate / seconds
    cells = [(site, window) for site in row.job["sites"] for window in row.job["places"]
             if has_positions(row.sizes, site, window)]
    return arithmetic.needed(row.sizes, row.job, cells) / rate / seconds


def has_positions(sizes, site, window):
    is_text = site.startswith(("decoder", "lm")) and not site.endswith((".cross.k", ".cross.v"))
    if window[0] == "text":
        return is_text
    return not (is_text and site.startswith("decoder"))
