"""Writes a folder of the size of Qwen2-Audio-7B with random bfloat16 weights.

    python write_full_size.py DIR

The folder has the published configuration, key names and layout (five shards with their index,
16.8 GB), so that loading, memory and speed can be measured without the published weights. Values are
normal with a deviation of 0.02 (norms near 1), drawn once and laid out at another offset for each
tensor. Needs numpy only.
"""

import json
import os
import struct
import sys

import numpy

ENCODER, WIDTH, MLP, LAYERS, VOCABULARY = 1280, 4096, 11008, 32, 156032
SHARD = 4 * 1000**3

CONFIG = {
    "architectures": ["Qwen2AudioForConditionalGeneration"],
    "audio_config": {
        "model_type": "qwen2_audio_encoder", "num_mel_bins": 128, "d_model": ENCODER,
        "encoder_layers": 32, "encoder_attention_heads": 20, "encoder_ffn_dim": 5120,
        "max_source_positions": 1500, "activation_function": "gelu", "scale_embedding": False,
    },
    "audio_token_index": 151646,
    "ignore_index": -100,
    "model_type": "qwen2_audio",
    "text_config": {
        "bos_token_id": 151643, "eos_token_id": 151645, "intermediate_size": MLP,
        "max_position_embeddings": 8192, "model_type": "qwen2", "rms_norm_eps": 1e-05,
        "rope_theta": 10000, "sliding_window": 32768, "use_mrope": False,
        "use_sliding_window": False, "vocab_size": VOCABULARY, "torch_dtype": "bfloat16",
    },
    "torch_dtype": "bfloat16",
    "vocab_size": VOCABULARY,
}

PREPROCESSOR = {
    "chunk_length": 30, "feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 128,
    "hop_length": 160, "n_fft": 400, "padding_side": "right", "padding_value": 0.0,
    "return_attention_mask": True, "sampling_rate": 16000,
}

GENERATION = {"eos_token_id": [151643, 151645], "pad_token_id": 151643, "repetition_penalty": 1.1}


def shapes():
    """Name and shape of every parameter, in the order of the published files."""
    tower = "audio_tower."
    yield tower + "conv1.weight", [ENCODER, 128, 3]
    yield tower + "conv1.bias", [ENCODER]
    yield tower + "conv2.weight", [ENCODER, ENCODER, 3]
    yield tower + "conv2.bias", [ENCODER]
    yield tower + "embed_positions.weight", [1500, ENCODER]
    for i in range(32):
        layer = f"{tower}layers.{i}."
        for name in "k", "v", "q", "out":
            yield f"{layer}self_attn.{name}_proj.weight", [ENCODER, ENCODER]
            if name != "k":
                yield f"{layer}self_attn.{name}_proj.bias", [ENCODER]
        for norm in "self_attn_layer_norm", "final_layer_norm":
            yield f"{layer}{norm}.weight", [ENCODER]
            yield f"{layer}{norm}.bias", [ENCODER]
        yield f"{layer}fc1.weight", [5120, ENCODER]
        yield f"{layer}fc1.bias", [5120]
        yield f"{layer}fc2.weight", [ENCODER, 5120]
        yield f"{layer}fc2.bias", [ENCODER]
    yield tower + "layer_norm.weight", [ENCODER]
    yield tower + "layer_norm.bias", [ENCODER]
    yield "multi_modal_projector.linear.weight", [WIDTH, ENCODER]
    yield "multi_modal_projector.linear.bias", [WIDTH]
    model = "language_model.model."
    yield model + "embed_tokens.weight", [VOCABULARY, WIDTH]
    for i in range(LAYERS):
        layer = f"{model}layers.{i}."
        for name in "q", "k", "v":
            yield f"{layer}self_attn.{name}_proj.weight", [WIDTH, WIDTH]
            yield f"{layer}self_attn.{name}_proj.bias", [WIDTH]
        yield f"{layer}self_attn.o_proj.weight", [WIDTH, WIDTH]
        yield f"{layer}mlp.gate_proj.weight", [MLP, WIDTH]
        yield f"{layer}mlp.up_proj.weight", [MLP, WIDTH]
        yield f"{layer}mlp.down_proj.weight", [WIDTH, MLP]
        yield f"{layer}input_layernorm.weight", [WIDTH]
        yield f"{layer}post_attention_layernorm.weight", [WIDTH]
    yield model + "norm.weight", [WIDTH]
    yield "language_model.lm_head.weight", [VOCABULARY, WIDTH]


def bfloat16(numbers):
    return (numbers.astype("<f4").view("<u4") >> 16).astype("<u2")


def main(folder):
    os.makedirs(folder, exist_ok=True)
    random = numpy.random.default_rng(7)
    noise = bfloat16(random.standard_normal((1 << 24) + 12345) * 0.02)
    ones = bfloat16(1 + random.standard_normal(1 << 16) * 0.02)

    def numbers(name, shape, place):
        count = int(numpy.prod(shape))
        source = ones if "norm.weight" in name else noise
        return numpy.resize(numpy.roll(source, -(place * 997) % len(source)), count)

    shards, size = [[]], 0
    for name, shape in shapes():
        bytes_ = 2 * int(numpy.prod(shape))
        if size + bytes_ > SHARD:
            shards.append([])
            size = 0
        shards[-1].append((name, shape, bytes_))
        size += bytes_

    weight_map, total, place = {}, 0, 0
    for index, shard in enumerate(shards, 1):
        file = f"model-{index:05d}-of-{len(shards):05d}.safetensors"
        header, offset = {"__metadata__": {"format": "pt"}}, 0
        for name, shape, bytes_ in shard:
            header[name] = {
                "dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + bytes_],
            }
            offset += bytes_
            weight_map[name] = file
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(os.path.join(folder, file), "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            for name, shape, _ in shard:
                place += 1
                numbers(name, shape, place).tofile(out)
        total += offset
        print(f"{file}: {offset / 1e9:.2f} GB", flush=True)
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    for file, content in [
        ("model.safetensors.index.json", index), ("config.json", CONFIG),
        ("preprocessor_config.json", PREPROCESSOR), ("generation_config.json", GENERATION),
    ]:
        with open(os.path.join(folder, file), "w") as out:
            json.dump(content, out, indent=2)
    print(f"{total // 2} parameters, {total / 1e9:.1f} GB")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
