"""Repeats `tap patch` with PyTorch hooks, on recordings that neither training nor the suite has.

    venv/bin/python Tests/Peers/compare_tap_patch.py            # needs .build/release/tap, espeak-ng

The recordings are made here from a seed: sentences of the suite's frame that espeak-ng speaks at
rates of its own, and recordings of the evaluation set that begin later, behind noise. Base and
source of a pair differ in length. Of every site of every layer, but resid_mid and attn.pattern, which
no module has as its input or output, one cell is drawn: a head or a neuron where there are, a window of time, of positions or of text, an alignment, and now
and then a share of the way or a second site. `tap` patches it on the files alone; here the same is
done in `transformers` by what a site, a window and an alignment are defined to be, without the
package. One pair has answers of several tokens, which share their first. Base, source and patched
logit difference, and the log-probability of whole answers, must agree within the tolerance, and the
positions must be the same. Exit status 1 otherwise.
"""

import argparse
import itertools
import json
import math
import random
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers.models.qwen2 import modeling_qwen2

from joining import alignments, donor, drawn_window
from patching import Run, sites, tapped
from peer import ROOT, Peer, add_options, read_json, stop
from unseen import RATE, made_pairs


# What a site is in the modules of `transformers`.

def modules(model):
    """The module of each site, and whether the site is its output."""
    tower, lm = model.model.audio_tower, model.model.language_model
    found = dict(sites(model))
    for i, layer in enumerate(tower.layers):
        attention = layer.self_attn
        found |= {f"encoder.{i}.{name}": place for name, place in {
            "resid_pre": (layer, False), "attn.q": (attention.q_proj, True),
            "attn.k": (attention.k_proj, True), "attn.v": (attention.v_proj, True),
            "attn.z": (attention.out_proj, False), "attn.out": (attention.out_proj, True),
            "mlp.pre": (layer.fc1, True), "mlp.post": (layer.fc2, False),
            "mlp.out": (layer.fc2, True)}.items()}
    for i, layer in enumerate(lm.layers):
        attention, mlp = layer.self_attn, layer.mlp
        found |= {f"lm.{i}.{name}": place for name, place in {
            "resid_pre": (layer, False), "attn.q": (attention.q_proj, True),
            "attn.k": (attention.k_proj, True), "attn.v": (attention.v_proj, True),
            "attn.z": (attention.o_proj, False), "attn.out": (attention.o_proj, True),
            "mlp.gate": (mlp.gate_proj, True), "mlp.pre": (mlp.up_proj, True),
            "mlp.post": (mlp.down_proj, False), "mlp.out": (mlp.down_proj, True)}.items()}
    return found | {
        "encoder.final": (tower.layer_norm, True), "lm.embed": (lm.layers[0], False),
        "lm.final": (lm.norm, True)}


def turned_sites(model):
    """Queries and keys as they are compared, which are no module's output."""
    return [f"lm.{i}.attn.rot_{x}" for i in range(len(model.model.language_model.layers))
            for x in "qk"]


@contextmanager
def turning(change):
    """While open, `change(site, x)` sees queries and keys behind their rotation, as in `tapped`."""
    original, layers = modeling_qwen2.apply_rotary_pos_emb, itertools.count()

    def turn(*arguments, **options):
        layer = next(layers)

        def seen(letter, x):  # [batch, heads, positions, width]
            new = change(f"lm.{layer}.attn.rot_{letter}", x.transpose(1, 2).flatten(2))
            return x if new is None else new.unflatten(2, (x.shape[1], -1)).transpose(1, 2)

        return tuple(seen(*pair) for pair in zip("qk", original(*arguments, **options)))

    modeling_qwen2.apply_rotary_pos_emb = turn
    try:
        yield
    finally:
        modeling_qwen2.apply_rotary_pos_emb = original


def parts(model, site):
    """How many heads or neurons a site is made of; 1 where it is one vector."""
    sound, text = model.config.audio_config, model.config.text_config
    name = site.split(".")[-1]
    if site.endswith("mlp.post"):
        return sound.encoder_ffn_dim if site[:2] == "en" else text.intermediate_size
    if ".attn." not in site or name == "out":
        return 1
    if site[:2] == "en":
        return sound.encoder_attention_heads
    return text.num_key_value_heads if name in ("k", "rot_k", "v") else text.num_attention_heads


class Asked(Run):
    """A recording with its question and two answers, and all its activations."""

    def __init__(self, peer, path, prompt, answers):
        sound, self.mel, self.mask = peer.hear(path)
        self.peer, self.path, self.ids = peer, path, peer.ask(self.mask, prompt)
        self.answers = [peer.tokenizer(a).input_ids for a in answers]
        self.shared = next(i for i, (a, b) in enumerate(zip(*self.answers)) if a != b)
        self.length = 10 * int(self.mask.sum())  # in ms
        self.duration = 1000 * len(sound) / RATE
        self.x = {}

        def keep(site, x):
            self.x[site] = x[0].clone()

        self.outcome = self.measured(keep)

    @torch.no_grad()
    def measured(self, change):
        """The logit difference where the answers first differ, and the difference of the mean
        log-probabilities of their tokens, each answer in a run of its own."""
        found, runs = [], {}
        for answer in self.answers:
            ids = self.ids + answer[:-1]
            if tuple(ids) not in runs:
                with tapped(modules(self.peer.model), change), turning(change):
                    z = self.peer.model(
                        input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)),
                        use_cache=False, input_features=self.mel,
                        feature_attention_mask=self.mask).logits[0].double()
                runs[tuple(ids)] = z[len(self.ids) - 1:].log_softmax(-1)
            p = runs[tuple(ids)]
            found.append((p, sum(p[i, token] for i, token in enumerate(answer)) / len(answer)))
        decisive = found[0][0][self.shared]
        a, b = (answer[self.shared] for answer in self.answers)
        return {"logit-difference": (decisive[a] - decisive[b]).item(),
                "sequence": (found[0][1] - found[1][1]).item()}

    def time(self, site):
        """Positions of a site that stand for sound, with their centres in ms."""
        return self.centres("connector.out" if site == "encoder.final" else site)

    def text(self, site):
        """Positions of a site that stand for text."""
        heard = self.time(site)
        return [i for i in range(len(self.ids)) if i not in heard] if site[:2] == "lm" else []


# The comparison.

def larger(one, other):
    """The larger of two differences with their names; one that is no number is the largest."""
    return max(one, other, key=lambda found: (math.isnan(found[0]), found[0]))


class Cell:
    """A site or a part of it in a window, and what is put there."""

    def __init__(self, base, source, site, anchors, draw, several):
        model = base.peer.model
        count, width = parts(model, site), base.x[site].shape[1]
        index = draw.randrange(count) if count > 1 and draw.random() < 0.8 else None
        size = width // count
        self.columns = slice(None) if index is None else slice(index * size, (index + 1) * size)
        self.positions = []
        while not self.positions or (anchors is None and not self.has_equals(source)):
            window, self.positions = drawn_window(base, site, draw, several)
            self.site = site
        self.name = site + ("" if index is None else f"[{index}]") + f"@{window}"
        self.rows = donor(base, source, site, self.positions, anchors)[:, self.columns]

    def has_equals(self, source):
        count = len(source.time(self.site)) + len(source.text(self.site))
        return self.positions and max(self.positions) < count

    def put(self, x, alpha):
        """The activation [1, positions, width] with the rows in place, or a share of the way."""
        x = x.clone()
        own = x[0, self.positions, self.columns]
        x[0, self.positions, self.columns] = own + alpha * (self.rows - own)
        return x


def said(options, base, source, prompt, answers, cells, alignment, more, alpha):
    """What `tap patch` answers."""
    command = [options.tap, "patch", "--model", options.model, "--base", base.path, "--source",
               source.path, "--prompt", prompt, "--answer", answers[0], "--foil", answers[1],
               "--alignment", alignment, "--alpha", str(alpha), "--json", *more]
    for cell in cells:
        command += ["--site", cell.name]
    try:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    except FileNotFoundError:
        stop(f"{options.tap}: no such file; build it with: swift build -c release --product tap")
    if done.returncode:
        stop(f"{' '.join(map(str, command))}: {done.stderr}")
    return json.loads(done.stdout)


def compare(peer, options, folder, pair, draw):
    """The differences of all cells of a pair, by what is compared, with the worst cell's name."""
    base_path, source_path, prompt, *answers = pair
    base, source = (Asked(peer, p, prompt, answers) for p in (base_path, source_path))
    if base.length == source.length:
        stop(f"{base_path.name} and {source_path.name} are equally long; take another --seed")
    several = max(map(len, base.answers)) > 1
    joins = alignments(base, source, draw)
    worst, count = {}, 0
    everywhere = [*modules(peer.model), *turned_sites(peer.model)]
    chosen = everywhere if options.sites is None else draw.sample(everywhere, options.sites)
    for site in chosen:
        alignment = draw.choice(list(joins))
        anchors, more = joins[alignment]
        cells = [Cell(base, source, site, anchors, draw, several)]
        if draw.random() < 0.15:
            other = draw.choice([s for s in everywhere if s != site])
            cells.append(Cell(base, source, other, anchors, draw, several))
        alpha = 0.5 if draw.random() < 0.15 else 1

        def change(site, x):
            for cell in cells:
                if cell.site == site:
                    return cell.put(x, alpha)

        there = said(options, base, source, prompt, answers, cells, alignment, more, alpha)
        name = f"{' + '.join(c.name for c in cells)} by {alignment}, alpha {alpha}"
        if there["positions"] != [c.positions for c in cells]:
            stop(f"{name}: {[c.positions for c in cells]} here, {there['positions']} there")
        here = {"base": base.outcome, "source": source.outcome, "patched": base.measured(change)}
        for run, key in [("base", "base_run"), ("source", "source_run"), ("patched", "patched")]:
            for metric, value in here[run].items():
                found = (abs(value - there[key][metric]), name)
                worst[run, metric] = larger(found, worst.get((run, metric), found))
        changed = abs(there["effect"]) > 10 * options.tolerance
        count += changed
    print(f"{base_path.stem} <- {source_path.stem}, {base.length} and {source.length} ms: "
          f"{len(chosen)} patches, {count} that change the logit difference by more than "
          f"{10 * options.tolerance:g}", flush=True)
    return len(chosen), count, worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_options(parser)
    parser.set_defaults(tolerance=1e-4)
    parser.add_argument("--tap", type=Path, default=ROOT / ".build/release/tap")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sites", type=int, help="only so many sites of a pair, drawn")
    options = parser.parse_args()
    started = time.monotonic()
    manifest, peer, draw = read_json(options.manifest), Peer(options.model), random.Random(
        options.seed)
    patches, moved_by, worst = 0, 0, {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for pair in made_pairs(folder, manifest, options.root, draw):
            count, changed, found = compare(peer, options, folder, pair, draw)
            patches, moved_by = patches + count, moved_by + changed
            for key, value in found.items():
                worst[key] = larger(value, worst.get(key, value))
    print(f"{patches} patches, {moved_by} of them with an effect, "
          f"{time.monotonic() - started:.0f} s")
    for (run, metric), (difference, name) in worst.items():
        place = f" at {name}" if run == "patched" else ""
        print(f"{metric} of {run}: worst difference {difference:.2e} nats{place}")
    passed = 2 * moved_by > patches and all(
        difference < options.tolerance for difference, _ in worst.values())
    print("passed" if passed else "FAILED")
    raise SystemExit(0 if passed else 1)


if __name__ == "__main__":
    main()
