"""Repeats Figure S11 in `transformers` for a published Whisper: what it writes in noise, and with neurons of the
encoder taken from the recording without noise over the sound, those that the causal map names and those that
SPIRIT's rule chooses here.

    .build/release/reproduce mixtures --split test --ratio 0
    venv/bin/python Tests/Peers/compare_noise_published.py

Reads figures/figureS11-recordings.tsv, figureS11-neurons.tsv and figureS11.tsv; the weights are read from the bytes
of `make published`'s file by ctranslate2.py. Exit status 1 where a text differs, or no patch changes one.
"""

import argparse
import csv
import math
from pathlib import Path

import soundfile
import torch
from transformers.generation import GenerationMixin

from compare_published import Published
from peer import ROOT, SameTexts, read_json, stop

TAP, SPIRIT = "TAP: neurons, patch oracle", "SPIRIT: neurons, patch oracle"
LIMIT = 32


def table(name, model):
    path = ROOT / "figures" / name
    if not path.is_file():
        stop(f"{path}: no such file; make it with: make figureS11")
    return [row for row in csv.DictReader(path.open(), delimiter="\t", quoting=csv.QUOTE_NONE)
            if row["model"] == model]


class Encoder:
    """The encoder's MLP activations, [positions, neurons] a layer, kept from one run or put into another."""

    def __init__(self, peer):
        self.peer = peer
        self.encoder = peer.model.get_encoder()

    def run(self, mel, sound=0, chosen=None, source=None):
        kept = {}

        def before(layer):
            def change(module, arguments):
                x, = arguments
                if chosen is None:
                    kept[layer] = x.reshape(-1, x.shape[-1])
                    return None
                own, x = chosen[layer], x.clone()
                x.view(-1, x.shape[-1])[:sound, own] = source[layer][:sound, own]
                return (x,)
            return change
        hooks = [layer.fc2.register_forward_pre_hook(before(i)) for i, layer in enumerate(self.encoder.layers)]
        out = self.encoder(mel)
        for hook in hooks:
            hook.remove()
        return out, kept

    def text(self, out):
        peer = self.peer
        said = GenerationMixin.generate(
            peer.model, encoder_outputs=out, decoder_input_ids=torch.tensor([peer.prompt]), do_sample=False,
            num_beams=1, max_new_tokens=LIMIT, suppress_tokens=peer.never, begin_suppress_tokens=peer.never_first,
            eos_token_id=peer.end, pad_token_id=peer.end)
        tokens = said[0, len(peer.prompt):].tolist()
        return peer.tokenizer.decode([t for t in tokens if t != peer.end], skip_special_tokens=True)


def by_layer(order, layers, width):
    return [[n % width for n in order if n // width == layer] for layer in range(layers)]


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=ROOT / "build/models/whisper-tiny.en")
    parser.add_argument("--sounds", type=Path, default=ROOT / "build/noise", help="what reproduce mixtures wrote")
    parser.add_argument("--limit", type=int, default=20)
    options = parser.parse_args()
    name = options.model.name
    manifest = read_json(ROOT / "data-manifests/noise.json")
    clean = {p["id"]: p["clean"] for p in manifest["pairs"]}
    files = {u["id"]: u["file"] for u in manifest["utterances"]}
    strengths = {row["intervention"]: row["strength"] for row in table("figureS11.tsv", name)}
    rows = [row for row in table("figureS11-recordings.tsv", name)
            if (options.sounds / f"{row['recording']}.flac").is_file()]
    if not rows:
        stop(f"{options.sounds}: no recordings; write them with: .build/release/reproduce mixtures --split test")
    rows = rows[::max(len(rows) // options.limit, 1)][:options.limit]
    peer = Published(options.model)
    encoder = Encoder(peer)
    neurons = table("figureS11-neurons.tsv", name)
    layers = len(encoder.encoder.layers)
    width = len(neurons) // layers
    named = [int(n["layer"]) * width + int(n["neuron"]) for n in neurons]
    arms = [arm for arm in (TAP, SPIRIT) if strengths.get(arm, "none") != "none"]

    texts = SameTexts()
    for row in rows:
        path = options.sounds / f"{row['recording']}.flac"
        noisy, quiet = peer.mel(path), peer.mel(ROOT / files[clean[row["recording"]]])
        frames = min(math.ceil(soundfile.info(path).frames / 160), noisy.shape[-1])
        sound = min(max((frames + 1) // 2, 1), 1500)
        out, heard = encoder.run(noisy)
        _, source = encoder.run(quiet)
        said = {"nothing": encoder.text(out)}
        for arm in arms:
            count = int(layers * width * float(strengths[arm]) / 100)
            order = named[:count]
            if arm == SPIRIT:
                apart = torch.cat([(heard[i][:sound].double().sum(0) - source[i][:sound].double().sum(0)).abs()
                                   for i in range(layers)])
                order = torch.argsort(apart, descending=True, stable=True)[:count].tolist()
            patched, _ = encoder.run(noisy, sound, by_layer(order, layers, width), source)
            said[arm] = encoder.text(patched)
        texts.add(row, said)
    texts.conclude()


if __name__ == "__main__":
    main()
