"""Whisper folders for CTranslate2 (model.bin, config.json, tokenizer.json), read without the package.

The file: little-endian; version, specification, revision, count; each variable's name (a uint16 length
that counts a closing zero), rank, sizes, type, bytes, values; then aliases.
"""

import hashlib
import json
import struct

import numpy
import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

TYPES = ["<f4", "i1", "<i2", "<i4", "<f2"]

LAYER = {
    "self_attention/layer_norm": ["self_attn_layer_norm"],
    "self_attention/linear_0": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    "self_attention/linear_1": ["self_attn.out_proj"],
    "attention/layer_norm": ["encoder_attn_layer_norm"],
    "attention/linear_0": ["encoder_attn.q_proj"],
    "attention/linear_1": ["encoder_attn.k_proj", "encoder_attn.v_proj"],
    "attention/linear_2": ["encoder_attn.out_proj"],
    "ffn/layer_norm": ["final_layer_norm"], "ffn/linear_0": ["fc1"], "ffn/linear_1": ["fc2"]}
OUTER = {"conv1": "conv1", "conv2": "conv2", "position_encodings": "embed_positions",
         "embeddings": "embed_tokens", "layer_norm": "layer_norm"}
KINDS = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias",
         "encodings": "weight"}


def variables(path):
    """The variables of a model.bin by name, scalars too."""
    data, place = path.read_bytes(), 0

    def number(kind):
        nonlocal place
        (value,) = struct.unpack_from("<" + kind, data, place)
        place += struct.calcsize(kind)
        return value

    def text():
        nonlocal place
        length = number("H")
        place += length
        return data[place - length:place - 1].decode()

    head = number("I"), text(), number("I")
    if head != (6, "WhisperSpec", 3):
        raise ValueError(f"{path}: is {head}")
    found = {}
    for _ in range(number("I")):
        name = text()
        shape = [number("I") for _ in range(number("B"))]
        kind, length = number("B"), number("I")
        found[name] = numpy.frombuffer(
            data[place:place + length], TYPES[kind]).reshape(shape)
        place += length
    return found


def parameters(path):
    """The tensors of a float16 or float32 model.bin under their Hugging Face names."""
    found = {}
    for name, values in variables(path).items():
        if not values.ndim:
            continue
        stage, *middle, last = name.split("/")
        if middle[0].startswith("layer_") and middle[0] != "layer_norm":
            prefix = f"model.{stage}.layers.{middle[0][6:]}."
            tensors = LAYER["/".join(middle[1:])]
        else:
            prefix, tensors = f"model.{stage}.", [OUTER[middle[0]]]
        for tensor, part in zip(tensors, numpy.split(values, len(tensors))):
            if not (tensor.endswith("k_proj") and last == "bias"):
                found[f"{prefix}{tensor}.{KINDS[last]}"] = part
    return found


def canonical_digest(tensors):
    """SHA-256 over lines of name, shape and the SHA-256 of the numbers as float16."""
    lines = [f"{name} {list(values.shape)} {hashlib.sha256(values.astype('<f2').tobytes()).hexdigest()}\n"
             for name, values in sorted(tensors.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def whisper(folder):
    """The model in float32, the canonical digest of its weights, and what its folder suppresses:
    always, and first."""
    tensors = parameters(folder / "model.bin")
    settings = {k: int(v) for k, v in variables(folder / "model.bin").items() if not v.ndim}
    own = json.loads((folder / "config.json").read_text())
    vocabulary, width = tensors["model.decoder.embed_tokens.weight"].shape

    def layers(stage):
        return len({k.split(".")[3] for k in tensors if k.startswith(f"model.{stage}.layers.")})
    config = WhisperConfig(
        vocab_size=vocabulary, d_model=width,
        num_mel_bins=tensors["model.encoder.conv1.weight"].shape[1],
        encoder_layers=layers("encoder"), decoder_layers=layers("decoder"),
        encoder_attention_heads=settings["encoder/num_heads"],
        decoder_attention_heads=settings["decoder/num_heads"],
        encoder_ffn_dim=tensors["model.encoder.layers.0.fc1.bias"].shape[0],
        decoder_ffn_dim=tensors["model.decoder.layers.0.fc1.bias"].shape[0],
        max_source_positions=tensors["model.encoder.embed_positions.weight"].shape[0],
        max_target_positions=tensors["model.decoder.embed_positions.weight"].shape[0])
    model = WhisperForConditionalGeneration(config)
    missing, unexpected = model.load_state_dict(
        {k: torch.from_numpy(v.astype(numpy.float32)) for k, v in tensors.items()}, strict=False)
    if set(missing) - {"proj_out.weight"} or unexpected:
        raise ValueError(f"{folder}: missing {missing}, unexpected {unexpected}")
    model.tie_weights()
    model.eval().requires_grad_(False)
    return model, canonical_digest(tensors), own["suppress_ids"], own["suppress_ids_begin"]
