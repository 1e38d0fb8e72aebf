"""Repeats a Qwen2-Audio of two published halves in `transformers`: logits, greedy text, patched cells.

    .build/release/reproduce export build/exported
    venv/bin/python Tests/Peers/compare_joined.py build/exported

Needs .build/release/tap and reproduce, the parts that `make published` fetches, and the folder that
`reproduce export` wrote, which `transformers` opens by itself; the package reads its own parts, which
are blocks of four to eight bits. Recordings as in compare_published.py. Exit status 1 where logits differ
by more than --tolerance, a text differs, or a cell differs by more than --cells nats.
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
from tokenizers import Tokenizer
from transformers import Qwen2AudioForConditionalGeneration, WhisperFeatureExtractor

import time_maps
from compare_published import BUILD, chosen_pairs, recordings
from peer import ROOT, read_json, stop
from unseen import RATE


class Exported:
    def __init__(self, folder):
        torch.set_num_threads(2)
        torch.set_grad_enabled(False)
        self.model, loading = Qwen2AudioForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
        assert not loading["missing_keys"] and not loading["unexpected_keys"], loading
        self.model.eval()
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.extractor = WhisperFeatureExtractor.from_pretrained(folder)
        ends = read_json(folder / "generation_config.json")["eos_token_id"]
        self.ends = ends if isinstance(ends, list) else [ends]
        self.audio = self.model.config.audio_token_id

    def prompt(self, text):
        """The turns of the chat with one placeholder of sound, as the tokenizer's own file says them."""
        system = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
        parts = (f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n",
                 f"\n{text}<|im_end|>\n<|im_start|>assistant\n")
        before, after = (
            self.tokenizer.encode(part, add_special_tokens=False).ids for part in parts)
        return before + [self.audio] + after

    def heard(self, path, prompt):
        """The arguments of a forward pass; `prompt` has one placeholder of sound."""
        sound, rate = soundfile.read(path, dtype="float32")
        heard = self.extractor(
            sound, sampling_rate=rate, return_attention_mask=True, return_tensors="pt")
        mask = heard.attention_mask
        _, count = self.model.model.audio_tower._get_feat_extract_output_lengths(mask.sum())
        ids = [x for t in prompt for x in ([t] * int(count) if t == self.audio else [t])]
        ids = torch.tensor([ids])
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids),
                "input_features": heard.input_features, "feature_attention_mask": mask}

    def says(self, arguments, limit):
        """The most probable tokens, one after another, without the end."""
        out = self.model(**arguments, use_cache=True)
        said, past = [], out.past_key_values
        while len(said) < limit:
            token = int(out.logits[0, -1].argmax())
            if token in self.ends:
                break
            said.append(token)
            out = self.model(input_ids=torch.tensor([[token]]), past_key_values=past, use_cache=True)
            past = out.past_key_values
        return said


def compare_outputs(peer, options):
    BUILD.mkdir(parents=True, exist_ok=True)
    chosen = recordings(options.limit)
    (BUILD / "list.txt").write_text("".join(f"{path}\n" for path in chosen))
    out = BUILD / "joined.json"
    subprocess.run(
        [options.reproduce, "outputs", "--model", options.own, "--recordings", BUILD / "list.txt",
         "--prompt", options.prompt, "--logits", str(options.logits), "--limit",
         str(options.tokens), "--out", out], check=True, cwd=ROOT)
    rows = json.loads(out.read_text())
    worst, different, given = 0.0, 0, 0
    for row, path in zip(rows, chosen, strict=True):
        assert row["prompt"] == peer.prompt(options.prompt), row["prompt"]
        arguments = peer.heard(path, row["prompt"])
        if "logits" in row:
            given += 1
            theirs = peer.model(**arguments).logits[0, -1]
            worst = max(worst, (torch.tensor(row["logits"]) - theirs).abs().max().item())
        said = peer.says(arguments, options.tokens)
        if said != row["tokens"]:
            different += 1
            texts = [peer.tokenizer.decode(tokens) for tokens in (row["tokens"], said)]
            print(f"  {path.name}: {texts[0]!r}, transformers {texts[1]!r}")
    print(f"logits of {given} recordings within {worst:.1e}; text of "
          f"{len(chosen) - different} of {len(chosen)} equal", flush=True)
    return given > 0 and worst <= options.tolerance and not different


class Hooked(time_maps.Hooked):
    """The exported model with both recordings of a pair, which are equally long."""

    def __init__(self, peer, files, prompt, forced):
        self.torch, self.is_whisper, self.model, self.kept = torch, False, peer.model, {}
        self.mel = {}
        for name in ("clean", "corrupt"):
            arguments = peer.heard(files[name], prompt)
            self.mel[name], self.mask = (
                arguments["input_features"], arguments["feature_attention_mask"])
        self.ids = arguments["input_ids"][0].tolist() + forced
        self.first, self.tokens = prompt.index(peer.audio), self.ids.count(peer.audio)
        self.modules = self.places()


def compare_cells(peer, options):
    manifest = read_json(ROOT / "data-manifests" / "evaluation.json")
    spoken = {u["id"]: u for u in manifest["utterances"]}
    work = BUILD / "joined"
    work.mkdir(parents=True, exist_ok=True)
    sites = ["encoder.2.resid_post", "connector.out", "lm.1.resid_post", "lm.12.resid_post",
             "lm.22.resid_post"]
    cells, worst, moved = 0, 0.0, 0
    for pair in chosen_pairs(manifest, options.pairs):
        texts = []
        for name in "clean", "corrupt":
            said = dict(spoken[pair[name]]["questions"])["transcribe:"].split()
            texts.append(" ".join(said[:pair["changedWord"] + 1]))
        tokens = [peer.tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        shared = len(os.path.commonprefix(tokens))
        files = {name: ROOT / spoken[pair[name]]["file"] for name in ("clean", "corrupt")}
        table = work / "pairs.csv"
        table.write_text("audio_clean,audio_corrupt,prompt,answer,foil\n" + ",".join(
            [str(files["clean"]), str(files["corrupt"]), options.prompt, *texts]) + "\n")
        subprocess.run([options.tap, "pairs", "--table", table, "--out", work / "pairs.json"],
                       check=True, stdout=subprocess.DEVNULL)
        hooked = Hooked(peer, files, peer.prompt(options.prompt), tokens[0][:shared])
        length = 1000 * soundfile.info(files["corrupt"]).frames / RATE
        windows = [("time", start, start + 400.0)
                   for start in numpy.arange(0, length, 400.0).tolist()]
        windows += [("text", i - 4) for i in range(4)]
        job = {"width": 400, "text": 4, "families": sites, "windows": windows}
        _, found, _ = time_maps.tap_job(str(options.tap), work, job, model=ROOT / options.own)
        answer, foil = tokens[0][shared], tokens[1][shared]
        values = hooked.map(
            sites, windows, time_maps.positions_of(hooked), answer, foil, batched=True, reuse=False)
        off = time_maps.agreement(found, values, job)
        z = hooked.trace("corrupt")[0]
        corrupt = (z[answer] - z[foil]).item()
        cells, worst = cells + len(values), max(worst, off)
        moved += sum(abs(value - corrupt) > 0.1 for value in values.values())
        print(f"  {pair['id']}: {len(values)} cells within {off:.1e} nats", flush=True)
    print(f"{cells} cells of {options.pairs} pairs within {worst:.1e} nats; {moved} cells move the "
          "answer by more than 0.1")
    return cells > 0 and worst <= options.cells


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="the exported folder")
    parser.add_argument("--own", default="artifacts/qwen2-audio-published",
                        help="the package's folder that it was exported from")
    parser.add_argument("--tap", type=Path, default=ROOT / ".build/release/tap")
    parser.add_argument("--reproduce", type=Path, default=ROOT / ".build/release/reproduce")
    parser.add_argument("--prompt", default="Transcribe.")
    parser.add_argument("--limit", type=int, default=100, help="recordings that are said")
    parser.add_argument("--logits", type=int, default=50, help="of how many logits are compared")
    parser.add_argument("--tokens", type=int, default=24, help="the most tokens of a recording")
    parser.add_argument("--pairs", type=int, default=4, help="pairs whose cells are patched")
    parser.add_argument("--tolerance", type=float, default=2e-3)
    parser.add_argument("--cells", type=float, default=1e-3, help="nats")
    options = parser.parse_args()
    if not (options.model / "config.json").is_file():
        stop(f"{options.model}: is no exported folder; write it with reproduce export")
    peer = Exported(options.model)
    good = compare_outputs(peer, options) if options.limit else True
    if options.pairs:
        good &= compare_cells(peer, options)
    sys.exit(not good)


if __name__ == "__main__":
    main()
