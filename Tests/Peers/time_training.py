"""Times steps of training the projector against PyTorch, on two threads each, in one run.

    .build/release/reproduce export build/exported
    venv/bin/python Tests/Peers/time_training.py build/exported      # 6 minutes, 6 GiB

The package runs ten steps of `reproduce join` (four utterances, three to four questions each, which
share the sound; the system's turn is not computed again). PyTorch has no such sharing: each question is a
sequence of its own, all of a step in one padded batch, forward through the frozen language model and
back to the projector. Beside it stands one item of 55 positions, forward and back. The package runs
kernels of AVX2, which every machine has and which give the same bits on all of them; PyTorch is timed in
its fastest way and limited to the same instructions.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from peer import ROOT

LIMITED = {"ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2",
           "ATEN_CPU_CAPABILITY": "avx2"}


def package(reproduce, steps):
    """Seconds of a step, from the fifth on."""
    pinned = {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.Popen(
        [reproduce, "join", "--steps", str(steps), "--fresh", "--out", ROOT / "build" / "time-training"],
        cwd=ROOT, env={**os.environ, **pinned}, stderr=subprocess.PIPE, text=True)
    shown = [(time.monotonic(), line) for line in run.stderr if " sound " in line]
    if run.wait():
        sys.exit("reproduce join failed")
    return (shown[-1][0] - shown[0][0]) / (steps - 5), shown[-1][1].strip()


def torch_step(folder, sequences, sound, text, answer, rounds):
    """Seconds of a step with so many sequences: positions of sound and of text, answers behind them."""
    import torch
    from transformers import Qwen2AudioForConditionalGeneration

    torch.set_num_threads(2)
    model = Qwen2AudioForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    language, projector = model.model.language_model, model.model.multi_modal_projector
    for parameter in projector.parameters():
        parameter.requires_grad_(True)
    heard = torch.randn(sequences, sound, model.config.audio_config.d_model)
    ids = torch.randint(1000, 100000, (sequences, text + answer))
    optimiser = torch.optim.AdamW(projector.parameters(), lr=1e-5)
    seconds = []
    for _ in range(rounds):
        start = time.monotonic()
        words = language.get_input_embeddings()(ids)
        x = torch.cat([words[:, :24], projector(heard), words[:, 24:]], 1)
        out = language(inputs_embeds=x).last_hidden_state[:, -answer - 1:-1]
        loss = torch.nn.functional.cross_entropy(
            model.lm_head(out).flatten(0, 1), ids[:, -answer:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seconds.append(time.monotonic() - start)
    print(min(seconds[1:]))


def in_a_process(folder, *numbers, limited=False):
    """PyTorch reads its instruction set once, when it is loaded."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS")}
    out = subprocess.run(
        [sys.executable, __file__, folder, "--torch", *map(str, numbers)], check=True,
        env={**env, **(LIMITED if limited else {})}, stdout=subprocess.PIPE, text=True)
    return float(out.stdout.split()[-1])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--reproduce", type=Path, default=ROOT / ".build/release/reproduce")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--torch", type=int, nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch:
        torch_step(options.model, *options.torch)
        return
    own, line = package(options.reproduce, options.steps)
    print(f"package: {own:.2f} s a step of 4 utterances ({line})", flush=True)
    for name, limited in ("fastest", False), ("AVX2", True):
        # 14 questions of 15 tokens and their answers of 5, behind 24 of the system and 60 of sound.
        step = in_a_process(options.model, 14, 60, 39, 5, 3, limited=limited)
        one = in_a_process(options.model, 1, 20, 30, 5, 5, limited=limited)
        print(f"PyTorch, {name}: {step:.2f} s for the same questions as sequences, {step / own:.2f} "
              f"times the package; {one:.2f} s for one item of 55 positions", flush=True)


if __name__ == "__main__":
    main()
