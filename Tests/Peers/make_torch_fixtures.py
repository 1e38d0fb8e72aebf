"""Writes Tests/SpeechTests/Fixtures/torch: small files of torch.save for the reader of PyTorch's archives.

    python3 make_torch_fixtures.py

What the files hold is written out in TorchFileTests.swift.
"""

from collections import OrderedDict
from pathlib import Path

import torch

OUT = Path(__file__).parents[1] / "SpeechTests/Fixtures/torch"


class Stranger:
    """An object that a reader would have to run code for."""


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    rising = torch.arange(6.0).reshape(2, 3)
    weights = OrderedDict(
        rising=rising,
        turned=rising.t(),
        every_second=torch.arange(8.0)[2:8:2],
        half=torch.tensor([1.5, -0.25], dtype=torch.float16),
        brain=torch.tensor([1.0, -2.5], dtype=torch.bfloat16),
        double=torch.tensor([0.5], dtype=torch.float64),
        long=torch.tensor([-3]),
        flags=torch.tensor([True, False]),
        parameter=torch.nn.Parameter(torch.tensor([7.0])),
        scalar=torch.tensor(9.0),
        empty=torch.zeros(0, 4),
    )
    layer = {"bias": torch.tensor([4.0])}
    rest = {"epoch": 3, "names": ["a", ("b", None)], "rate": 0.5}
    torch.save({"model": weights, "layer": layer, "rest": rest}, OUT / "many.pt")
    torch.save({"w": torch.ones(2), "x": Stranger()}, OUT / "stranger.pt")
    torch.save({"w": torch.ones(2)}, OUT / "old.pt", _use_new_zipfile_serialization=False)
    torch.save({"w": torch.ones(1).expand(1000)}, OUT / "expanded.pt")


if __name__ == "__main__":
    main()
