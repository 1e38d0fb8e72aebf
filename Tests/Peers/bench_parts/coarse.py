"""Maps from coarse to fine as `tap map --coarse` makes them, beside its own full map and PyTorch's."""

import json
import subprocess
from pathlib import Path

import time_maps
from bench_parts import workers
from bench_parts.jobs import PARTING, Question, fewer, one_phone_pair
from bench_parts.models import BUILD, MODELS
from bench_parts.table import judged, median, paired
from peer import ROOT

TOP = 20
# Where one phone differs, some nine of the strongest 20 cells move less than a hit does. Blocks that move less
# than half a hit are not split unless one asks for it, and those cells would stay inside.
STRONGEST = "--split-at", "0.02"


def words(folder, tokens):
    """Tokens as the texts that a list of pairs has."""
    names = json.loads((Path(folder) / "tokenizer.json").read_text())["model"]["vocab"]
    by_id = {i: name for name, i in names.items()}
    return [by_id[token].replace("\u0120", " ") for token in tokens]


def listed(tap, folder, pair, prompt, answers):
    """A list of one pair in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "pairs.csv"
    table.write_text("audio_clean,audio_corrupt,prompt,answer,foil\n" + ",".join(
        [pair["clean"], pair["corrupt"], prompt, *(f'"{text}"' for text in answers)]) + "\n")
    subprocess.run([tap, "pairs", "--table", table, "--out", folder / "pairs.json"], check=True,
                   stdout=subprocess.DEVNULL)
    return folder


def turns(options, folder, job, model, threads, rounds, split_at=(), full_once=False):
    """Seconds of the full map and of the coarse one, in turn, and what both found last. A full map that takes
    minutes may be made once, and its seconds stand in every pair."""
    # A shell between them: what a process starts with counts to its largest size, and this one has PyTorch.
    before = ["sh", "-c", '"$@" 2> /dev/null; exit $?', "sh", "taskset", "-c", workers.cores(threads)]
    found = {}
    pairs = []
    for _ in range(rounds):
        seconds = [pairs[0][0]] if pairs and full_once else []
        for name, more in (("full", ()), ("coarse", ("--coarse", *split_at)))[len(seconds):]:
            took, said, _ = time_maps.tap_job(
                str(options.tap), folder, job, model=model, before=before, more=more)
            seconds.append(took)
            found[name] = said, said["map_cost"]["peak_mebibytes"]
        pairs.append(seconds)
    return pairs, found


def strongest(said, count=TOP):
    """The cells that recover most, in size."""
    grid = said["sufficiency"]["recovery"]["logit-difference"]
    cells = [(abs(value), row, column) for row, line in enumerate(grid)
             for column, value in enumerate(line) if value is not None]
    return {(row, column) for _, row, column in sorted(cells, reverse=True)[:count]}


def long_sound(key, options, table, threads, seconds=10.0, width=80):
    """The row of ten seconds in which one phone differs: both goals of the coarse map."""
    title, folders = MODELS[key]
    folders = folders(options)
    q = Question(folders, one_phone_pair(seconds), threads, PARTING)
    job = {**q.job(q.residual(), width, 4), "text": 4, "families": ["residual"]}
    if q.sizes.is_whisper:
        # What both answers begin with is forced; a prompt would be the text before the recording.
        prompt, answers = "", [" ".join(["", *PARTING[0], word]) for word in PARTING[1]]
    else:
        prompt, answers = "w10 w11", words(folders[0], [job["answer"], job["foil"]])
    folder = listed(options.tap, BUILD / f"coarse-{key}", job, prompt, answers)
    pairs, found = turns(
        options, folder, job, folders[0], threads, options.rounds, STRONGEST, full_once=True)
    (full, full_mib), (coarse, mib) = found["full"], found["coarse"]
    own = [seconds for _, seconds in pairs]
    saved = coarse["coarse"]["sufficiency"]
    cells = saved["cells"]
    patched = saved["patched"] + saved["blocks"]
    shared = len(strongest(full) & strongest(coarse))
    work = f"{title}: coarse to fine, {seconds:g} s by {width} ms"
    ratio, least, most = paired(own, [seconds for seconds, _ in pairs])
    lines = [{"work": work, "threads": threads, "program": "its own full map", "cells": cells,
              "seconds": median([a for a, _ in pairs]), "ratio": ratio, "least": least, "most": most,
              "MiB": full_mib, "off": values_off(full, coarse), "note": "made once",
              "repetitions": {"package": own, "program": [a for a, _ in pairs]}}]
    notes = [judged("times fewer cells", cells / patched, 5),
             judged(f"of the strongest {TOP}", float(shared), 19.0)]
    best = pytorch(job, full, cells, own, options, threads, work)
    lines += best
    torch = min((line for line in best if "ratio" in line), key=lambda line: line["seconds"],
                default=None)
    if torch:
        notes.append(judged("ratio to PyTorch", torch["ratio"], 8))
        notes.append(judged("MiB", mib, torch["MiB"], at_most=True))
    table.add(work=work, threads=threads, program="this package", cells=patched,
              seconds=median(own), ratio=1.0, MiB=mib, note="; ".join(notes),
              repetitions={"package": own})
    for line in lines:
        table.add(**line)


def values_off(full, coarse):
    """The largest difference of a cell that both have patched."""
    grids = [said["sufficiency"]["logit_difference_by_pair"][0] for said in (full, coarse)]
    return max(abs(a - b) for rows in zip(*grids) for a, b in zip(*rows)
               if a is not None and b is not None)


def pytorch(job, full, cells, own, options, threads, work):
    """All cells in PyTorch, from every tenth window."""
    some = fewer(job, 10)
    lines = []
    for reuse in False, True:
        name = "PyTorch, cells batched" + (", encoder reused" if reuse else "")
        line = {"work": work, "threads": threads, "program": name}
        try:
            worker = workers.Worker(name, workers.pytorch(some, "map", "batched", reuse), threads)
            theirs = [worker.go() for _ in range(options.rounds)]
            said = worker.end()
        except workers.Cannot as reason:
            lines.append({**line, "note": f"cannot: {reason}"})
            continue
        count = len(said["last"])
        scaled = [cells / count * seconds for seconds in theirs]
        ratio, least, most = paired(own, scaled)
        lines.append({
            **line, "cells": count, "seconds": median(scaled), "ratio": ratio, "least": least,
            "most": most, "MiB": said["peak_mebibytes"], "off": off_of(full, said),
            "note": f"scaled from {count} of {cells} cells",
            "repetitions": {"package": own, "program": scaled}})
    return lines


def off_of(full, said):
    (values,) = full["sufficiency"]["logit_difference_by_pair"]
    places = {f"{row}@{column}": values[i][j] for i, row in enumerate(full["rows"])
              for j, column in enumerate(full["columns"])}
    return max(abs(places[name] - value) for name, value in said["last"])


def suite(options, table, threads, count=6):
    """Recordings of the suite: never slower than the full map."""
    title, folders = MODELS["small"]
    model = folders(options)[0]
    manifest = json.loads((ROOT / "data-manifests" / "evaluation.json").read_text())
    spoken = {u["id"]: u for u in manifest["utterances"]}
    chosen = [p for p in manifest["pairs"] if p["alignment"] == "identity"]
    chosen = sorted(chosen, key=lambda p: spoken[p["clean"]]["samples"])
    chosen = [chosen[i * (len(chosen) - 1) // (count - 1)] for i in range(count)]
    worst = None
    for pair in chosen:
        files = {name: str(ROOT / spoken[pair[name]]["file"]) for name in ("clean", "corrupt")}
        folder = listed(options.tap, BUILD / "coarse-suite" / pair["id"], files, pair["prompt"],
                        pair["answers"])
        job = {"width": 80, "text": 4, "families": ["residual"]}
        pairs, found = turns(options, folder, job, model, threads, options.rounds)
        ratio = paired([a for a, _ in pairs], [b for _, b in pairs])
        seconds = spoken[pair["clean"]]["samples"] / time_maps.RATE
        table.add(work=f"{title}: coarse to fine, {seconds:.1f} s of the suite", threads=threads,
                  program="coarse over full", seconds=median([b for _, b in pairs]), ratio=ratio[0],
                  least=ratio[1], most=ratio[2], MiB=found["coarse"][1],
                  off=values_off(found["full"][0], found["coarse"][0]), note=pair["id"],
                  repetitions={"full": [a for a, _ in pairs], "coarse": [b for _, b in pairs]})
        worst = max(worst or 0, ratio[0])
    table.add(work=f"{title}: coarse to fine, recordings of the suite", threads=threads,
              program="coarse over full", ratio=worst,
              note=judged("slowest over the full map", worst, 1.05, at_most=True)
              + "; 5 per cent are allowed for noise")
