"""The folders that are measured: what the package opens, what `transformers` opens, and what is missing."""

import json
import subprocess
import sys
from pathlib import Path

import time_maps
from peer import ROOT

BUILD = ROOT / "build" / "bench"


class Missing(Exception):
    """Why a model is left out."""


def made(folder, write):
    """A folder that is written once; a torn one is written again."""
    if not (folder / "written").exists():
        folder.mkdir(parents=True, exist_ok=True)
        write(folder)
        (folder / "written").touch()
    return folder


def small(_):
    folder = ROOT / "artifacts" / "qwen2-audio-small"
    return folder, folder


def random_173(_):
    folder = made(BUILD / "random-173", time_maps.write_speech_lm)
    return folder, folder


def random_layers(layers):
    """A folder of width 384 with so many layers in each half, for how work grows."""
    folder = made(
        BUILD / f"random-{layers}",
        lambda path: time_maps.write_speech_lm(path, layers=layers, width=384, mlp=1024))
    return folder, folder


def random_whisper(_):
    folder = made(BUILD / "random-whisper", time_maps.write_whisper)
    return folder, folder


def whisper_base(_):
    """The published files, and the same numbers as `transformers` keeps them."""
    source = ROOT / "build" / "models" / "whisper-base"
    if not (source / "model.bin").is_file():
        raise Missing("build/models/whisper-base is not there; make published fetches it")

    def write(folder):
        from ctranslate2 import whisper
        whisper(source)[0].save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps({
            "chunk_length": 30, "feature_extractor_type": "WhisperFeatureExtractor",
            "feature_size": 80, "hop_length": 160, "n_fft": 400, "n_samples": 480000,
            "nb_max_frames": 3000, "padding_side": "right", "padding_value": 0.0,
            "sampling_rate": time_maps.RATE}))
    return source, made(BUILD / "whisper-base", write)


def published(options):
    """The speech LM of two published halves."""
    source = ROOT / "artifacts" / "qwen2-audio-published"
    for part in "whisper-base/model.bin", "qwen2.5-coder-0.5b/model.gguf":
        if not (ROOT / "build" / "models" / part).is_file():
            raise Missing(f"build/models/{part} is not there; make published fetches it")

    def write(folder):
        subprocess.run([options.reproduce, "export", folder, "--model", source], check=True,
                       stdout=sys.stderr)
    return source, made(BUILD / "qwen2-audio-published", write)


MODELS = {
    "small": ("qwen2-audio-small", small),
    "whisper": ("Whisper base, published", whisper_base),
    "173": ("173 million, random weights", random_173),
    "published": ("qwen2-audio-published", published)}
