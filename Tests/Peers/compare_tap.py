"""Runs `tap inspect`, `tap logits` and `tap generate` on folders of golden data and compares them.

    python3 compare_tap.py TAP DIR...

TAP is the command, DIR a folder as Tests/SpeechTests/Fixtures/whisper. Needs no package.

- inspect: the folder opens, nothing is missing, and the parameters are as many as the files hold.
- logits: those of the last position, from the recording on. The reference computed its features in
  Float32; behind them logits differ by up to 1e-4, and the most probable token is the same.
- generate: the first token is the most probable of the golden logits, and every further one is the
  most probable of `tap logits` on the prompt and the answer so far.
"""

import json
import math
import struct
import subprocess
import sys
from pathlib import Path

TOLERANCE = 1e-4
SAID = 4


def tap(command, *arguments):
    run = subprocess.run([command, *arguments, "--json"], capture_output=True, text=True)
    if run.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)}: {run.stderr or run.stdout}")
    return json.loads(run.stdout)


def header(path):
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(size)), 8 + size


def last_row(path, name):
    entries, start = header(path)
    entry = entries[name]
    first, last = entry["data_offsets"]
    width = entry["shape"][-1]
    with open(path, "rb") as file:
        file.seek(start + last - 4 * width)
        return struct.unpack(f"<{width}f", file.read(4 * width))


def ignored(name):
    """Tensors that files hold and models do not use: BEATs' classifier, copies of its one table."""
    copied = "relative_attention_bias" in name and ".layers.0." not in name
    return copied or "predictor." in name or name.endswith("initialized")


def prompt(inputs, run):
    def pick(key):
        value = inputs.get(key)
        return value.get(run) if isinstance(value, dict) else value

    if "prompt_ids_before" in inputs:
        return [inputs["bos"], *inputs["prompt_ids_before"], "audio", *inputs["prompt_ids_after"]]
    for key in ["decoder_input_ids", "input_ids", "prompt_ids", "text_stream"]:
        if pick(key):
            return pick(key)
    raise SystemExit("inputs.json: no tokens")


def compare(command, folder):
    problems = []
    inputs = json.loads((folder / "inputs.json").read_text())
    inspected = tap(command, "inspect", "--model", str(folder))
    entries, _ = header(folder / "model.safetensors")
    stored = {k: math.prod(v["shape"]) for k, v in entries.items() if k != "__metadata__"}
    unexpected = set(inspected["unexpected"])
    config = json.loads((folder / "config.json").read_text())
    ties = {**config, **config.get("text_config", {})}.get("tie_word_embeddings")
    # A head in the file of a model that says it ties is used, and no parameter of its config.json.
    expected = sum(count for name, count in stored.items()
                   if name not in unexpected and not ignored(name)
                   and not (ties is True and name.endswith("lm_head.weight")))
    if not inspected["opens"] or inspected["missing"] or inspected["misshapen"]:
        problems.append(f"inspect: {inspected['problems']} {inspected['missing']}")
    if inspected["parameters"] != expected:
        problems.append(f"inspect: {inspected['parameters']} parameters, the file has {expected}")
    print(f"{folder.name}: {inspected['architecture']}, {inspected['parameters']} parameters, "
          f"{len(inspected['sites'])} sites")
    if inspected["architecture"] in ("Mimi", "Moshi"):
        # Mimi says nothing; Moshi's golden run has another own voice than silence, which only
        # `reproduce parity` gives it.
        return problems
    worst = 0.0
    for run in ["base", "source", "source_eq"]:
        ids = prompt(inputs, run)
        audio = str(folder / f"{run}.wav")

        def logits(tokens):
            return tap(command, "logits", "--model", str(folder), "--audio", audio, "--all",
                       "--prompt-ids", ",".join(map(str, tokens)))["logits"]

        golden = last_row(folder / "expected.safetensors", f"{run}/logits")
        own = logits(ids)
        difference = max(abs(a - b) for a, b in zip(own, golden))
        worst = max(worst, difference)
        if len(own) != len(golden) or not difference <= TOLERANCE:
            problems.append(f"logits of {run}: {difference:.2e}")
        if max(range(len(own)), key=own.__getitem__) != max(
                range(len(golden)), key=golden.__getitem__):
            problems.append(f"logits of {run}: another token is the most probable")
        said = tap(command, "generate", "--model", str(folder), "--audio", audio, "--limit",
                   str(SAID), "--prompt-ids", ",".join(map(str, ids)))
        tokens, so_far = said["tokens"], list(ids)
        for token in tokens:
            row = own if so_far == list(ids) else logits(so_far)
            if token != max(range(len(row)), key=row.__getitem__):
                problems.append(f"generate of {run}: {tokens}")
                break
            so_far.append(token)
        if not tokens and not said["ended"]:
            problems.append(f"generate of {run}: says nothing")
    print(f"  logits: worst difference {worst:.2e} of {TOLERANCE:.0e}; generate: {SAID} tokens each")
    return problems


def main(command, folders):
    failed = 0
    for folder in map(Path, folders):
        for problem in compare(command, folder):
            failed += 1
            print(f"  FAIL {problem}")
    print(f"{len(folders)} folders, {failed} problems")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
