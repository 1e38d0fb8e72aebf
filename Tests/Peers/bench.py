"""One table of ratios from one run: this package beside PyTorch with hooks, TransformerLens, nnsight and pyvene.

    make bench                                                   # installs what it needs, and runs all
    build/bench-venv/bin/python Tests/Peers/bench.py --only small --rounds 2

Log-mel, a forward pass, a search, exact maps, maps from coarse to fine and a step of training, of the small
checkpoint, of the published Whisper base, of 173 million random parameters and of qwen2-audio-published; on one
core and on two, float32, warm. What is compared is the same work: a job says token ids, sites and windows to
both sides, and the table states the largest difference of what came out. Repetitions alternate in pairs between
two processes that have everything open; a ratio is the median over pairs, of their seconds over the package's. A
program that would take minutes a repetition does every so many-th window, and says so. `ceiling` is the least
time by arithmetic (bench_parts/arithmetic.py) at the rate of `sgemm` between the repetitions, over the time it took.

Writes build/bench.tsv and build/bench.json, the latter with every repetition. Goals stand beside what they are of,
met or not.
"""

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import transformers

from bench_parts import coarse, growth, rows
from bench_parts.models import MODELS, Missing
from bench_parts.table import Table
from bench_parts.workers import Cannot
from peer import ROOT

PARTS = [*MODELS, "coarse", "growth"]


def model_rows(key, options, table, threads):
    for row in rows.rows(key, options, threads):
        if options.work and row.work not in options.work:
            continue
        rows.measure(row, options, table)


def part(name, options, table, threads):
    if name == "growth":
        growth.measure(options, table, threads)
    elif name == "coarse":
        coarse.suite(options, table, threads)
        for key in "whisper", "173":
            guarded(f"coarse {key}", table, threads,
                    lambda key=key: coarse.long_sound(key, options, table, threads))
    else:
        model_rows(name, options, table, threads)


def guarded(name, table, threads, body):
    """What cannot be measured is a line of the table, and the others go on."""
    try:
        body()
    except (Missing, Cannot) as reason:
        title = MODELS[name][0] if name in MODELS else name
        table.add(work=title, threads=threads, program="-", note=f"left out: {reason}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reproduce", type=Path, default=ROOT / ".build/release/reproduce")
    parser.add_argument("--tap", type=Path, default=ROOT / ".build/release/tap")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--work", nargs="+", help="of a model, these kinds of work alone",
                        choices=["log-mel", "forward", "search", "map", "step"])
    parser.add_argument("--rounds", type=int, default=5, help="pairs of repetitions")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--out", type=Path, default=ROOT / "build")
    options = parser.parse_args()
    for path in options.reproduce, options.tap:
        if not path.is_file():
            sys.exit(f"bench.py: {path}: no such file; make bench builds it")
    if options.rounds < 1:
        sys.exit("bench.py: --rounds should be above 0")
    transformers.logging.disable_progress_bar()
    began = time.monotonic()
    table = Table(options.out)
    for name in options.only:
        for threads in options.threads:
            # A core more changes no exponent, and a map from coarse to fine takes minutes.
            if name in ("coarse", "growth") and threads != max(options.threads):
                continue
            guarded(name, table, threads, lambda: part(name, options, table, threads))
    print(f"{table.goals()}; {(time.monotonic() - began) / 60:.0f} min; "
          f"{options.out / 'bench.tsv'}, {options.out / 'bench.json'}")


if __name__ == "__main__":
    main()
