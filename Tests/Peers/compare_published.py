"""Repeats a published Whisper in `transformers`: logits, greedy text, and patched cells.

    venv/bin/python Tests/Peers/compare_published.py build/models/whisper-base
    venv/bin/python Tests/Peers/compare_published.py build/models/whisper-tiny.en --limit 40

Needs .build/release/tap and reproduce, and a folder that `make published` took out of packages
(model.bin). The weights are read from the bytes of the file by ctranslate2.py, without the package, and
must have the canonical digest that the manifest states. Recordings: the suite's sentences by all its
voices in turn, people's digits where TAP_DATA names them, and sounds that are not speech, made here
from a seed. The package writes its tokens and logits of all of them in one process
(`reproduce outputs --recordings`); here `transformers` says the same recordings with its own greedy
search under the published suppression. Then `tap map` patches cells of phoneme pairs (encoder, decoder,
keys, values and heads of cross-attention) whose answers are words in a transcript with a forced
beginning, and PyTorch hooks do the same. Exit status 1 where logits differ by more than --tolerance,
a text differs, or a cell differs by more than --cells nats.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy
import soundfile
import torch
from scipy.signal import resample_poly
from tokenizers import Tokenizer
from transformers import WhisperFeatureExtractor
from transformers.generation import GenerationMixin

import time_maps
from ctranslate2 import whisper
from peer import ROOT, read_json, stop
from unseen import RATE, written

BUILD = ROOT / "build" / "compare-published"


# The recordings.

def not_speech(count):
    """Noise of three colours, hum, tones, clicks, and nearly nothing, of 1 to 10 s."""
    draw = numpy.random.default_rng(7)
    for i in range(count):
        length = int(RATE * draw.uniform(1, 10))
        t = numpy.arange(length) / RATE
        white = draw.standard_normal(length)
        spectrum = numpy.fft.rfft(white) / numpy.maximum(numpy.arange(length // 2 + 1), 1) ** 0.5
        kind, sound = [
            ("white", 0.05 * white),
            ("pink", 4 * numpy.fft.irfft(spectrum, length)),
            ("brown", 0.002 * numpy.cumsum(white - white.mean())),
            ("hum", sum(0.1 / k * numpy.sin(100 * numpy.pi * k * t) for k in (1, 2, 3))),
            ("tone", 0.2 * numpy.sin(2 * numpy.pi * draw.uniform(200, 2000) * t)),
            ("clicks", 0.5 * (draw.random(length) < 4 / RATE)),
            ("silence", white / 32768)][i % 7]
        yield written(BUILD, f"{kind}-{i}", sound)


def people(count):
    """Recordings of digits by people, at the rate of the models."""
    folder = Path(os.environ.get("TAP_DATA", ROOT / "build" / "data"))
    files = sorted(folder.glob("**/*_0.wav"))
    if not files:
        print("people's digits: left out, TAP_DATA names none")
    for path in files[::max(1, len(files) // count)][:count] if files else []:
        sound, rate = soundfile.read(path)
        common = numpy.gcd(RATE, rate)
        yield written(BUILD, path.stem, resample_poly(sound, RATE // common, rate // common))


def recordings(limit):
    """Of every five, three of the suite, one of people and one that is no speech."""
    manifest = read_json(ROOT / "data-manifests" / "evaluation.json")
    voices = {}
    for utterance in manifest["utterances"]:
        voices.setdefault(utterance["id"].split("-")[0], []).append(ROOT / utterance["file"])
    # One of each voice in turn, from all over its sentences.
    suite = [files[i * 37 % len(files)] for i in range(100) for files in voices.values()]
    suite = iter(dict.fromkeys(suite))
    others = [iter(list(people(limit // 5 + 1))), iter(list(not_speech(limit // 5 + 1)))]
    chosen = []
    while len(chosen) < limit:
        sources = [suite, suite, suite, *others]
        chosen += [path for path in (next(source, None) for source in sources) if path]
    return chosen[:limit]


# The same in `transformers`.

def repaired(path):
    """The tokenizer of a file that may lack its first merge, " t": " the" is one token of the model's."""
    data = json.loads(path.read_text())
    merges = [tuple(m.split(" ") if isinstance(m, str) else m) for m in data["model"]["merges"]]
    if ("\u0120", "t") not in merges and any("\u0120t" in merge for merge in merges):
        merges.insert(0, ("\u0120", "t"))
    data["model"]["merges"] = merges
    return Tokenizer.from_str(json.dumps(data))


class Published:
    def __init__(self, folder):
        torch.set_num_threads(2)
        self.model, self.digest, self.never, self.never_first = whisper(folder)
        self.front = WhisperFeatureExtractor(feature_size=self.model.config.num_mel_bins)
        self.tokenizer = repaired(folder / "tokenizer.json")
        special = ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"]
        if folder.name.endswith(".en"):  # trained without language and task
            special = [special[0], special[3]]
        self.prompt = [self.tokenizer.token_to_id(name) for name in special]
        self.end = self.tokenizer.token_to_id("<|endoftext|>")

    def mel(self, path):
        sound, rate = soundfile.read(path, dtype="float32")
        assert rate == RATE and sound.ndim == 1, path
        return self.front(sound, sampling_rate=rate, return_tensors="pt").input_features

    def logits(self, mel):
        ids = torch.tensor([self.prompt])
        return self.model(input_features=mel, decoder_input_ids=ids, use_cache=False).logits[0, -1]

    def says(self, mel, limit):
        out = GenerationMixin.generate(
            self.model, mel, decoder_input_ids=torch.tensor([self.prompt]), do_sample=False,
            num_beams=1, max_new_tokens=limit, suppress_tokens=self.never,
            begin_suppress_tokens=self.never_first, eos_token_id=self.end, pad_token_id=self.end)
        said = out[0, len(self.prompt):].tolist()
        return said[:said.index(self.end)] if self.end in said else said


def compare_outputs(folder, peer, options):
    chosen = recordings(options.limit)
    (BUILD / "list.txt").write_text("".join(f"{path}\n" for path in chosen))
    out = BUILD / f"{folder.name}.json"
    subprocess.run(
        [options.reproduce, "outputs", "--model", folder, "--recordings", BUILD / "list.txt",
         "--logits", str(options.logits), "--limit", str(options.tokens), "--out", out], check=True)
    rows = json.loads(out.read_text())
    worst, different = 0.0, 0
    for row, path in zip(rows, chosen, strict=True):
        assert row["prompt"] == peer.prompt, (row["prompt"], peer.prompt)
        mel = peer.mel(path)
        if "logits" in row:
            own = torch.tensor(row["logits"])
            worst = max(worst, (own - peer.logits(mel)).abs().max().item())
        said = peer.says(mel, options.tokens)
        if said != row["tokens"]:
            different += 1
            texts = [peer.tokenizer.decode(tokens) for tokens in (row["tokens"], said)]
            print(f"  {path.name}: {texts[0]!r}, transformers {texts[1]!r}")
    given = sum("logits" in row for row in rows)
    empty = sum(not row["tokens"] for row in rows)
    print(f"{folder.name}: logits of {given} recordings within {worst:.1e}; "
          f"text of {len(rows) - different} of {len(rows)} equal ({empty} of them empty)", flush=True)
    return given > 0 and worst <= options.tolerance and not different


# Patched cells.

class Hooked(time_maps.Hooked):
    """The published model with both recordings of a pair."""

    def __init__(self, peer, pair, prompt):
        torch.set_grad_enabled(False)
        self.torch, self.is_whisper, self.model = torch, True, peer.model
        self.ids, self.kept = prompt, {}
        self.mel = {name: peer.mel(pair[name]) for name in ("clean", "corrupt")}
        self.modules = self.places()


def chosen_pairs(manifest, count=None):
    """So many pairs of all voices in turn, or all."""
    voices = {}
    for pair in manifest["pairs"]:
        voices.setdefault(pair["voice"], []).append(pair)
    longest = max(map(len, voices.values()))
    turns = [pairs[i * 7 % len(pairs)] for i in range(longest) for pairs in voices.values()]
    return turns[:count]


def compare_cells(folder, peer, options):
    manifest = read_json(ROOT / "data-manifests" / "evaluation.json")
    spoken = {u["id"]: u for u in manifest["utterances"]}
    deep = peer.model.config.decoder_layers
    sites = [f"encoder.{i}.resid_post" for i in (0, deep - 2)] + [
        "decoder.1.resid_post", "decoder.1.cross.k", f"decoder.{deep - 2}.cross.v",
        f"decoder.{deep - 1}.cross.z"]
    work = BUILD / "cells"
    work.mkdir(exist_ok=True)
    cells, worst, done, entered, moved = 0, 0.0, 0, 0, 0
    for pair in chosen_pairs(manifest):
        if done == options.pairs:
            break
        texts = []
        for name in "clean", "corrupt":
            said = dict(spoken[pair[name]]["questions"])["transcribe:"].split()
            words = " ".join(said[:pair["changedWord"] + 1])
            texts.append(" " + words[0].upper() + words[1:])
        tokens = [peer.tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        shared = len(os.path.commonprefix(tokens))
        files = {name: ROOT / spoken[pair[name]]["file"] for name in ("clean", "corrupt")}
        hooked = Hooked(peer, files, peer.prompt + tokens[0][:shared])
        answer, foil = tokens[0][shared], tokens[1][shared]
        clean, corrupt = ((z[answer] - z[foil]).item() for z in (
            hooked.trace(name)[0] for name in ("clean", "corrupt")))
        if clean <= 0 or corrupt >= 0:
            print(f"  {pair['id']}: not answered on both sides, left out", flush=True)
            continue
        done += 1
        table = work / "pairs.csv"
        table.write_text("audio_clean,audio_corrupt,prompt,answer,foil\n" + ",".join(
            [str(files["clean"]), str(files["corrupt"]), "", *(f'"{text}"' for text in texts)]) + "\n")
        subprocess.run([options.tap, "pairs", "--table", table, "--out", work / "pairs.json"],
                       check=True, stdout=subprocess.DEVNULL)
        length = 1000 * soundfile.info(files["corrupt"]).frames / RATE
        windows = [("time", start, start + 240.0)
                   for start in numpy.arange(0, length, 240.0).tolist()]
        windows += [("text", i - 4) for i in range(4)]
        job = {"width": 240, "text": 4, "families": sites, "windows": windows}
        _, found, _ = time_maps.tap_job(str(options.tap), work, job, model=folder)
        values = {}
        for stage, reuse in ("encoder", False), ("decoder", True):
            values |= hooked.map(
                [site for site in sites if site.startswith(stage)], windows,
                time_maps.positions_of(hooked), answer, foil, batched=True, reuse=reuse)
        off = time_maps.agreement(found, values, job)
        cells, worst = cells + len(values), max(worst, off)
        entered += clean > 1 and corrupt < -1
        moved += sum(abs(value - corrupt) > 0.1 for value in values.values())
        print(f"  {pair['id']}: {texts[0]!r} or {texts[1].split()[-1]!r}: clean {clean:+.2f}, corrupt "
              f"{corrupt:+.2f}; {len(values)} cells within {off:.1e} nats", flush=True)
    print(f"{folder.name}: {cells} cells of {done} pairs within {worst:.1e} nats; {moved} cells "
          f"move the answer by more than 0.1; {entered} pairs are right on both sides by 1 nat")
    return cells > 0 and worst <= options.cells


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="+")
    parser.add_argument("--tap", type=Path, default=ROOT / ".build/release/tap")
    parser.add_argument("--reproduce", type=Path, default=ROOT / ".build/release/reproduce")
    parser.add_argument("--limit", type=int, default=200, help="recordings that are said")
    parser.add_argument("--logits", type=int, default=50, help="of how many logits are compared")
    parser.add_argument("--tokens", type=int, default=48, help="the most tokens of a recording")
    parser.add_argument("--pairs", type=int, default=10, help="pairs whose cells are patched")
    parser.add_argument("--tolerance", type=float, default=1e-3)
    parser.add_argument("--cells", type=float, default=1e-4, help="nats")
    options = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    listed = {m["name"]: m for m in read_json(
        ROOT / "data-manifests" / "published-models.json")["models"]}
    good = True
    for folder in options.model:
        if not (folder / "model.bin").is_file():
            stop(f"{folder / 'model.bin'}: no such file; run make published")
        peer = Published(folder)
        expected = listed[folder.name]["official"]["canonical"]
        print(f"{folder.name}: canonical digest {peer.digest}"
              + ("" if peer.digest == expected else f", not {expected}"), flush=True)
        good &= peer.digest == expected
        if options.limit:
            good &= compare_outputs(folder, peer, options)
        if options.pairs:
            good &= compare_cells(folder, peer, options)
    sys.exit(not good)


if __name__ == "__main__":
    main()
