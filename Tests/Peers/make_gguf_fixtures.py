"""Makes the GGUF files that GGUFTests and TextModelTests read, with what the reference makes of them.

    python3 -m venv venv && venv/bin/pip install -r Tests/Peers/requirements.txt
    venv/bin/python Tests/Peers/make_gguf_fixtures.py Tests/SpeechTests/Fixtures/gguf

types.gguf holds a matrix of each type that is read, its bytes drawn at random (scales finite), and
types.safetensors the same as Float32 by the package `gguf`. model/model.gguf is a Qwen2 of random weights
with a vocabulary of its own, and expected.json holds tokens, a chat and logits of it by `transformers`.
Running this again gives the same bytes.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gguf
import numpy
import torch
import transformers
from gguf import GGMLQuantizationType as Type
from safetensors.numpy import save_file
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer

from make_tokenizer_fixtures import CORPUS, QWEN2, strings

# Where a block has its float16 scales.
SCALES = {Type.Q4_0: [0], Type.Q5_0: [0], Type.Q8_0: [0], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208]}
PLAIN = {Type.F32: numpy.float32, Type.F16: numpy.float16}
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{%- if messages[0].role != 'system' %}{{- '<|im_start|>system\\nYou are a small model.<|im_end|>\\n' }}{%- endif %}"
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
LAYERS, WIDTH, HEADS, KEY_HEADS, MLP = 2, 64, 4, 2, 256


def blocks(draw, rows, width, kind, deviation=0.05):
    """A matrix of random blocks: bytes [rows, bytes], scales such that numbers are about `deviation`."""
    numbers, size = gguf.GGML_QUANT_SIZES[kind]
    data = draw.integers(0, 256, (rows * width // numbers, size), dtype=numpy.uint8)
    # How large a number is for a scale of 1.
    reach = {Type.Q4_0: 5, Type.Q5_0: 9, Type.Q8_0: 74, Type.Q4_K: 240, Type.Q5_K: 500, Type.Q6_K: 1400}[kind]
    for place in SCALES[kind]:
        scale = (deviation / reach * draw.uniform(-2, 2, len(data))).astype(numpy.float16)
        data[:, place:place + 2] = scale.view(numpy.uint8).reshape(-1, 2)
    return data.reshape(rows, -1)


def types(folder):
    draw = numpy.random.default_rng(1)
    writer = gguf.GGUFWriter(folder / "types.gguf", "qwen2")
    expected = {}
    for kind in [*PLAIN, Type.BF16, *SCALES]:
        if kind in SCALES:
            data = blocks(draw, 3, 512, kind)
            # A negative zero, the smallest and the largest scale.
            for row, bits in [(0, 0x8000), (1, 0x0001), (2, 0x7BFF)]:
                for place in SCALES[kind]:
                    data[row, place:place + 2] = [bits & 255, bits >> 8]
        elif kind == Type.BF16:
            data = (draw.normal(size=(3, 512)).astype(numpy.float32).view(numpy.uint32) >> 16).astype(numpy.uint16).view(numpy.uint8)
        else:
            data = draw.normal(size=(3, 512)).astype(PLAIN[kind])
            data[0, :3] = [-0.0, 1e-7, 6e4]
        writer.add_tensor(kind.name, data, raw_dtype=kind)
        expected[kind.name] = gguf.quants.dequantize(data, kind).astype(numpy.float32).reshape(3, 512)
    write(writer)
    save_file(expected, folder / "types.safetensors")


def write(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def vocabulary():
    """Byte-level BPE of 400 tokens with three that are special."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    trainer = trainers.BpeTrainer(
        vocab_size=400, show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(CORPUS, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    return tokens, [" ".join(pair) for pair in model["merges"]]


def model(folder):
    folder.mkdir(exist_ok=True)
    draw = numpy.random.default_rng(2)
    tokens, merges = vocabulary()
    kinds = [1] * len(tokens) + [4] + [3] * len(SPECIAL) + [5]
    tokens += ["<tool>", *SPECIAL, "[PAD]"]
    w = gguf.GGUFWriter(folder / "model.gguf", "qwen2")
    w.add_block_count(LAYERS)
    w.add_context_length(128)
    w.add_embedding_length(WIDTH)
    w.add_feed_forward_length(MLP)
    w.add_head_count(HEADS)
    w.add_head_count_kv(KEY_HEADS)
    w.add_rope_freq_base(10000.0)
    w.add_layer_norm_rms_eps(1e-6)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list(tokens)
    w.add_token_types(kinds)
    w.add_token_merges(merges)
    w.add_eos_token_id(tokens.index("<|im_end|>"))
    w.add_bos_token_id(tokens.index("<|endoftext|>"))
    w.add_add_bos_token(False)
    w.add_chat_template(TEMPLATE)

    def matrix(name, rows, width, kind, deviation=0.15):
        w.add_tensor(name, blocks(draw, rows, width, kind, deviation), raw_dtype=kind)

    def vector(name, size, mean):
        w.add_tensor(name, (mean + 0.1 * draw.normal(size=size)).astype(numpy.float32))

    matrix("output.weight", len(tokens), WIDTH, Type.Q8_0, 0.3)
    matrix("token_embd.weight", len(tokens), WIDTH, Type.Q5_0, 1)
    head = WIDTH // HEADS
    for i in range(LAYERS):
        vector(f"blk.{i}.attn_norm.weight", WIDTH, 1)
        vector(f"blk.{i}.ffn_norm.weight", WIDTH, 1)
        for name, rows in [("q", WIDTH), ("k", head * KEY_HEADS), ("v", head * KEY_HEADS)]:
            matrix(f"blk.{i}.attn_{name}.weight", rows, WIDTH, Type.Q8_0 if name == "v" else Type.Q5_0)
            vector(f"blk.{i}.attn_{name}.bias", rows, 0)
        matrix(f"blk.{i}.attn_output.weight", WIDTH, WIDTH, Type.Q4_0)
        matrix(f"blk.{i}.ffn_gate.weight", MLP, WIDTH, Type.Q5_0)
        matrix(f"blk.{i}.ffn_up.weight", MLP, WIDTH, Type.Q5_0)
        matrix(f"blk.{i}.ffn_down.weight", WIDTH, MLP, [Type.Q4_K, Type.Q6_K][i], 0.1)
    vector("output_norm.weight", WIDTH, 1)
    write(w)

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file="model.gguf")
    reference = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file="model.gguf", dtype=torch.float32, attn_implementation="eager").eval()
    texts = strings()[:300] + ["<|im_start|>user\nHi<|im_end|>", "a<tool>b", "[PAD]", "é e\u0301"]
    question = "What is the first thing?"
    chat = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True)
    prompt = tokenizer(chat, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logits = reference(torch.tensor([prompt])).logits[0]
        said = reference.generate(
            torch.tensor([prompt]), max_new_tokens=12, do_sample=False, eos_token_id=tokens.index("<|im_end|>"))
    expected = {
        "texts": [[text, tokenizer(text, add_special_tokens=False)["input_ids"]] for text in texts],
        "question": question, "chat": chat, "prompt": prompt, "said": said[0, len(prompt):].tolist(),
        "logits": [[float(x) for x in row] for row in logits[[0, -1]].numpy()],
    }
    text = json.dumps(expected, ensure_ascii=False, separators=(",", ":"))
    (folder.parent / "expected.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    types(out)
    model(out / "model")
