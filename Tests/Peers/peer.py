"""What the programs of this folder share: the checkpoint as `transformers` opens it, and the suite.

Nothing here knows the package; it reads the files that the package wrote.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import soundfile
import torch
import transformers
from transformers import (
    AutoTokenizer, Qwen2AudioForConditionalGeneration, Qwen2AudioProcessor, WhisperFeatureExtractor)

ROOT = Path(__file__).resolve().parents[2]


def stop(message):
    """Ends the program with one line on what is wrong."""
    sys.exit(f"{Path(sys.argv[0]).name}: {message}")


def add_options(parser):
    parser.add_argument("--model", type=Path, default=ROOT / "artifacts/qwen2-audio-small")
    parser.add_argument("--manifest", type=Path, default=ROOT / "data-manifests/evaluation.json")
    parser.add_argument("--root", type=Path, default=ROOT, help="where the manifest's files lie")
    parser.add_argument("--tolerance", type=float, default=1e-3)


def read_json(path, hint=""):
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        stop(f"{path}: no such file{hint}")
    except json.JSONDecodeError as error:
        stop(f"{path}: not JSON: {error}")


class SameTexts:
    """How many texts of each arm are those that the package wrote, and how many a patch changes."""

    def __init__(self):
        self.start, self.same, self.count, self.changed = time.monotonic(), {}, 0, 0

    def add(self, row, said):
        """One recording: its texts by arm, that of nothing done first, and the package's row."""
        self.count += 1
        plain, *patched = said.values()
        self.changed += sum(text != plain for text in patched)
        for arm, text in said.items():
            self.same[arm] = self.same.get(arm, 0) + (text == row[arm])
            if text != row[arm]:
                print(f"{row['recording']}, {arm}: {text!r} here, {row[arm]!r} there")

    def conclude(self):
        """Prints both; ends with status 1 where a text differs, or no patch changes one."""
        for arm, right in self.same.items():
            print(f"{arm}: same text for {right} of {self.count}")
        print(f"patches change {self.changed} texts")
        passed = self.changed > 0 and all(right == self.count for right in self.same.values())
        print(f"{'agree' if passed else 'DO NOT AGREE'} ({time.monotonic() - self.start:.0f} s)")
        raise SystemExit(0 if passed else 1)


class Peer:
    """The model in float32 with plain attention, its tokenizer and its front end."""

    def __init__(self, folder):
        for name in ["config.json", "model.safetensors", "tokenizer.json",
                     "tokenizer_config.json", "preprocessor_config.json", "generation_config.json"]:
            if not (folder / name).is_file():
                stop(f"{folder / name}: no such file; the checkpoint is not complete")
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        torch.set_num_threads(1)
        self.model, self.loading = Qwen2AudioForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
        self.model.eval().requires_grad_(False)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.extractor = WhisperFeatureExtractor.from_pretrained(folder)
        self.processor = Qwen2AudioProcessor.from_pretrained(folder)

    def hear(self, path):
        """A recording, its log-mel [1, bands, frames], and which frames are sound [1, frames]."""
        try:
            sound, rate = soundfile.read(path, dtype="float32")
        except (soundfile.LibsndfileError, OSError) as error:
            stop(f"{path}: {error}")
        if sound.ndim != 1 or rate != self.extractor.sampling_rate:
            stop(f"{path}: expected one channel at {self.extractor.sampling_rate} Hz")
        heard = self.extractor(
            sound, sampling_rate=rate, return_attention_mask=True, return_tensors="pt")
        return sound, heard.input_features, heard.attention_mask

    def lengths(self, mask):
        """Encoder positions and audio tokens of a recording."""
        rows, tokens = self.model.model.audio_tower._get_feat_extract_output_lengths(mask.sum())
        return int(rows), int(tokens)

    def ask(self, mask, prompt):
        """The token ids of a prompt behind the recording."""
        audio = "<|AUDIO|>" * self.lengths(mask)[1]
        return self.tokenizer(f"<|audio_bos|>{audio}<|audio_eos|>{prompt}").input_ids
