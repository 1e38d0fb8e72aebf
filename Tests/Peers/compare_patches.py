"""Repeats activation patching and gradient attribution with PyTorch hooks on the stored checkpoint.

    venv/bin/python Tests/Peers/compare_patches.py --out peer.tsv              # measure
    venv/bin/python Tests/Peers/compare_patches.py --package package.tsv       # and compare

A table has a line for each cell and these columns:

    pair       as the manifest names it
    direction  sufficiency (the clean run is put into the corrupt one) or necessity (the reverse)
    kind       exact (logit difference of the patched run) or attribution (estimated change of it)
    site       encoder.embed, encoder.0.resid_post, connector.out, lm.0.resid_post, ...
    window     where it starts, in ms behind the onset of the changed phone: -80 is [-80, 0)
    value      in nats; the logit difference is logit[answer to clean] - logit[answer to corrupt]

A cell without a position in its window has no line. With --package the pairs are taken from that
table, values must agree within the tolerance, and both tables must have the same cells. Always,
putting all positions of the source run in at a site must give the source's logit difference. Exit
status 1 otherwise.
"""

import argparse
import csv
import functools
import math
import sys
import time
from pathlib import Path

import torch

from patching import Run, sites
from peer import Peer, add_options, read_json, stop

COLUMNS = ["pair", "direction", "kind", "site", "window", "value"]
EVERYTHING = "everything"


def windows_of(run, site, onset, options):
    """The positions of each window, by its name; windows without any are left out."""
    windows = {}
    for k in range(options.first, options.last + 1):
        start, end = onset + options.width * k, onset + options.width * (k + 1)
        inside = [p for p, centre in run.centres(site).items() if start <= centre < end]
        if inside:
            windows[f"{options.width * k:g}"] = inside
    return windows


def measure(peer, pair, utterances, options):
    """All cells of a pair; and by how much patching everything misses LD of the source."""
    answers = [peer.tokenizer(a).input_ids[0] for a in pair["answers"]]
    clean, corrupt = (
        Run(peer, options.root / utterances[pair[m]]["file"], pair["prompt"], *answers)
        for m in ["clean", "corrupt"])
    if clean.ids != corrupt.ids or not torch.equal(clean.mask, corrupt.mask):
        stop(f"pair {pair['id']}: the members differ in length")
    start = utterances[pair["clean"]]["phones"][pair["changedPhone"]][1]
    onset = 1000 * start / peer.extractor.sampling_rate
    values, errors = {}, []
    for direction, base, source in [
            ("sufficiency", corrupt, clean), ("necessity", clean, corrupt)]:
        for site in sites(peer.model):
            windows = windows_of(base, site, onset, options)
            exact = base.patched(site, source, windows | {EVERYTHING: base.everything(site)})
            errors.append(abs(exact.pop(EVERYTHING) - source.value))
            estimate = base.attributed(site, source, windows)
            for window in exact:
                values[pair["id"], direction, "exact", site, window] = exact[window]
                values[pair["id"], direction, "attribution", site, window] = estimate[window]
    return values, errors


def read_table(path):
    try:
        with open(path, newline="") as file:
            table = csv.DictReader(file, delimiter="\t")
            if table.fieldnames != COLUMNS:
                stop(f"{path}: the columns should be {', '.join(COLUMNS)}")
            return {(*(row[c] for c in COLUMNS[:4]), f"{float(row['window']):g}"):
                    float(row["value"]) for row in table}
    except FileNotFoundError:
        stop(f"{path}: no such file")
    except (ValueError, TypeError) as error:
        stop(f"{path}: {error}")


def compare(own, other, tolerance):
    """Prints the worst difference of each kind; says whether the tables agree."""
    passed = own.keys() == other.keys()
    for where, extra in [("here", own.keys() - other.keys()), ("there", other.keys() - own.keys())]:
        if extra:
            print(f"{len(extra)} cells only {where}, such as {' '.join(min(extra))}")
    for kind in ["exact", "attribution"]:
        differences = {
            k: abs(own[k] - other[k]) for k in own.keys() & other.keys() if k[2] == kind}
        if not differences:
            print(f"{kind}: no cells to compare")
            continue
        worst = max(differences, key=lambda k: (math.isnan(differences[k]), differences[k]))
        passed &= differences[worst] < tolerance
        print(
            f"{kind}: {len(differences)} cells, worst difference {differences[worst]:.2e} nats at "
            f"{' '.join(worst)} ({own[worst]:.6f} here, {other[worst]:.6f} there)")
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_options(parser)
    parser.add_argument("--package", type=Path, help="a table to compare with")
    parser.add_argument("--out", type=Path, help="where the table goes; else standard output")
    parser.add_argument("--pairs", type=int, default=12, help="how many pairs, evenly spread")
    parser.add_argument("--width", type=float, default=80, help="of a window, in ms")
    parser.add_argument("--first", type=int, default=-8, help="the first window")
    parser.add_argument("--last", type=int, default=9, help="the last window")
    options = parser.parse_args()
    started = time.monotonic()

    manifest = read_json(options.manifest)
    utterances = {u["id"]: u for u in manifest["utterances"]}
    there = read_table(options.package) if options.package else None
    pairs = manifest["pairs"]
    if there is not None:
        listed = {key[0] for key in there}
        pairs = [p for p in pairs if p["id"] in listed]
    if not pairs or options.pairs < 1:
        stop("no pairs to measure")
    count = min(options.pairs, len(pairs))
    pairs = [pairs[i * len(pairs) // count] for i in range(count)]

    peer, here, errors = Peer(options.model), {}, []
    for pair in pairs:
        values, misses = measure(peer, pair, utterances, options)
        here |= values
        errors += misses
    lines = ["\t".join(COLUMNS)] + ["\t".join([*k, repr(v)]) for k, v in here.items()]
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")
    elif there is None:
        print(*lines, sep="\n")

    # The summary goes to standard error where the table goes to standard output.
    say = functools.partial(print, file=sys.stdout if options.out or there else sys.stderr)
    say(f"{len(pairs)} pairs, {len(here)} cells, {time.monotonic() - started:.0f} s")
    error = torch.tensor(errors).max().item()  # NaN if any is
    say(f"everything patched: worst difference from the source's LD {error:.2e} nats")
    passed = error < options.tolerance
    if there is not None:
        measured = {p["id"] for p in pairs}
        there = {k: v for k, v in there.items() if k[0] in measured}
        passed &= compare(here, there, options.tolerance)
    say("passed" if passed else "FAILED")
    raise SystemExit(0 if passed else 1)


if __name__ == "__main__":
    main()
