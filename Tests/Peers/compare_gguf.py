"""Compares a language model in a GGUF file, as this package reads it, with `gguf` and `transformers`.

    swift build -c release
    pip install -r Tests/Peers/requirements.txt
    python Tests/Peers/compare_gguf.py [--model build/models/qwen2.5-coder-0.5b]

- values: every tensor as Float32, bit for bit what the package `gguf` makes of it.
- tokens: those of transformers on thousands of strings.
- logits: behind 20 prompts of 10 to 200 tokens, in the chat template and plain, the whole vocabulary.
- text: what is said greedily behind 20 prompts.
- memory: the most that `tap` held on the way.
- speed: a step forward, and one forward and back to the input, on 55 positions, two threads on both sides.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gguf
import numpy
import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

from make_tokenizer_fixtures import CORPUS, FRAGMENTS, strings

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = [
    "Translate to Spanish: the red cat.", "What colour is the sky?", "How many legs has a spider?",
    "Write a Python function that adds two numbers.", "Name three fruits.", "Which is larger, 7 or 12?",
    "Spell the word bat.", "What is the first word of this sentence?", "Say hello in French.",
    "Which animal is mentioned: the goat ate the grass?", "What is 12 plus 30?", "Count from one to five.",
    "Is a boat a vehicle? Answer yes or no.", "Write a haiku about rain.", "What does HTML stand for?",
    "Repeat: say the red bat again.", "Give the opposite of hot.", "List the days of the week.",
    "Reverse the string abc.", "Who wrote Hamlet?",
]
problems = []


def report(name, text, good):
    print(f"{name:8} {text}" + ("" if good else "   <-- not as it should be"))
    if not good:
        problems.append(name)


def run(*arguments):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"compare_gguf.py: {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


def peak(*arguments):
    """What a command prints, and the most memory that it held, in bytes (VmHWM).

    The kernel's own account of an ended child also counts what this program held when it started it.
    """
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen([str(a) for a in arguments], stdout=out, text=True)
        most = 0
        while process.poll() is None:
            try:
                lines = Path(f"/proc/{process.pid}/status").read_text().split("\n")
            except OSError:
                lines = []
            command = Path(f"/proc/{process.pid}/comm")
            for line in lines:
                if line.startswith("VmHWM:") and command.exists() and "python" not in command.read_text():
                    most = max(most, 1024 * int(line.split()[1]))
            time.sleep(0.02)
        if process.returncode:
            sys.exit(f"compare_gguf.py: {' '.join(map(str, arguments))} failed")
        out.seek(0)
        return json.loads(out.read()), most


def prompts(tokenizer):
    """20 texts of 10 to 200 tokens: questions in the chat template, and plain stretches of several scripts."""
    made = [(question, False) for question in QUESTIONS[:10]]
    text = " ".join(CORPUS)
    for i in range(10):
        ids = tokenizer(text[70 * i:], add_special_tokens=False)["input_ids"][:10 + 21 * i]
        piece = tokenizer.decode(ids).strip("\ufffd")
        made.append((piece, True))
    return made


def asked(tokenizer, text, plain):
    if not plain:
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def step(model, positions, keep, back):
    ids = torch.tensor([[1000 + 37 * i for i in range(positions)]])
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        with torch.set_grad_enabled(back):
            x = model.get_input_embeddings()(ids).detach().requires_grad_(back)
            logits = model(inputs_embeds=x, logits_to_keep=keep).logits
            if back:
                logits.mean().backward()
        best = min(best, time.perf_counter() - start)
    return best


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, default=ROOT / "build/models/qwen2.5-coder-0.5b")
    parser.add_argument("--bin", type=Path, default=ROOT / ".build/release")
    parser.add_argument("--positions", type=int, default=55)
    parser.add_argument("--said", type=int, default=40, help="tokens that are said")
    parser.add_argument("--skip-values", action="store_true")
    options = parser.parse_args()
    found = sorted(options.model.glob("*.gguf"))
    if len(found) != 1:
        sys.exit(f"compare_gguf.py: {options.model}: should hold one GGUF file; run `make published`")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(2)
    tokenizer = AutoTokenizer.from_pretrained(options.model, gguf_file=found[0].name)

    with tempfile.TemporaryDirectory() as scratch:
        texts, out = Path(scratch) / "texts.json", Path(scratch) / "out.json"
        lines = strings() + FRAGMENTS + QUESTIONS + CORPUS + [a + b for a, b in zip(FRAGMENTS, reversed(FRAGMENTS))]
        lines += [" ".join(FRAGMENTS[i:i + 9]) for i in range(len(FRAGMENTS))]
        lines += [p.read_text(errors="replace")[:3000] for p in sorted((ROOT / "Sources").rglob("*.swift"))]
        texts.write_text(json.dumps(lines), encoding="utf-8")
        flags = [] if options.skip_values else ["--values"]
        run(options.bin / "reproduce", "gguf", options.model, "--texts", texts, *flags, "--out", out)
        ours = json.loads(out.read_text())

    if not options.skip_values:
        differ = []
        tensors = gguf.GGUFReader(found[0]).tensors
        for tensor in tensors:
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
            if hashlib.sha256(numpy.ascontiguousarray(values)).hexdigest() != ours["values"][tensor.name]:
                differ.append(tensor.name)
        report("values", f"{len(tensors) - len(differ)} of {len(tensors)} tensors bit for bit {differ[:3]}", not differ)

    wrong = [line for line, ids in zip(lines, ours["tokens"])
             if tokenizer(line, add_special_tokens=False)["input_ids"] != ids]
    report("tokens", f"{len(lines) - len(wrong)} of {len(lines)} strings {[w[:40] for w in wrong[:3]]}", not wrong)

    model = AutoModelForCausalLM.from_pretrained(
        options.model, gguf_file=found[0].name, dtype=torch.float32).eval().requires_grad_(False)
    tap = options.bin / "tap"
    worst, most, lengths = 0.0, 0, []
    for text, plain in prompts(tokenizer):
        ids = asked(tokenizer, text, plain)
        lengths.append(len(ids))
        got, memory = peak(tap, "logits", "--model", options.model, "--prompt", text, "--json", "--all",
                           *(["--plain"] if plain else []))
        most = max(most, memory)
        if got["positions"] != len(ids):
            report("logits", f"{text!r}: {got['positions']} positions, {len(ids)} expected", False)
            continue
        with torch.no_grad():
            expected = model(torch.tensor([ids]), logits_to_keep=1).logits[0, -1].numpy()
        worst = max(worst, float(numpy.abs(expected - numpy.array(got["logits"])).max()))
    report("logits", f"{len(lengths)} prompts of {min(lengths)} to {max(lengths)} tokens, largest difference {worst:.2e}", worst < 1e-3)

    equal = 0
    for question in QUESTIONS:
        ids = asked(tokenizer, question, False)
        got, memory = peak(tap, "generate", "--model", options.model, "--prompt", question, "--json", "--limit", options.said)
        most = max(most, memory)
        with torch.no_grad():
            said = model.generate(torch.tensor([ids]), max_new_tokens=options.said, do_sample=False)[0, len(ids):].tolist()
        end = tokenizer.eos_token_id
        expected = tokenizer.decode([t for t in said if t != end])
        equal += got["text"] == expected
        if got["text"] != expected:
            print(f"         {question!r}: {got['text']!r} against {expected!r}")
    report("text", f"{equal} of {len(QUESTIONS)} equal", equal == len(QUESTIONS))
    report("memory", f"{most / 2**30:.2f} GiB at most", most < 1.2 * 2**30)

    # One side right after the other, so that another load meets both.
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "seconds.json"
        run(options.bin / "reproduce", "gguf", options.model, "--positions", options.positions, "--out", out)
        ours = json.loads(out.read_text())
    for name, keep in [("last", 1), ("all", 0)]:
        for kind, back in [("forward", False), ("back", True)]:
            peer, own = step(model, options.positions, keep, back), ours["seconds"][f"{kind}_{name}"]
            print(f"speed    {kind:8} logits of {name:4}: {own:.3f} s, PyTorch {peer:.3f} s, ratio {own / peer:.2f}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
