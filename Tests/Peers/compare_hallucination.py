"""Repeats Figure 5's readings of a published Whisper in `transformers`: what it writes where nobody speaks and
where somebody does, how probable it holds that nobody does, and on which side of the gate a recording lies.

    .build/release/reproduce sounds --out build/sounds
    venv/bin/python Tests/Peers/compare_hallucination.py

The weights are read from the bytes of `make published`'s file by ctranslate2.py. The direction of the gate is
estimated here from the recordings of the discovery split, as figures/figure5-recordings.tsv's was by the
package. Exit status 1 where a text or a side differs, a probability by more than 1e-3, or a place by more.
"""

import argparse
import csv
import math
import time
from pathlib import Path

import numpy
import soundfile
import torch
from transformers.generation import GenerationMixin

from compare_published import Published
from peer import ROOT, read_json, stop

LENGTHS = 2  # every second length of each kind is heard


def spread(items, most):
    return items if len(items) <= most else [items[i * len(items) // most] for i in range(most)]


def samples(path):
    if not path.is_file():
        stop(f"{path}: no such file; write the sounds with: .build/release/reproduce sounds --out build/sounds")
    sound, rate = soundfile.read(path, dtype="float32")
    assert rate == 16_000 and sound.ndim == 1, path
    return sound


class Recordings:
    """Sounds and speech of a split, by the name that the table gives them."""

    def __init__(self, sounds, rules):
        self.sounds, self.rules = sounds, rules
        self.listed = read_json(ROOT / "data-manifests/nonspeech.json")["sounds"]
        self.utterances = read_json(ROOT / "data-manifests/evaluation.json")["utterances"]

    def of(self, split):
        lengths = sorted({s["seconds"] for s in self.listed})[::LENGTHS]
        for sound in self.listed:
            if sound["split"] == split and sound["seconds"] in lengths:
                yield sound["id"], False, lambda id=sound["id"]: samples(self.sounds / f"{id}.flac")
        own = [u for u in self.utterances if u["split"] == split]
        joined = self.rules["joined"]
        starts = [i for i in range(len(own) - joined + 1)
                  if own[i]["voice"] == own[i + joined - 1]["voice"]]
        for group in ([[u] for u in spread(own, self.rules["utterances"])]
                      + [own[i:i + joined] for i in spread(starts, self.rules["utterances"])]):
            yield (" ".join(u["id"] for u in group), True,
                   lambda group=group: numpy.concatenate([samples(ROOT / u["file"]) for u in group]))


class Hearing:
    def __init__(self, peer):
        self.peer = peer
        self.nospeech = peer.tokenizer.token_to_id("<|nospeech|>") or peer.tokenizer.token_to_id("<|nocaptions|>")

    def listened(self, sound):
        """The log-mel, the encoder's output, and the mean of its last residual stream over the sound."""
        mel = self.peer.front(sound, sampling_rate=16_000, return_tensors="pt").input_features
        encoder = self.peer.model.get_encoder()
        kept = {}
        hook = encoder.layers[-1].register_forward_hook(
            lambda module, given, out: kept.update(x=out[0] if isinstance(out, tuple) else out))
        out = encoder(mel)
        hook.remove()
        frames = min(math.ceil(len(sound) / 160), mel.shape[-1])
        count = min(max((frames + 1) // 2, 1), 1500)
        x = kept["x"].reshape(-1, kept["x"].shape[-1])
        return out, x[:count].double().mean(0)

    def written(self, out, limit):
        peer = self.peer
        said = GenerationMixin.generate(
            peer.model, encoder_outputs=out, decoder_input_ids=torch.tensor([peer.prompt]), do_sample=False,
            num_beams=1, max_new_tokens=limit, suppress_tokens=peer.never,
            begin_suppress_tokens=peer.never_first, eos_token_id=peer.end, pad_token_id=peer.end,
            return_dict_in_generate=True, output_scores=True)
        tokens = said.sequences[0, len(peer.prompt):].tolist()
        score = sum(torch.log_softmax(s[0].double(), -1)[t].item() for s, t in zip(said.scores, tokens))
        first = peer.model(encoder_outputs=out, decoder_input_ids=torch.tensor([peer.prompt[:1]]),
                           use_cache=False).logits[0, -1]
        text = peer.tokenizer.decode([t for t in tokens if t != peer.end], skip_special_tokens=True)
        # The end counts whether or not it was reached, as in openai/whisper.
        length = sum(t != peer.end for t in tokens) + 1
        return text, torch.softmax(first.double(), -1)[self.nospeech].item(), score / length


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=ROOT / "build/models/whisper-base")
    parser.add_argument("--sounds", type=Path, default=ROOT / "build/sounds", help="what reproduce sounds wrote")
    parser.add_argument("--limit", type=int, default=50)
    options = parser.parse_args()
    start = time.monotonic()
    rules = read_json(ROOT / "paper/preregistration-hallucination.json")
    recordings = Recordings(options.sounds, rules["hallucination"])
    name = options.model.name
    table = {row["recording"]: row for row in csv.DictReader(
        (ROOT / "figures/figure5-recordings.tsv").open(), delimiter="\t", quoting=csv.QUOTE_NONE)
        if row["model"] == name}
    if not table:
        stop(f"figures/figure5-recordings.tsv: has no recordings of {name}")
    gate = [row for row in csv.DictReader((ROOT / "paper/numbers.tsv").open(), delimiter="\t")
            if row["name"] == f"e3.hallucination.{name}.gate.strength"]
    peer = Published(options.model)
    hearing = Hearing(peer)

    means = {False: [], True: []}
    for _, speech, sound in recordings.of(rules["splits"]["search"]):
        means[speech].append(hearing.listened(sound())[1])
    origin, end = (torch.stack(means[speech]).mean(0) for speech in (False, True))
    axis = end - origin
    print(f"{len(means[False])} sounds and {len(means[True])} recordings of speech of the "
          f"{rules['splits']['search']} split ({time.monotonic() - start:.0f} s)", flush=True)

    tested = [r for r in recordings.of(rules["splits"]["confirm"]) if r[0] in table]
    if len(tested) != len(table):
        stop(f"{len(table) - len(tested)} recordings of the table are not found; are both of one commit?")
    tested = [*spread([r for r in tested if not r[1]], options.limit * 3 // 4),
              *spread([r for r in tested if r[1]], options.limit - options.limit * 3 // 4)]
    same, sides, texts, worst = 0, 0, 0, {"p(no speech)": 0, "mean log-probability": 0, "place on the axis": 0}
    for id, speech, sound in tested:
        row = table[id]
        out, mean = hearing.listened(sound())
        place = ((mean - origin) @ axis / (axis @ axis)).item()
        said, silent, score = hearing.written(out, rules["hallucination"]["limit"])
        same += said == row["written"]
        texts += bool(said.strip()) and not speech
        if said != row["written"]:
            print(f"  {id}: {said!r} here, {row['written']!r} there")
        for key, value in zip(worst, (silent, score, place)):
            worst[key] = max(worst[key], abs(value - float(row[key])))
        threshold = float(gate[0]["value"]) if gate else 0.5
        sides += (place < threshold) == (float(row["place on the axis"]) < threshold)
    far = ", ".join(f"{key} within {value:.1e}" for key, value in worst.items())
    print(f"{name}: same text for {same} of {len(tested)}, of which {texts} are of sounds where nobody speaks; "
          f"same side of the gate for {sides}; {far}")
    passed = same == sides == len(tested) and texts > 0 and max(worst.values()) <= 1e-3
    print(f"{'agree' if passed else 'DO NOT AGREE'} ({time.monotonic() - start:.0f} s)")
    raise SystemExit(0 if passed else 1)


if __name__ == "__main__":
    main()
