"""Windows of a run, and alignments of two runs, by what they are defined to be.

A run here has `time(site)` (positions that stand for sound, with their centres in ms), `text(site)`,
`mel`, `ids`, `length` and `duration` in ms, and the activations `x`.
"""

import numpy
import torch


def drawn_window(run, site, draw, several):
    """A window as `tap` is told it, and its positions."""
    heard, text = run.time(site), run.text(site)
    kind = draw.choice(["time", "time", "positions", "sound"] + ["text", "last"] * (
        bool(text) and not several))
    if kind == "sound":
        return "sound", list(heard)
    if kind == "text":
        count = draw.randrange(1, len(text) + 1)
        return f"text:-{count}..", text[-count:]
    if kind == "last":
        return "-1", text[-1:]
    if kind == "positions":
        first = draw.choice(list(heard)[:20])
        behind = min(first + draw.randrange(1, 9), max(heard) + 1)
        return f"{first}..{behind}", list(range(first, behind))
    start = draw.uniform(0, 0.8 * run.length)
    end = min(start + draw.uniform(60, 300), run.length)
    start, end = round(start, 1), round(end, 1)
    return f"{start}ms..{end}ms", [i for i, centre in heard.items() if start <= centre < end]


def warped(base, source):
    """Anchors of the cheapest monotone path between two recordings' log-mel frames of 10 ms."""
    a, b = (r.mel[0].T[:r.length // 10].double().numpy() for r in (base, source))
    distance = numpy.sqrt(((a[:, None] - b[None]) ** 2).mean(-1))
    total = numpy.full((len(a) + 1, len(b) + 1), numpy.inf)
    total[0, 0] = 0
    for i, j in numpy.ndindex(distance.shape):
        total[i + 1, j + 1] = distance[i, j] + min(total[i, j], total[i, j + 1], total[i + 1, j])
    joined, (i, j) = [[] for _ in a], distance.shape
    while i:
        joined[i - 1].append(j - 1)
        i, j = min([(i - 1, j - 1), (i - 1, j), (i, j - 1)], key=lambda ij: total[ij])
    return [(10 * i, 10 * numpy.mean(js)) for i, js in enumerate(joined)]


def moved(anchors, moment):
    """The moment of the source for one of the base: evenly between anchors, beyond them as fast."""
    times, others = zip(*anchors)
    if moment < times[0]:
        return others[0] + moment - times[0]
    if moment >= times[-1]:
        return others[-1] + moment - times[-1]
    return numpy.interp(moment, times, others)


def donor(base, source, site, positions, anchors):
    """The source's rows for some positions of the base, [positions, width]."""
    x = source.x[site].double()
    if anchors is None:  # position for position
        return x[positions].float()
    heard, theirs = base.time(site), source.time(site)
    rows = []
    for position in positions:
        if position not in heard:  # text before the sound, and behind it from the end
            before = position < min(heard)
            rows.append(x[position if before else position - len(base.ids) + len(source.ids)])
            continue
        moment = moved(anchors, heard[position])
        place = numpy.interp(moment, list(theirs.values()), list(theirs))
        lower = int(place)
        upper = min(lower + 1, max(theirs))
        rows.append(x[lower] + (place - lower) * (x[upper] - x[lower]))
    return torch.stack(rows).float()


def text_grid(path, boundaries):
    """A TextGrid with an interval between each two boundaries, in ms."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "",
             f"xmin = {boundaries[0] / 1000}", f"xmax = {boundaries[-1] / 1000}",
             "tiers? <exists>", "size = 1", "item []:", "    item [1]:",
             '        class = "IntervalTier"', '        name = "phones"',
             f"        xmin = {boundaries[0] / 1000}", f"        xmax = {boundaries[-1] / 1000}",
             f"        intervals: size = {len(boundaries) - 1}"]
    for i, (start, end) in enumerate(zip(boundaries, boundaries[1:]), 1):
        lines += [f"        intervals [{i}]:", f"            xmin = {start / 1000}",
                  f"            xmax = {end / 1000}", f'            text = "s{i}"']
    path.write_text("\n".join(lines) + "\n")
    return path


def alignments(base, source, draw):
    """By name: the anchors, and what `tap` is told."""
    inner = [sorted(draw.uniform(0.1, 0.9) for _ in range(3)) for _ in range(2)]
    marks = [[0.0] + [round(share * run.duration, 1) for share in shares] + [run.duration]
             for run, shares in zip((base, source), inner)]
    grids = [text_grid(run.path.with_suffix(".TextGrid"), times)
             for run, times in zip((base, source), marks)]
    return {
        "identity": (None, []), "dtw": (warped(base, source), []),
        "linear": ([(0, 0), (base.length, source.length)], []),
        "segments": (list(zip(*marks)), ["--base-textgrid", *grids[:1], "--source-textgrid",
                                         *grids[1:]])}
