"""PyTorch's side of bench.py: the same work with hooks in `transformers`, in a process of its own that takes
turns with the package.

    python -m bench_parts.torch_side JOB.json --work map --way batched --reuse --paced

The ways of a map: one cell a pass, or all windows of a site in one batch; with the encoder run again for
every pass, or with what it gave kept where the patched site lies behind it.
"""

import argparse
import json
import re
import sys
import time
from pathlib import Path

import torch
import transformers

import time_maps
from bench_parts import torch_step

SIGN = "ready"
transformers.logging.disable_progress_bar()


class Timed(time_maps.Hooked):
    """The model of a job, with the logits of the last position alone, as a user in a hurry would ask."""

    def __init__(self, job):
        super().__init__(
            Path(job["torch"]), {name: job[name] for name in ("clean", "corrupt")}, job["ids"],
            job["threads"])
        self.model.requires_grad_(False)
        self.job, self.windows = job, [tuple(window) for window in job.get("places", [])]
        self.embedded = {}

    def choose(self, sites):
        """The sites that are seen: no hook is on any other."""
        known, m = dict(self.modules), self.model.model
        if not self.is_whisper:
            for i, layer in enumerate(m.audio_tower.layers):
                known[f"encoder.{i}.attn.z"] = layer.self_attn.out_proj, False
            for i, layer in enumerate(m.language_model.layers):
                known[f"lm.{i}.attn.z"] = layer.self_attn.o_proj, False
        self.sites = sites
        self.modules = {site: known[site] for site in (s.removesuffix("[*]") for s in sites)}
        return self

    def logits(self, name, count=1, encoded=None):
        ids = torch.tensor([self.ids] * count)
        if not self.is_whisper and encoded is not None:
            out = self.model.model.language_model(
                inputs_embeds=encoded.expand(count, -1, -1), use_cache=False)
            return self.model.lm_head(out.last_hidden_state[:, -1])
        if not self.is_whisper:
            return self.model(
                input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False,
                input_features=self.mel[name].expand(count, -1, -1),
                feature_attention_mask=self.mask.expand(count, -1), logits_to_keep=1).logits[:, -1]
        heard = {"input_features": self.mel[name].expand(count, -1, -1)}
        if encoded is not None:
            from transformers.modeling_outputs import BaseModelOutput
            heard = {"encoder_outputs": BaseModelOutput(
                last_hidden_state=encoded.expand(count, -1, -1))}
        out = self.model.model(**heard, decoder_input_ids=ids, use_cache=False)
        return self.model.proj_out(out.last_hidden_state[:, -1])

    def difference(self, z):
        return z[..., self.job["answer"]] - z[..., self.job["foil"]]

    def kept_encoder(self):
        """What lies behind the encoder: of a speech LM the embeddings with the sound in them."""
        if self.is_whisper:
            return super().kept_encoder()
        kept = []
        hook = self.model.model.language_model.register_forward_pre_hook(
            lambda _, arguments, named: kept.append(named["inputs_embeds"]), with_kwargs=True)
        self.logits("corrupt")
        hook.remove()
        return kept[0]

    # The kinds of work; each gives numbers by the names of the package.

    def forward(self):
        return {"clean": self.difference(self.logits("clean"))[0].item()}

    def cells(self, batched, reuse):
        found = self.map(
            self.sites, self.windows, time_maps.positions_of(self), self.job["answer"],
            self.job["foil"], batched, reuse)
        names = dict(zip(self.windows, self.job["windows"]))
        return {f"{site}@{names[window]}": value for (site, window), value in found.items()}

    def search(self):
        """Attribution: the clean run, the corrupt run and one pass back."""
        _, source = self.trace("clean")
        kept = {}

        def keep(site, x):
            kept[site] = x if x.requires_grad else x.requires_grad_()
            return kept[site]
        with torch.enable_grad():
            hooks = [self.hooked(site, keep) for site in self.modules]
            value = self.difference(self.logits("corrupt"))[0]
            for hook in hooks:
                hook.remove()
            slopes = torch.autograd.grad(value, list(kept.values()))
        positions, found = time_maps.positions_of(self), {}
        for (site, x), slope in zip(kept.items(), slopes):
            change = (source[site] - x.detach())[0] * slope[0]
            parts = self.heads(site) if f"{site}[*]" in self.sites else 1
            change = change.unflatten(-1, (parts, -1)).sum(-1)
            for name, window in zip(self.job["windows"], self.windows):
                if chosen := positions(site, window):
                    for part, score in enumerate(change[chosen].sum(0).tolist()):
                        index = f"[{part}]" if f"{site}[*]" in self.sites else ""
                        found[f"{site}{index}@{name}"] = score
        return found

    def heads(self, site):
        config = self.model.config
        return (config.audio_config.encoder_attention_heads if site.startswith("encoder")
                else config.text_config.num_attention_heads)


def log_mel(job):
    import soundfile
    from transformers import WhisperFeatureExtractor
    torch.set_num_threads(job["threads"])
    front = WhisperFeatureExtractor.from_pretrained(job["torch"])
    samples = soundfile.read(job["clean"], dtype="float32")[0]

    def repeat():
        out = front(samples, sampling_rate=time_maps.RATE, return_tensors="np",
                    padding="max_length")
        numbers = out.input_features[0].T.reshape(-1)
        return {str(i): float(numbers[i]) for i in range(0, len(numbers), 101)}
    return repeat


def answers(job, queue):
    """The two tokens whose order changes most between the recordings of a job, of those that a list of pairs
    can write: a byte of a longer character is no text."""
    # A folder that names its parts has its tokenizer in one of them; what was exported from it has it itself.
    folder = next(f for f in (Path(job["model"]), Path(job["torch"])) if (f / "tokenizer.json").exists())
    names = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    written = [i for name, i in names.items() if re.fullmatch("\u0120?[A-Za-z0-9]+", name)]
    queue.put(Timed(job).choose([]).answers(written))


def prepared(job, options):
    if options.work == "log-mel":
        return log_mel(job)
    if options.work == "step":
        return torch_step.prepared(job)
    timed = Timed(job)
    timed.choose([] if options.work == "forward" else job["sites"])
    if options.work == "map":
        return lambda: timed.cells(options.way == "batched", options.reuse)
    return {"forward": timed.forward, "search": timed.search}[options.work]


def peak_mebibytes():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def take_turns(repeat):
    """One repetition that is not timed, then one for each line of input."""
    first = last = repeat()
    print(json.dumps({SIGN: True}), flush=True)
    seconds = []
    for _ in sys.stdin:
        start = time.perf_counter()
        last = repeat()
        seconds.append(time.perf_counter() - start)
        print(json.dumps({"seconds": seconds[-1]}), flush=True)
    print(json.dumps({
        "seconds": seconds, "peak_mebibytes": peak_mebibytes(),
        "first": list(first.items()), "last": list(last.items())}), flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", type=Path)
    parser.add_argument("--work", required=True)
    parser.add_argument("--way", choices=["one", "batched"], default="batched")
    parser.add_argument("--reuse", action="store_true")
    parser.add_argument("--paced", action="store_true", help="the only way there is")
    options = parser.parse_args()
    take_turns(prepared(json.loads(options.job.read_text()), options))


if __name__ == "__main__":
    main()
