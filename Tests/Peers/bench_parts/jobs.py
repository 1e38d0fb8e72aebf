"""What is measured of a model, as a job that the package and every other program read: two recordings, token
ids, two answers, sites and windows. Nothing of a tokenizer or a template is left to either side."""

import json
import math
from pathlib import Path

import numpy
import soundfile

import time_maps
from bench_parts import arithmetic
from bench_parts.models import BUILD
from peer import ROOT

RATE = time_maps.RATE


def tokens(folder, text):
    from tokenizers import Tokenizer
    return Tokenizer.from_file(str(folder / "tokenizer.json")).encode(
        text, add_special_tokens=False).ids


def suite_pair(name="a-pat", other="a-bat", voice="kal"):
    folder = ROOT / "artifacts" / "evaluation" / voice
    return {"clean": str(folder / f"{name}.flac"), "corrupt": str(folder / f"{other}.flac")}


def long_pair(seconds):
    """Recordings of the suite one behind the other, of which the middle differs."""
    folder = BUILD / f"sound-{seconds:g}"
    if not (folder / "corrupt.wav").exists():
        folder.mkdir(parents=True, exist_ok=True)
        time_maps.write_pair(folder, seconds)
    return {name: str(folder / f"{name}.wav") for name in ("clean", "corrupt")}


def one_phone_pair(seconds):
    """Sentences of the suite one behind the other, of which the first is one member of a minimal pair or the
    other: one phone differs."""
    folder = BUILD / f"phone-{seconds:g}"
    if not (folder / "corrupt.wav").exists():
        folder.mkdir(parents=True, exist_ok=True)
        members = suite_pair()
        behind, length = [], 0
        for path in sorted((ROOT / "artifacts" / "evaluation" / "kal").glob("*.flac")):
            if str(path) not in members.values() and length < seconds * RATE:
                behind.append(soundfile.read(path, dtype="float32")[0])
                length += len(behind[-1])
        for name, path in members.items():
            sound = numpy.concatenate([soundfile.read(path, dtype="float32")[0], *behind])
            soundfile.write(
                folder / f"{name}.wav", sound[:int(seconds * RATE)], RATE, subtype="FLOAT")
    return {name: str(folder / f"{name}.wav") for name in ("clean", "corrupt")}


# What a recogniser has written of that pair where its members part, and how it goes on: each word is a token.
PARTING = ("Say", "the", "red"), ("pat", "bat")


class Question:
    """A model with a pair: the members that all of its jobs share."""

    def __init__(self, folders, pair, threads, parting=None):
        """`parting`, of a recogniser: the words before and the two answers."""
        own, theirs = folders
        self.sizes = arithmetic.Sizes(theirs)
        config = json.loads((theirs / "config.json").read_text())
        info = soundfile.info(pair["corrupt"])
        if info.frames != soundfile.info(pair["clean"]).frames and not self.sizes.is_whisper:
            # One prompt holds for both, so both have as many audio tokens.
            pair = self.cut(pair)
            info = soundfile.info(pair["corrupt"])
        self.length = 1000 * info.frames / RATE
        frames = math.ceil(info.frames / 160)
        members = {**pair, "model": str(own), "torch": str(theirs), "threads": threads,
                   "frames": frames, "before": 0}
        answers = None
        if self.sizes.is_whisper:
            members["ids"] = [50258, 50259, 50359, 50363]
            if parting:
                # Looked up, since the published file lacks its first merge and `tokenizers` cuts words there.
                names = json.loads((own / "tokenizer.json").read_text())["model"]["vocab"]
                before, answers = ([names["\u0120" + word] for word in words] for words in parting)
                members["ids"] += before
        else:
            sound = [config["audio_token_index"]] * arithmetic.heard_rows(frames)[1]
            before, behind = [1], [3, 10, 11]
            if theirs.name.endswith("small"):
                before, behind = tokens(theirs, "<|audio_bos|>"), tokens(theirs, "<|audio_eos|>which thing:")
                answers = (*tokens(theirs, "pat"), *tokens(theirs, "bat"))
            members |= {"ids": before + sound + behind, "before": len(before)}
        self.members = members
        if answers is None:
            from bench_parts import torch_side
            answers = time_maps.in_process(torch_side.answers, members)
        members["answer"], members["foil"] = answers

    @staticmethod
    def cut(pair):
        """Both recordings as long as the shorter one."""
        folder = BUILD / "cut" / Path(pair["clean"]).parent.name
        folder.mkdir(parents=True, exist_ok=True)
        sounds = {name: soundfile.read(path, dtype="float32")[0] for name, path in pair.items()}
        count = min(map(len, sounds.values()))
        paths = {}
        for name, samples in sounds.items():
            paths[name] = str(folder / f"{Path(pair[name]).stem}.wav")
            soundfile.write(paths[name], samples[:count], RATE, subtype="FLOAT")
        return paths

    # Sites by the names of the package.

    def residual(self, stages=("encoder", "connector", "lm", "decoder")):
        found = ["encoder.embed"] + [f"encoder.{i}.resid_post" for i in range(self.sizes.layers)]
        if self.sizes.is_whisper:
            found += [f"decoder.{i}.resid_post" for i in range(self.sizes.deep)]
        else:
            found += ["connector.out"] + [f"lm.{i}.resid_post" for i in range(self.sizes.deep)]
        return [site for site in found if site.split(".")[0] in stages]

    def cross(self):
        return [f"decoder.{i}.cross.{name}" for i in range(self.sizes.deep) for name in "kvz"]

    def heads(self):
        return [f"encoder.{i}.attn.z[*]" for i in range(self.sizes.layers)] + [
            f"lm.{i}.attn.z[*]" for i in range(self.sizes.deep)]

    # Jobs.

    def job(self, sites=(), width=80, text=4):
        count = math.ceil(self.length / width)
        windows = [("time", width * i, width * (i + 1)) for i in range(count)]
        if not self.sizes.is_whisper:
            # Text behind the sound: all of it that there is.
            text = min(text, len(self.members["ids"]) - self.last_sound() - 1)
        windows += [("text", i - text) for i in range(text)]
        return self.with_windows({**self.members, "sites": list(sites), "width": width}, windows)

    def last_sound(self):
        return self.members["before"] + arithmetic.heard_rows(self.members["frames"])[1] - 1

    @staticmethod
    def with_windows(job, windows):
        return {**job, "places": windows, "windows": [window_name(w) for w in windows]}


def window_name(window):
    """A window as the package writes it."""
    if window[0] == "text":
        return f"text:{window[1]}"
    return f"{window[1]:g}ms..{window[2]:g}ms"


def fewer(job, every):
    """The same job on every so many-th window."""
    return Question.with_windows(job, job["places"][::every]) if every > 1 else job


def step_job(folders, threads, count=16):
    """A step of training: so many utterances of the suite, each with all its questions."""
    own, theirs = folders
    manifest = json.loads((ROOT / "data-manifests" / "evaluation.json").read_text())
    utterances = manifest["utterances"][::len(manifest["utterances"]) // count][:count]
    trunk = tokens(theirs, "<|audio_bos|><|AUDIO|><|audio_eos|>")
    (end,) = tokens(theirs, "<|endoftext|>")
    return {
        "model": str(own), "torch": str(theirs), "threads": threads, "rate": 1e-4,
        "end": end,
        "examples": [
            {"recording": str(ROOT / utterance["file"]), "trunk": trunk,
             "branches": [{"prompt": tokens(theirs, prompt), "answer": tokens(theirs, answer)}
                          for prompt, answer in utterance["questions"]]}
            for utterance in utterances]}
