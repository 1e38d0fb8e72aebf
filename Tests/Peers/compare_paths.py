"""Repeats path patching with PyTorch hooks on the stored checkpoint: what the connector's output around the
changed phone does to the logit difference through each reader of the language model alone.

    .build/release/tap paths --model artifacts/qwen2-audio-small --prompt "which thing:" \\
      --base artifacts/evaluation/awb/a-pat.flac --source artifacts/evaluation/awb/a-bat.flac \\
      --answer bat --foil pat --sender connector.out@552.5ms..707.5ms --json > build/paths.json
    venv/bin/python Tests/Peers/compare_paths.py                             # measure
    venv/bin/python Tests/Peers/compare_paths.py --package build/paths.json  # and compare

The corrupt run takes the clean run's values at the sender. Once all that reads them sees them (`whole`).
Once every attention and MLP writes what it wrote in the corrupt run, so that the change reaches each reader,
and the logits, along the residual stream alone; what a reader then makes of it is put into the
corrupt run, and what is behind it follows. Queries, keys and values are those before rotary positions.

It prints a line for each effect, in nats: the receiver (lm.0.attn.q, ..., lm.0.mlp.post, ..., or whole, logits,
and the sum over all paths); clean and corrupt are the members' logit differences. Exit status 1 where an effect
differs from the package's by more than --tolerance, or where it has other receivers or positions.
"""

import argparse
import math
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

from patching import Run
from peer import Peer, add_options, read_json, stop

@contextmanager
def hooked(module, change, before=False):
    """While open, `change` of what a module takes or gives is used instead; None leaves it."""
    def behind(module, arguments, out):
        if not isinstance(out, tuple):
            return change(out)
        new = change(out[0])
        return None if new is None else (new, *out[1:])

    def ahead(module, arguments):
        new = change(arguments[0])
        return None if new is None else (new, *arguments[1:])

    hook = module.register_forward_pre_hook(ahead) if before else module.register_forward_hook(behind)
    try:
        yield
    finally:
        hook.remove()


class Paths:
    """The paths of one pair from the projector's output."""

    def __init__(self, base, source, positions):
        self.base, self.positions = base, positions
        self.rows = source.x["connector.out"][positions]
        model = base.peer.model.model
        self.projector = model.multi_modal_projector
        layers = list(enumerate(model.language_model.layers))
        self.writers = {f"lm.{i}.{name}": part for i, layer in layers
                        for name, part in [("attn", layer.self_attn), ("mlp", layer.mlp)]}
        # By name the module, and whether it is what the module takes.
        self.receivers = {}
        for i, layer in layers:
            for name in "qkv":
                part = getattr(layer.self_attn, f"{name}_proj")
                self.receivers[f"lm.{i}.attn.{name}"] = (part, False)
            self.receivers[f"lm.{i}.mlp.post"] = (layer.mlp.down_proj, True)

    def difference(self, *hooks):
        """LD of the corrupt run with hooks."""
        with torch.no_grad(), ExitStack() as open_hooks:
            for hook in hooks:
                open_hooks.enter_context(hook)
            return self.base.difference(1).item()

    def sending(self):
        def change(x):
            x = x.clone()
            x.view(-1, x.shape[-1])[self.positions] = self.rows
            return x
        return hooked(self.projector, change)

    @staticmethod
    def keeping(kept, name):
        """A change that is none, but keeps what it sees."""
        return lambda x: kept.__setitem__(name, x.clone())

    def effects(self):
        """The effect along each path, in nats."""
        start, wrote, seen = self.base.value, {}, {}
        same = self.difference(*[
            hooked(part, self.keeping(wrote, name)) for name, part in self.writers.items()])
        if abs(same - start) > 1e-4:
            stop(f"the corrupt run gives {same} and {start} nats")
        found = {"whole": self.difference(self.sending()) - start}
        frozen = [hooked(part, lambda x, name=name: wrote[name])
                  for name, part in self.writers.items()]
        watched = [hooked(part, self.keeping(seen, name), before)
                   for name, (part, before) in self.receivers.items()]
        direct = self.difference(self.sending(), *frozen, *watched) - start
        for name, (part, before) in self.receivers.items():
            put = hooked(part, lambda x, name=name: seen[name], before)
            found[name] = self.difference(put) - start
        return found | {"logits": direct}


def read_paths(path):
    """What `tap paths --json` says of one sender: the positions, and the effects by receiver."""
    try:
        (sender,) = read_json(path)["senders"]
        effects = sender["effects"]
        return sender["positions"], {
            "clean": sender["source"], "corrupt": sender["base"], "whole": effects["whole"],
            "logits": effects["logits"], "sum": effects["sum"],
        } | {one["receiver"]: one["effect"] for one in effects["through"]}
    except (KeyError, TypeError, ValueError) as error:
        stop(f"{path}: is not what tap paths --json writes of one sender and all receivers: {error!r}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_options(parser)
    parser.add_argument("--package", type=Path, help="what tap paths --json says of it")
    parser.add_argument("--pair", default="awb-a-bat-pat")
    parser.add_argument("--margin", type=float, default=40, help="around the changed phone, in ms")
    options = parser.parse_args()
    started = time.monotonic()

    manifest = read_json(options.manifest)
    files = {u["id"]: u["file"] for u in manifest["utterances"]}
    pair = next((p for p in manifest["pairs"] if p["id"] == options.pair), None)
    if pair is None:
        stop(f"{options.manifest}: has no pair {options.pair}")
    places, there = read_paths(options.package) if options.package else (None, {})
    peer = Peer(options.model)
    answers = [peer.tokenizer(a).input_ids[0] for a in pair["answers"]]
    source, base = (Run(peer, options.root / files[pair[m]], pair["prompt"], *answers)
                    for m in ["clean", "corrupt"])
    if base.ids != source.ids or not torch.equal(base.mask, source.mask):
        stop(f"pair {options.pair}: the members differ in length")
    start, end = (1000 * s / peer.extractor.sampling_rate for s in pair["changedSpan"])
    positions = [p for p, centre in base.centres("connector.out").items()
                 if start - options.margin <= centre < end + options.margin]
    if not positions:
        stop(f"pair {options.pair}: no position in its window; give a wider --margin")

    if places not in [None, positions]:
        stop(f"{options.package}: the sender is patched at {places}, and here at {positions}")
    here = {"clean": source.value, "corrupt": base.value} | Paths(base, source, positions).effects()
    here["sum"] = sum(v for k, v in here.items() if k not in ["clean", "corrupt", "whole"])
    worst = 0.0
    print("\t".join(["receiver", "effect"] + (["package", "difference"] if there else [])))
    for name, value in here.items():
        line = [name, f"{value:.6f}"]
        if name in there:
            difference = abs(value - there[name])
            worst = math.inf if math.isnan(difference) else max(worst, difference)
            line += [f"{there[name]:.6f}", f"{difference:.1e}"]
        print("\t".join(line))
    alone = there.keys() ^ here.keys() if there else set()
    if alone:
        print(f"on one side only: {', '.join(sorted(alone))}")
    print(f"{len(positions)} positions, {time.monotonic() - started:.0f} s")
    if there:
        print(f"{len(there.keys() & here.keys())} of {len(here)} compared, worst difference {worst:.2e}")
        passed = worst < options.tolerance and not alone
        print("agree" if passed else "DO NOT AGREE")
        raise SystemExit(0 if passed else 1)


if __name__ == "__main__":
    main()
