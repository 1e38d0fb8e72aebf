"""The arithmetic that a map cannot do without, and the rate at which a machine can do it at most.

Of a cell: the layers above the patch; in the encoder all positions of sound that the model is told to hear,
since each of them attends to all; in the language model the positions from the first changed one on; of its
last layer keys and values of those, and the rest at the position that is read. Multiplications and additions
of products alone count, without what a kernel rounds up to. What is shared by cells (the two runs of the
pair, keys and values of the base run) is left out: the share of the ceiling can only be understated by it.
"""

import json
from pathlib import Path


class Sizes:
    """What the two stages of a model multiply."""

    def __init__(self, folder):
        config = json.loads((Path(folder) / "config.json").read_text())
        self.is_whisper = config["model_type"] == "whisper"
        sound = config if self.is_whisper else config["audio_config"]
        self.d, self.layers = sound["d_model"], sound["encoder_layers"]
        self.mlp, self.bands = sound["encoder_ffn_dim"], sound["num_mel_bins"]
        self.longest = sound["max_source_positions"]
        if self.is_whisper:
            self.vocabulary, self.deep = config["vocab_size"], config["decoder_layers"]
            self.text_mlp = config["decoder_ffn_dim"]
            return
        text = config["text_config"]
        self.width, self.deep, self.text_mlp = (
            text["hidden_size"], text["num_hidden_layers"], text["intermediate_size"])
        self.keys = self.width * text["num_key_value_heads"] // text["num_attention_heads"]
        self.vocabulary = text["vocab_size"]

    def encoder_layer(self, rows):
        return 2 * rows * (4 * self.d**2 + 2 * self.d * self.mlp) + 4 * rows**2 * self.d

    def text_layer(self, first, count, is_last):
        """Positions from `first` on, of `count`; each attends to those up to itself."""
        rows = count - first
        kept = 1 if is_last else rows
        seen = count if is_last else (first + 1 + count) * rows / 2
        keys = 2 * rows * 2 * self.width * self.keys
        return keys + 2 * kept * (
            2 * self.width**2 + 3 * self.width * self.text_mlp) + 4 * seen * self.width

    def text_above(self, done, first, count):
        """From behind layer `done` (-1: from the embeddings) to the logits of one position."""
        above = range(done + 1, self.deep)
        return sum(self.text_layer(first, count, i == self.deep - 1) for i in above) \
            + 2 * self.width * self.vocabulary

    def decoder_layer(self, rows, heard, with_keys):
        own = 2 * rows * (4 * self.d**2 + 2 * self.d * self.text_mlp) + 2 * rows * (rows + 1) * self.d
        cross = 2 * rows * 2 * self.d**2 + 4 * rows * heard * self.d
        return own + cross + (2 * heard * 2 * self.d**2 if with_keys else 0)


def heard_rows(frames):
    rows = (frames - 1) // 2 + 1
    return rows, (rows - 2) // 2 + 1


def needed(sizes, job, cells):
    """Operations of the cells, each (site, window) of a job."""
    total = 0
    count = len(job["ids"])
    for site, window in cells:
        stage, *rest = site.split(".")
        layer = int(rest[0]) if rest[0].isdigit() else -1
        if sizes.is_whisper:
            heard = sizes.longest
            if stage == "encoder":
                total += (sizes.layers - 1 - layer) * sizes.encoder_layer(heard)
                total += sizes.deep * sizes.decoder_layer(count, heard, True)
            else:
                # Of a patched layer what lies behind the patch is part of it.
                above = sizes.deep - layer - (0 if "cross" in site else 1)
                total += above * sizes.decoder_layer(count, heard, False)
            total += 2 * sizes.d * sizes.vocabulary
            continue
        rows, tokens = heard_rows(job["frames"])
        before = job["before"]
        if window[0] == "text":
            first = count + window[1]
        else:
            first = before + max(0, int(window[1] // 40))
        if stage == "encoder":
            total += (sizes.layers - 1 - layer) * sizes.encoder_layer(rows)
            total += 2 * tokens * sizes.d * sizes.width
            total += sizes.text_above(-1, before, count)
        else:
            total += sizes.text_above(layer if stage == "lm" else -1, first, count)
    return total


def forward(sizes, job):
    """Operations of one run to the logits of the last position."""
    count = len(job["ids"])
    rows, tokens = heard_rows(job["frames"])
    rows = sizes.longest if sizes.is_whisper else rows
    total = 2 * (2 * rows) * 3 * sizes.bands * sizes.d + 2 * rows * 3 * sizes.d**2
    total += sizes.layers * sizes.encoder_layer(rows)
    if sizes.is_whisper:
        return total + sizes.deep * sizes.decoder_layer(count, rows, True) \
            + 2 * sizes.d * sizes.vocabulary
    return total + 2 * tokens * sizes.d * sizes.width + sizes.text_above(-1, 0, count)
