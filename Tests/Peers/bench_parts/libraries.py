"""The side of TransformerLens, nnsight and pyvene: exact maps and forward passes where they open the model.

    python -m bench_parts.libraries JOB.json --library nnsight --work map --paced

Each takes the model as `transformers` opens it. What a library cannot do, it says in one line and ends with
status 3: the table then holds that line.
"""

import argparse
import json
import logging
import sys
from pathlib import Path

import torch

import time_maps
from bench_parts.torch_side import Timed, take_turns

CANNOT = 3


def cannot(reason):
    print(json.dumps({"cannot": reason}), flush=True)
    sys.exit(CANNOT)


def path_of(model, module):
    return next(name for name, own in model.named_modules() if own is module)


class Library(Timed):
    """A model in the hands of a library; a group of cells of one site is patched in one pass."""

    def __init__(self, job, work):
        super().__init__(job)
        self.choose([] if work == "forward" else job["sites"])
        self.paths = {site: path_of(self.model, module) for site, (module, _) in self.modules.items()}
        self.open()

    def inputs(self, name, count=1):
        ids = torch.tensor([self.ids] * count)
        if self.is_whisper:
            return {"input_features": self.mel[name].expand(count, -1, -1), "decoder_input_ids": ids,
                    "use_cache": False}
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "use_cache": False,
                "input_features": self.mel[name].expand(count, -1, -1),
                "feature_attention_mask": self.mask.expand(count, -1)}

    def forward(self):
        return {"clean": self.difference(self.run())[0].item()}

    def cells(self):
        source, positions, found = self.kept_source(), time_maps.positions_of(self), {}
        for site in self.sites:
            group = [(name, positions(site, window))
                     for name, window in zip(self.job["windows"], self.windows)]
            group = [(name, chosen) for name, chosen in group if chosen]
            for part in [group] if self.batches else [[cell] for cell in group]:
                z = self.difference(self.patched(site, source[site], [p for _, p in part]))
                found |= {f"{site}@{name}": value for (name, _), value in zip(part, z.tolist())}
        return found


class NNsight(Library):
    batches = True

    def open(self):
        from nnsight import NNsight as Wrapped
        self.wrapped = Wrapped(self.model)
        self.head = self.wrapped.proj_out if self.is_whisper else self.wrapped.lm_head

    def envoy(self, site):
        found = self.wrapped
        for name in self.paths[site].split("."):
            found = found[int(name)] if name.isdigit() else getattr(found, name)
        return found

    def run(self):
        with self.wrapped.trace(**self.inputs("clean")):
            z = self.head.output.save()
        return z[:, -1]

    def kept_source(self):
        kept = {}
        envoys = {site: (self.envoy(site), own[1]) for site, own in self.modules.items()}
        with self.wrapped.trace(**self.inputs("clean")):
            for site, (envoy, is_output) in envoys.items():
                x = envoy.output if is_output else envoy.input
                kept[site] = (x[0] if isinstance(x, tuple) else x).save()
        return kept

    def patched(self, site, source, group):
        envoy, is_output = self.envoy(site), self.modules[site][1]
        with self.wrapped.trace(**self.inputs("corrupt", len(group))):
            x = envoy.output if is_output else envoy.input
            x = x[0] if isinstance(x, tuple) else x
            for row, chosen in enumerate(group):
                x[row, chosen] = source[0, chosen]
            z = self.head.output.save()
        return z[:, -1]


class Pyvene(Library):
    batches = False  # its units of one batch are as many in every row; windows are not

    def open(self):
        import pyvene
        self.pyvene, self.opened = pyvene, {}

    def component(self, site):
        name = ""
        for part in self.paths[site].split("."):
            name += f"[{part}]" if part.isdigit() else f".{part}" if name else part
        return name + (".output" if self.modules[site][1] else ".input")

    def intervenable(self, sites, change):
        return self.pyvene.IntervenableModel(
            [{"component": self.component(site), "intervention": change} for site in sites], self.model)

    def run(self):
        return self.model(**self.inputs("clean")).logits[:, -1]

    def kept_source(self):
        """Read by its own collecting intervention, one site at a time."""
        kept = {}
        for site in self.modules:
            config = [{"component": self.component(site),
                       "intervention": lambda base, _, site=site: kept.setdefault(site, base.clone())}]
            opened = self.pyvene.IntervenableModel(config, self.model)
            count = self.length_of(site)
            opened(self.inputs("clean"), unit_locations={"base": [[list(range(count))]]})
        return kept

    def length_of(self, site):
        return 1 + max(max(p, default=-1) for p in (
            time_maps.positions_of(self)(site, window) for window in self.windows))

    def patched(self, site, source, group):
        (chosen,) = group
        # Made once for each site: what is put there is looked up when it runs.
        if site not in self.opened:
            self.opened[site] = self.intervenable([site], lambda base, _: self.rows)
        self.rows = source[:, chosen]
        _, out = self.opened[site](self.inputs("corrupt"), unit_locations={"base": [[chosen]]})
        return out.logits[:, -1]


class TransformerLens(Library):
    batches = True

    def open(self):
        if self.is_whisper:
            cannot("has no adapter for WhisperForConditionalGeneration")
        if any(site.startswith("encoder") for site in self.sites):
            cannot("wraps the encoder of Qwen2-Audio whole: no hook inside it")
        from transformer_lens.model_bridge import TransformerBridge
        self.bridge = TransformerBridge.boot_transformers(
            str(self.folder), hf_model=self.model)

    @staticmethod
    def hook(site):
        return ("audio_projector.hook_out" if site == "connector.out"
                else f"blocks.{site.split('.')[1]}.hook_resid_post")

    def called(self, name, count, hooks):
        named = self.inputs(name, count)
        return self.bridge.run_with_hooks(named.pop("input_ids"), fwd_hooks=hooks, **named)[:, -1]

    def run(self):
        return self.called("clean", 1, [])

    def kept_source(self):
        kept = {}

        def keep(site):
            def hook(x, hook):
                kept[site] = x.clone()
            return hook
        self.called("clean", 1, [(self.hook(site), keep(site)) for site in self.modules])
        return kept

    def patched(self, site, source, group):
        def put(x, hook):
            for row, chosen in enumerate(group):
                x[row, chosen] = source[0, chosen]
            return x
        return self.called("corrupt", len(group), [(self.hook(site), put)])


LIBRARIES = {"TransformerLens": TransformerLens, "nnsight": NNsight, "pyvene": Pyvene}
# What none of them is written for, by kind of work.
NOT_THEIRS = {
    "log-mel": "computes no features",
    "step": "is not for training a whole model",
    "search": "has no attribution of its own; its hooks are PyTorch's"}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", type=Path)
    parser.add_argument("--library", choices=LIBRARIES, required=True)
    parser.add_argument("--work", choices=["forward", "map"], required=True)
    parser.add_argument("--paced", action="store_true", help="the only way there is")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    job = json.loads(options.job.read_text())
    try:
        library = LIBRARIES[options.library](job, options.work)
    except ImportError as error:
        cannot(f"is not installed: {error}")
    take_turns(library.forward if options.work == "forward" else library.cells)


if __name__ == "__main__":
    main()
