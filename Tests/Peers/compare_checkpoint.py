"""Loads the stored checkpoint in `transformers` and repeats what this package's model answered.

    python3 -m venv venv && venv/bin/pip install -r Tests/Peers/requirements.txt
    .build/release/reproduce outputs --out build/outputs.json
    venv/bin/python Tests/Peers/compare_checkpoint.py build/outputs.json

Every prompt of every evaluation recording is answered greedily. No weight may be missing or left
over, all answers must be the same tokens, and the logits of the last prompt position must agree
within the tolerance. Exit status 1 otherwise.
"""

import argparse
import math
import time
from collections import defaultdict
from pathlib import Path

import torch

from peer import Peer, add_options, read_json, stop

BATCH = 32


def check_loading(peer):
    """Every weight of the file has its place in the model, and the other way round."""
    wrong = 0
    for kind, keys in peer.loading.items():
        print(f"{kind.replace('_', ' ')}: {len(keys)}", *sorted(map(str, keys)))
        wrong += len(keys)
    return wrong == 0


def collect(peer, manifest, root, said):
    """The questions by the length of their prompt, so that a batch needs no padding, and how many
    recordings `Qwen2AudioProcessor` prepares in another way than its two parts."""
    batches, differ = defaultdict(list), 0
    for utterance in manifest["utterances"]:
        sound, mel, mask = peer.hear(root / utterance["file"])
        answers = {a["prompt"]: a for a in said.pop(utterance["file"], [])}
        for number, (prompt, expected) in enumerate(utterance["questions"]):
            if prompt not in answers:
                stop(f'{utterance["file"]}: no answer to "{prompt}"; run reproduce outputs again')
            ids = peer.ask(mask, prompt)
            batches[len(ids)].append((utterance, expected, answers[prompt], ids, mel, mask))
            if number == 0:
                text = f"<|audio_bos|><|AUDIO|><|audio_eos|>{prompt}"
                whole = peer.processor(
                    text=text, audio=sound, sampling_rate=peer.extractor.sampling_rate,
                    return_tensors="pt")
                differ += not (
                    whole["input_ids"][0].tolist() == ids
                    and torch.equal(whole["input_features"], mel)
                    and torch.equal(whole["feature_attention_mask"], mask))
    if said:
        stop(f"answers for {len(said)} recordings that the manifest does not list: {min(said)}")
    return batches, differ


@torch.no_grad()
def answer(peer, ids, mels, masks):
    """Greedy answers without the end token, and the logits of the last prompt position."""
    ids = torch.tensor(ids)
    out = peer.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), input_features=torch.cat(mels),
        feature_attention_mask=torch.cat(masks), do_sample=False, output_logits=True,
        return_dict_in_generate=True)
    end = peer.model.generation_config.eos_token_id
    answers = [row[ids.shape[1]:].tolist() for row in out.sequences]
    return [a[:a.index(end)] if end in a else a for a in answers], out.logits[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("outputs", type=Path, help="what `reproduce outputs --out` wrote")
    add_options(parser)
    options = parser.parse_args()
    start = time.monotonic()

    hint = "; make it with: reproduce outputs --out FILE"
    said = {row["file"]: row["answers"] for row in read_json(options.outputs, hint)}
    manifest = read_json(options.manifest)
    peer = Peer(options.model)
    loads = check_loading(peer)
    batches, differ = collect(peer, manifest, options.root, said)
    print(f"recordings prepared differently by Qwen2AudioProcessor: {differ}")

    count, same, worst, worst_at = 0, 0, 0.0, "none"
    right = defaultdict(list)
    for length in sorted(batches):
        for first in range(0, len(batches[length]), BATCH):
            rows = batches[length][first:first + BATCH]
            utterances, expected, theirs, ids, mels, masks = zip(*rows)
            answers, logits = answer(peer, ids, mels, masks)
            for utterance, wanted, other, own, z in zip(
                    utterances, expected, theirs, answers, logits):
                where = f'{utterance["id"]} "{other["prompt"]}"'
                if own == other["tokens"]:
                    same += 1
                else:
                    print(f"{where}: {own} here, {other['tokens']} there")
                if len(other["logits"]) != len(z):
                    stop(f"{where}: {len(other['logits'])} logits there, {len(z)} here")
                difference = (z - torch.tensor(other["logits"])).abs().nan_to_num(math.inf).max()
                if difference > worst:
                    worst, worst_at = difference.item(), where
                kind = "transcriptions" if other["prompt"] == "transcribe:" else "short answers"
                right[kind].append(peer.tokenizer.decode(own) == wanted)
                count += 1

    for kind, hits in sorted(right.items()):
        print(f"right {kind} here: {sum(hits)} of {len(hits)}")
    print(f"same greedy answer: {same} of {count}")
    print(f"logits: worst difference {worst:.2e} at {worst_at}; tolerance {options.tolerance:g}")
    passed = loads and differ == 0 and same == count > 0 and worst < options.tolerance
    print(f"{'agree' if passed else 'DO NOT AGREE'} ({time.monotonic() - start:.0f} s)")
    raise SystemExit(0 if passed else 1)


if __name__ == "__main__":
    main()
