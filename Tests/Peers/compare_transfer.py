"""Repeats the transfers of Figure 3 in `transformers`: a part of the projector's output of one recording is
put into another one's run, and the model answers.

    make figure3
    venv/bin/python Tests/Peers/compare_transfer.py

Reads figures/figure3-crossings.tsv and the subspaces that the experiment wrote beside it. Exit status 1
where a logit difference is off by more than --tolerance nats, or an answer differs.
"""

import argparse
import csv
import time

import numpy
import torch

from peer import Peer, ROOT, read_json, stop

NAME = "qwen2-audio-small"
ARMS = {"base": None, "lexical": ("lexical", "moment", False),
        "lexical everywhere": ("lexical", "sound", False),
        "beside lexical": ("lexical", "moment", True), "voice": ("voice", "sound", False),
        "beside voice": ("voice", "sound", True), "sound": (None, "sound", False),
        "moment": (None, "moment", False)}
MOMENT = 120
TRANSCRIBE = "transcribe:"


class Heard:
    """One recording as the model takes it, and what its projector gives, [tokens, width]."""

    def __init__(self, peer, utterance):
        sound, _, _ = peer.hear(ROOT / utterance["file"])
        before, behind = utterance.get("padding", [0, 0])
        sound = numpy.concatenate(
            [numpy.zeros(before, "float32"), sound, numpy.zeros(behind, "float32")])
        heard = peer.extractor(
            sound, sampling_rate=16000, return_attention_mask=True, return_tensors="pt")
        self.mel, self.mask = heard.input_features, heard.attention_mask
        self.ids = peer.ask(self.mask, TRANSCRIBE)
        self.rows = None

    def arguments(self, ids):
        ids = torch.tensor([ids])
        return dict(input_ids=ids, attention_mask=torch.ones_like(ids), input_features=self.mel,
                    feature_attention_mask=self.mask)


def patched(peer, heard, rows, body):
    """What `body` gives while the projector's rows of the sound are `rows`."""
    def change(module, arguments, out):
        if rows is None:
            return None
        out = out.clone()
        flat = out.reshape(-1, out.shape[-1])
        flat[:len(rows)] = rows
        return flat.reshape(out.shape)
    hook = peer.model.model.multi_modal_projector.register_forward_hook(change)
    try:
        return body()
    finally:
        hook.remove()


def projected(peer, heard):
    """The projector's output of a recording."""
    found = []
    hook = peer.model.model.multi_modal_projector.register_forward_hook(
        lambda m, a, out: found.append(out.reshape(-1, out.shape[-1])))
    try:
        peer.model(**heard.arguments(heard.ids))
    finally:
        hook.remove()
    return found[0][:peer.lengths(heard.mask)[1]].double()


def moved(arm, subspaces, base, source, onset):
    """The base's rows with the arm's part of the move, rounded once."""
    if ARMS[arm] is None:
        return None
    name, place, is_complement = ARMS[arm]
    move = source - base
    if name:
        patterns = torch.tensor(subspaces[name]["patterns"], dtype=torch.double)
        readouts = torch.tensor(subspaces[name]["readouts"], dtype=torch.double)
        part = move @ readouts.T @ patterns
        move = move - part if is_complement else part
    if place == "moment":
        centres = 40 * torch.arange(len(base)) + 10
        inside = (centres >= onset) & (centres < onset + MOMENT)
        move = move * inside[:, None]
    return (base + move).float()


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tolerance", type=float, default=1e-4)
    parser.add_argument("--limit", type=int, help="so many crossings")
    options = parser.parse_args()
    start = time.monotonic()
    table = ROOT / "figures/figure3-crossings.tsv"
    if not table.is_file():
        stop(f"{table}: no such file; make it with: make figure3")
    rows = [row for row in csv.DictReader(table.open(), delimiter="\t", quoting=csv.QUOTE_NONE)
            if row["model"] == NAME and row["arm"] in ARMS]
    subspaces = read_json(ROOT / f"build/transfer/{NAME}.json", "; make it with: make figure3")
    manifest = read_json(ROOT / "data-manifests/factorial.json")
    utterances = {u["id"]: u for u in manifest["utterances"]}
    pairs = {p["id"]: p for p in manifest["pairs"]}
    peer = Peer(ROOT / "artifacts" / NAME)
    ends = peer.model.generation_config.eos_token_id

    def text(heard, prompt, changed):
        ids = peer.ask(heard.mask, prompt)
        out = patched(peer, heard, changed, lambda: peer.model.generate(
            **heard.arguments(ids), do_sample=False, max_new_tokens=32))[0, len(ids):].tolist()
        return peer.tokenizer.decode(out[:out.index(ends)] if ends in out else out).strip()

    def difference(heard, prompt, changed, words):
        ids = peer.ask(heard.mask, prompt)
        z = patched(peer, heard, changed, lambda: peer.model(
            **heard.arguments(ids)).logits[0, -1])
        first = [peer.tokenizer(word, add_special_tokens=False).input_ids[0] for word in words]
        return (z[first[0]] - z[first[1]]).item()

    worst, same, count, right = 0.0, 0, 0, 0
    crossings = list(dict.fromkeys(row["crossing"] for row in rows))[:options.limit]
    for crossing in crossings:
        name, direction = crossing.rsplit(" ", 1)
        pair = pairs[name]
        members = [pair["clean"], pair["corrupt"]]
        words, voices = list(pair["answers"]), list(pair["attribute"]["answers"])
        if direction == "back":
            members, words, voices = members[::-1], words[::-1], voices[::-1]
        source, base = (Heard(peer, utterances[m]) for m in members)
        from_rows, into_rows = projected(peer, source), projected(peer, base)
        onset = utterances[pair["clean"]]["phones"][pair["changedPhone"]][1] / 16
        for row in (row for row in rows if row["crossing"] == crossing):
            changed = moved(row["arm"], subspaces, into_rows, from_rows, onset)
            for column, prompt, answers in [
                    ("LD of words", pair["prompt"], words),
                    ("LD of speakers", pair["attribute"]["prompt"], voices)]:
                off = abs(difference(base, prompt, changed, answers) - float(row[column]))
                worst = max(worst, off)
            for column, prompt in [("answer", pair["prompt"]), ("transcript", TRANSCRIBE),
                                   ("speaker", pair["attribute"]["prompt"])]:
                said = text(base, prompt, changed)
                count += 1
                same += said == row[column]
                if said != row[column]:
                    print(f"{crossing}, {row['arm']}: {said!r} here, {row[column]!r} there")
    print(f"{len(crossings)} crossings, {len(ARMS)} arms")
    print(f"same answer: {same} of {count}")
    print(f"logit differences: worst {worst:.2e} nats; tolerance {options.tolerance:g}")
    passed = same == count > 0 and worst <= options.tolerance
    print(f"{'agree' if passed else 'DO NOT AGREE'} ({time.monotonic() - start:.0f} s)")
    raise SystemExit(0 if passed else 1)


if __name__ == "__main__":
    main()
