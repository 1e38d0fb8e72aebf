"""Repeats Figure 6 in `transformers` for the small Qwen2-Audio: what it writes in noise, and with the neurons
that the causal map names taken from the recording without noise, or set to zero.

    .build/release/reproduce mixtures --split test --ratio 0
    venv/bin/python Tests/Peers/compare_noise.py

Reads figures/figure6-recordings.tsv, figure6-neurons.tsv and figure6.tsv. Exit status 1 where a text differs.
"""

import argparse
import csv
from pathlib import Path

import torch

from peer import Peer, ROOT, SameTexts, read_json, stop

NAME = "qwen2-audio-small"
PATCHED = "TAP: neurons, patch oracle"


def table(name):
    path = ROOT / "figures" / name
    if not path.is_file():
        stop(f"{path}: no such file; make it with: make figure6")
    return [row for row in csv.DictReader(path.open(), delimiter="\t", quoting=csv.QUOTE_NONE)
            if row["model"] == NAME]


class Neurons:
    """The encoder's MLP activations, kept from one run or put into another."""

    def __init__(self, peer, chosen):
        self.tower = peer.model.model.audio_tower
        self.chosen = chosen
        self.kept = {}
        self.source = None

    def __enter__(self):
        def before(layer):
            def change(module, arguments):
                x, = arguments
                if self.source is None:
                    self.kept[layer] = x
                    return None
                x = x.clone()
                own = self.chosen[layer]
                x[..., own] = self.source[layer][..., own]
                return (x,)
            return change
        # What fc2 takes is what the activation function gives.
        self.hooks = [layer.fc2.register_forward_pre_hook(before(i))
                      for i, layer in enumerate(self.tower.layers)]
        return self

    def __exit__(self, *_):
        for hook in self.hooks:
            hook.remove()


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sounds", type=Path, default=ROOT / "build/noise", help="what reproduce mixtures wrote")
    parser.add_argument("--limit", type=int, default=50)
    options = parser.parse_args()
    manifest = read_json(ROOT / "data-manifests/noise.json")
    clean = {p["id"]: p["clean"] for p in manifest["pairs"]}
    files = {u["id"]: u["file"] for u in manifest["utterances"]}
    strength = {row["intervention"]: row["strength"] for row in table("figure6.tsv")}[PATCHED]
    neurons = table("figure6-neurons.tsv")
    count = int(len(neurons) * float(strength) / 100)
    peer = Peer(ROOT / "artifacts" / NAME)
    layers = len(peer.model.model.audio_tower.layers)
    chosen = [[int(n["neuron"]) for n in neurons[:count] if int(n["layer"]) == i] for i in range(layers)]
    rows = [row for row in table("figure6-recordings.tsv")
            if (options.sounds / f"{row['recording']}.flac").is_file()]
    rows = rows[::max(len(rows) // options.limit, 1)][:options.limit]
    if not rows:
        stop(f"{options.sounds}: no recordings; write them with: .build/release/reproduce mixtures --split test")
    ends = peer.model.generation_config.eos_token_id

    def text(path):
        _, mel, mask = peer.hear(path)
        ids = peer.ask(mask, "transcribe:")
        tokens = torch.tensor([ids])
        out = peer.model.generate(
            input_ids=tokens, attention_mask=torch.ones_like(tokens), input_features=mel,
            feature_attention_mask=mask, do_sample=False, max_new_tokens=16)[0, len(ids):].tolist()
        return peer.tokenizer.decode(out[:out.index(ends)] if ends in out else out).strip()

    texts = SameTexts()
    for row in rows:
        noisy = options.sounds / f"{row['recording']}.flac"
        with Neurons(peer, chosen) as neurons:
            text(ROOT / files[clean[row["recording"]]])
            source, neurons.kept = neurons.kept, {}
            plain = text(noisy)
            neurons.source = source
            patched = text(noisy)
        texts.add(row, {"nothing": plain, PATCHED: patched})
    print(f"{count} neurons")
    texts.conclude()


if __name__ == "__main__":
    main()
