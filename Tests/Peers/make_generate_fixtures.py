"""Writes what `generate()` of transformers says on the golden Qwen2-Audio folder.

    python make_generate_fixtures.py ../SpeechTests/Fixtures/qwen2-audio

Greedy, 24 tokens, with and without repetition penalty, from the stored features of each recording;
generate.json holds the ids and the smallest distance of the best two processed logits.
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file


def main(folder):
    model = transformers.Qwen2AudioForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager").eval()
    inputs = json.loads((folder / "inputs.json").read_text())
    expected = load_file(folder / "expected.safetensors")
    cases = []
    for run, ids in inputs["prompt_ids"].items():
        mel = expected[f"{run}/mel"][None]
        mask = torch.zeros(1, mel.shape[-1], dtype=torch.long)
        mask[0, : inputs["valid_mel_frames"][run]] = 1
        for penalty in (1.0, 1.1, 1.6):
            for end in (None, 25):
                said = model.generate(
                    input_ids=torch.tensor([ids]),
                    attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                    input_features=mel, feature_attention_mask=mask, do_sample=False,
                    max_new_tokens=24, repetition_penalty=penalty, eos_token_id=end,
                    pad_token_id=0, return_dict_in_generate=True, output_scores=True)
                best = torch.stack([s[0].topk(2).values for s in said.scores])
                cases.append({
                    "run": run, "repetition_penalty": penalty, "eos_token_id": end,
                    "tokens": said.sequences[0, len(ids):].tolist(),
                    "margin": float((best[:, 0] - best[:, 1]).min()),
                })
    (folder / "generate.json").write_text(json.dumps({"cases": cases}) + "\n")
    for case in cases:
        print(case)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
