"""Times exact maps of one pair against PyTorch hooks, on two threads each, in one run.

    venv/bin/python Tests/Peers/time_maps.py            # needs .build/release/tap; 20 minutes

Two folders with random weights are written to build/: one of the size of Whisper base, one of the
Qwen2-Audio architecture with 12 + 12 layers of width 768 (173 million parameters). `tap map` patches
every cell of one pair on the files alone; PyTorch does the same with hooks in `transformers`, in the
faster of its ways: all windows of a site in one batch, or one after the other; with the encoder run
again for every cell, and for the decoder's sites also with the encoder's output given. Both must find
the same logit differences. The ceiling is the arithmetic that a cell cannot do without (the layers
above the patch, keys and values of cross-attention, the text from the first changed position on) at
this machine's rate of `sgemm` on two cores (OpenBLAS' Haswell kernel, measured between the runs).
Prints a table of seconds, ratios, share of the ceiling and largest resident sizes. The package runs
kernels of AVX2, which every machine has and which give the same bits on all of them; beside PyTorch in
its fastest way stands PyTorch limited to the same instructions.
"""

import argparse
import ctypes
import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "time-maps"
RATE = 16000


# The two folders, and a pair of recordings for each.

def words(count, special):
    """A tokenizer of whole words, as the small checkpoints have it."""
    names = {**special}
    free = iter(range(count))
    taken = set(special.values())
    for i in free:
        if i not in taken:
            names[f"w{i}"] = i
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": i, "content": name, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True} for name, i in sorted(
                 special.items(), key=lambda item: item[1])],
        "normalizer": None, "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": names, "unk_token": "w9"}}


def write_whisper(folder):
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    torch.manual_seed(1)
    config = WhisperConfig(
        vocab_size=51865, num_mel_bins=80, encoder_layers=6, encoder_attention_heads=8,
        decoder_layers=6, decoder_attention_heads=8, decoder_ffn_dim=2048, encoder_ffn_dim=2048,
        d_model=512, max_source_positions=1500, max_target_positions=448, init_std=0.04,
        pad_token_id=50257, bos_token_id=50257, eos_token_id=50257, decoder_start_token_id=50258,
        suppress_tokens=None, begin_suppress_tokens=None)
    model = WhisperForConditionalGeneration(config).eval()
    model.save_pretrained(folder)
    special = {
        "<|endoftext|>": 50257, "<|startoftranscript|>": 50258, "<|en|>": 50259, "<|de|>": 50261,
        "<|translate|>": 50358, "<|transcribe|>": 50359, "<|startofprev|>": 50361,
        "<|notimestamps|>": 50363}
    (folder / "tokenizer.json").write_text(json.dumps(words(51865, special)))
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "chunk_length": 30, "feature_extractor_type": "WhisperFeatureExtractor",
        "feature_size": 80, "hop_length": 160, "n_fft": 400, "n_samples": 480000,
        "nb_max_frames": 3000, "padding_side": "right", "padding_value": 0.0,
        "sampling_rate": RATE}))


def write_speech_lm(folder, layers=12, width=768, mlp=2048):
    """Of so many layers in the encoder and in the language model each."""
    import torch
    from transformers import Qwen2AudioConfig, Qwen2AudioForConditionalGeneration

    torch.manual_seed(2)
    config = Qwen2AudioConfig(
        audio_config=dict(
            model_type="qwen2_audio_encoder", num_mel_bins=128, d_model=width, encoder_layers=layers,
            encoder_attention_heads=width // 64, encoder_ffn_dim=4 * width,
            max_source_positions=1500, init_std=0.03),
        text_config=dict(
            model_type="qwen2", vocab_size=4000, hidden_size=width, intermediate_size=mlp,
            num_hidden_layers=layers, num_attention_heads=width // 64,
            num_key_value_heads=width // 64,
            max_position_embeddings=2048, rms_norm_eps=1e-5, rope_theta=10000.0,
            use_sliding_window=False, initializer_range=0.05),
        audio_token_index=2)
    model = Qwen2AudioForConditionalGeneration(config).eval()
    model.save_pretrained(folder)
    special = {"<|endoftext|>": 0, "<|audio_bos|>": 1, "<|AUDIO|>": 2, "<|audio_eos|>": 3}
    (folder / "tokenizer.json").write_text(json.dumps(words(4000, special)))
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "chunk_length": 30, "feature_extractor_type": "WhisperFeatureExtractor",
        "feature_size": 128, "hop_length": 160, "n_fft": 400, "padding_side": "right",
        "padding_value": 0.0, "return_attention_mask": True, "sampling_rate": RATE}))


def write_pair(folder, seconds):
    """Two recordings of one length that differ in the middle."""
    import soundfile

    suite = sorted((ROOT / "artifacts" / "evaluation" / "kal").glob("*.flac"))
    sound, i = [], 0
    while sum(map(len, sound)) < seconds * RATE:
        sound.append(soundfile.read(suite[i], dtype="float32")[0])
        i += 1
    clean = numpy.concatenate(sound)[:int(seconds * RATE)]
    corrupt = clean.copy()
    other = soundfile.read(suite[i], dtype="float32")[0]
    middle, length = len(clean) // 3, min(len(other), len(clean) // 4)
    corrupt[middle:middle + length] = other[:length]
    paths = []
    for name, samples in ("clean", clean), ("corrupt", corrupt):
        paths.append(folder / f"{name}.wav")
        soundfile.write(paths[-1], samples, RATE, subtype="FLOAT")
    return [str(path) for path in paths]


# PyTorch, in a process of its own.

class Hooked:
    """A model with both recordings of the pair, and its logits at the last position."""

    def __init__(self, folder, sounds=None, ids=None, threads=2):
        """The folder has the recordings where they are not named, and the ids are made up where not given."""
        import torch
        import soundfile
        from transformers import WhisperFeatureExtractor

        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        sounds = sounds or {name: folder / f"{name}.wav" for name in ("clean", "corrupt")}
        self.folder, self.torch = folder, torch
        config = json.loads((folder / "config.json").read_text())
        self.is_whisper = config["model_type"] == "whisper"
        front = WhisperFeatureExtractor.from_pretrained(folder)
        self.mel = {}
        for name, path in sounds.items():
            samples = soundfile.read(path, dtype="float32")[0]
            out = front(samples, sampling_rate=RATE, return_tensors="pt",
                        return_attention_mask=True, padding="max_length")
            self.mel[name], self.mask = out.input_features, out.attention_mask
        if self.is_whisper:
            from transformers import WhisperForConditionalGeneration as Model
            self.ids = ids or [50258, 50259, 50359, 50363]
        else:
            from transformers import Qwen2AudioForConditionalGeneration as Model
            rows = (int(self.mask.sum()) - 1) // 2 + 1
            self.tokens = (rows - 2) // 2 + 1
            self.ids = ids or [1] + [2] * self.tokens + [3, 10, 11]
            self.first = self.ids.index(config["audio_token_index"])
        self.model = Model.from_pretrained(
            folder, attn_implementation="sdpa", dtype=torch.float32).eval()
        self.modules = self.places()
        self.kept = {}

    def places(self):
        m = self.model.model
        if self.is_whisper:
            found = {"encoder.embed": (m.encoder.layers[0], False)}
            found |= {f"encoder.{i}.resid_post": (x, True) for i, x in enumerate(m.encoder.layers)}
            for i, x in enumerate(m.decoder.layers):
                found[f"decoder.{i}.resid_post"] = (x, True)
                found[f"decoder.{i}.cross.k"] = (x.encoder_attn.k_proj, True)
                found[f"decoder.{i}.cross.v"] = (x.encoder_attn.v_proj, True)
                found[f"decoder.{i}.cross.z"] = (x.encoder_attn.out_proj, False)
            return found
        found = {"encoder.embed": (m.audio_tower.layers[0], False)}
        found |= {f"encoder.{i}.resid_post": (x, True) for i, x in enumerate(m.audio_tower.layers)}
        found["connector.out"] = (m.multi_modal_projector, True)
        return found | {
            f"lm.{i}.resid_post": (x, True) for i, x in enumerate(m.language_model.layers)}

    def hooked(self, site, change):
        module, is_output = self.modules[site]
        if is_output:
            def after(_, inputs, out):
                x = change(site, out[0] if isinstance(out, tuple) else out)
                return (x, *out[1:]) if isinstance(out, tuple) else x
            return module.register_forward_hook(after)
        return module.register_forward_pre_hook(
            lambda _, inputs: (change(site, inputs[0]), *inputs[1:]), with_kwargs=False)

    def logits(self, name, count=1, encoded=None):
        torch = self.torch
        ids = torch.tensor([self.ids] * count)
        if self.is_whisper:
            if encoded is not None:
                from transformers.modeling_outputs import BaseModelOutput
                out = BaseModelOutput(last_hidden_state=encoded.expand(count, -1, -1))
                return self.model(
                    encoder_outputs=out, decoder_input_ids=ids, use_cache=False).logits[:, -1]
            return self.model(
                input_features=self.mel[name].expand(count, -1, -1), decoder_input_ids=ids,
                use_cache=False).logits[:, -1]
        return self.model(
            input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False,
            input_features=self.mel[name].expand(count, -1, -1),
            feature_attention_mask=self.mask.expand(count, -1)).logits[:, -1]

    def trace(self, name):
        kept, hooks = {}, []

        def keep(site, x):
            kept[site] = x.clone()
            return x
        for site in self.modules:
            hooks.append(self.hooked(site, keep))
        logits = self.logits(name)
        for hook in hooks:
            hook.remove()
        return logits[0], kept

    def answers(self, among=None):
        """The two tokens whose order changes most between the recordings; of some ids, or of all."""
        clean, corrupt = (self.trace(name)[0].double() for name in ("clean", "corrupt"))
        change = (clean - corrupt).numpy()
        clean = clean.numpy()
        order = numpy.argsort(change)
        if among is not None:
            order = order[numpy.isin(order, among)]
        best = (0, None, None)
        for a in order[-60:]:
            for b in order[:60]:
                high, low = clean[a] - clean[b], clean[a] - clean[b] - change[a] + change[b]
                if min(high, -low) > best[0]:
                    best = (min(high, -low), int(a), int(b))
        if best[1] is None:
            sys.exit(f"{self.folder}: no two tokens change their order; take another seed")
        return best[1], best[2]

    def map(self, sites, windows, positions, answer, foil, batched, reuse):
        """LD by site and window, corrupt run patched from the clean one."""
        _, source = self.trace("clean")
        self.trace("corrupt")
        encoded = self.kept_encoder() if reuse else None
        table = {}
        for site in sites:
            cells = [(w, positions(site, w)) for w in windows]
            cells = [(w, p) for w, p in cells if p]
            if not cells:
                # Of a few windows none may be of the text, where the decoder's cells are.
                continue
            groups = [cells] if batched else [[cell] for cell in cells]
            for group in groups:
                def put(_, x):
                    x = x.clone()
                    for row, (_, p) in enumerate(group):
                        x[row, p] = source[site][0, p]
                    return x
                hook = self.hooked(site, put)
                z = self.logits(
                    "corrupt", len(group), encoded if self.is_behind_encoder(site) else None)
                hook.remove()
                for (w, _), value in zip(group, (z[:, answer] - z[:, foil]).tolist()):
                    table[site, w] = value
        return table

    @staticmethod
    def is_behind_encoder(site):
        """Whether a run with what the encoder gave still computes the site."""
        return site.startswith(("decoder", "lm"))

    def kept_encoder(self):
        return self.model.model.encoder(self.mel["corrupt"]).last_hidden_state


def centres(hooked, site):
    """Centre in ms of each position that stands for sound."""
    if site.startswith("encoder") or site.endswith((".cross.k", ".cross.v")):
        rows = 1500 if hooked.is_whisper else (int(hooked.mask.sum()) - 1) // 2 + 1
        return {i: 20 * i for i in range(rows)}
    if site.startswith("decoder"):
        return {}
    first = hooked.first if site.startswith("lm") else 0
    return {first + i: 40 * i + 10 for i in range(hooked.tokens)}


def positions_of(hooked):
    def positions(site, window):
        where = centres(hooked, site)
        if window[0] == "time":
            return [p for p, c in where.items() if window[1] <= c < window[2]]
        is_text = site.startswith(("decoder", "lm")) and not site.endswith((".cross.k", ".cross.v"))
        if not is_text:
            return []
        text = [i for i in range(len(hooked.ids)) if i not in where]
        # A short text has no fourth position from its end.
        return text[window[1]:][:1] if len(text) + window[1] >= 0 else []
    return positions


def torch_job(folder, job, queue):
    hooked = Hooked(Path(folder))
    if job is None:
        queue.put(hooked.answers())
        return
    windows = [tuple(w) for w in job["windows"]]
    times, table = {}, {}
    for batched in job["ways"]:
        for reuse in (False, True) if job["reuse"] else (False,):
            start = time.perf_counter()
            table = hooked.map(
                job["sites"], windows, positions_of(hooked), job["answer"], job["foil"], batched,
                reuse)
            times[batched, reuse] = time.perf_counter() - start
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024**2
    queue.put((times, table, peak))


# What limits PyTorch to the instructions of the package's kernels, which every machine has.
NARROW = {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2",
          "ONEDNN_MAX_CPU_ISA": "AVX2"}


def in_process(function, *arguments, narrow=False):
    for name, value in NARROW.items():
        os.environ.pop(name, None)
        if narrow:
            os.environ[name] = value
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=function, args=(*arguments, queue))
    process.start()
    result = queue.get()
    process.join()
    return result


# The package.

def tap_job(tap, folder, job, model=None, before=(), more=()):
    """Seconds, result and GiB of `tap map` on the pair of a folder, which also holds the model unless
    another does; what stands before the command, such as taskset, and more options."""
    out = folder / "map.json"
    command = [
        *before, tap, "map", "--model", str(model or folder), "--pairs", str(folder / "pairs.json"),
        "--alignment", "identity", "--windows", f"time:{job['width']:g}", "--text",
        str(job["text"]), "--direction", "sufficiency", "--sites", ",".join(job["families"]),
        "--minimum-gap", "1e-9", "--exact-only", "--fresh", "--json", "--out", str(out), *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)}\n{said}")
    found = json.loads(said)
    return found["map_cost"]["seconds"], found, usage.ru_maxrss / 1024**2


def sgemm_rate(seconds=2.0, cores=2):
    """Operations a second of single-precision products on so many cores at a time."""
    os.environ["OPENBLAS_CORETYPE"] = "Haswell"
    blas = ctypes.CDLL("libopenblas.so.0")
    os.environ.pop("OPENBLAS_CORETYPE")
    blas.openblas_set_num_threads(1)
    n = 1536
    done = [0] * cores

    def work(i):
        a, b, c = (numpy.ones((n, n), numpy.float32) for _ in range(3))
        pointers = [ctypes.c_void_p(x.ctypes.data) for x in (a, b, c)]
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            blas.cblas_sgemm(
                101, 111, 112, n, n, n, ctypes.c_float(1), pointers[0], n, pointers[1], n,
                ctypes.c_float(0), pointers[2], n)
            done[i] += 1
    threads = [threading.Thread(target=work, args=(i,)) for i in range(cores)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) * 2 * n**3 / (time.perf_counter() - start)


def arithmetic(job, table):
    """Operations that the cells of a table cannot do without."""
    d, heads_mlp, layers = job["encoder"]
    rows = job["rows"]

    def layer(rows, d, mlp, mats=4, ups=2, keys=None):
        return 2 * rows * (mats * d * d + ups * d * mlp) + 4 * rows * (keys or rows) * d
    total = 0
    for cell in table:
        site, window = cell
        stage, *rest = site.split(".")
        index = int(rest[0]) if rest[0].isdigit() else -1
        if job["whisper"]:
            text = layer(12, d, heads_mlp, keys=12) + 2 * 12 * 2 * d * d + 4 * 12 * rows * d
            if stage == "encoder":
                total += (layers - 1 - index) * layer(rows, d, heads_mlp)
                total += layers * (2 * 2 * rows * d * d + text)
            else:
                total += (layers - index - (0 if "cross" in site else 1)) * text
            total += 2 * 12 * 51865 * d
        else:
            width, mlp, deep = job["lm"]
            first = job["first"](window)
            own = job["positions"] - first
            if stage == "encoder":
                total += (layers - 1 - index) * layer(rows, d, heads_mlp)
                total += 2 * (rows // 2) * d * width
                own, done = job["positions"], -1
            else:
                done = index if stage == "lm" else -1
            full = layer(own, width, mlp, ups=3, keys=job["positions"])
            # Of the last layer keys and values of all rows, the rest of the last block alone.
            last = 2 * own * 2 * width * width + layer(12, width, mlp, mats=2, ups=3, keys=job["positions"])
            todo = deep - 1 - done
            if todo > 0:
                total += (todo - 1) * full + last
            total += 2 * 12 * 4000 * width
    return total


def compare(name, tap, folder, job, rounds):
    rates, ours, theirs, narrow = [], [], [], []
    asked = {key: job[key] for key in ("sites", "windows", "answer", "foil", "reuse")}
    asked["ways"] = [True, False] if job["both"] else [True]
    for _ in range(rounds):
        rates.append(sgemm_rate())
        seconds, found, peak = tap_job(tap, folder, job)
        ours.append((seconds, peak))
        theirs.append(in_process(torch_job, str(folder), asked))
        narrow.append(in_process(torch_job, str(folder), asked, narrow=True))
    rates.append(sgemm_rate())
    table = theirs[0][1]
    worst = agreement(found, table, job)
    best = min(seconds for seconds, _ in ours)
    ceiling = arithmetic(job, table) / max(rates)
    for reuse in (False, True) if job["reuse"] else (False,):
        what = name + (", encoder's output given" if reuse else "")
        there, equal = (
            min(t for times, _, _ in runs for (_, r), t in times.items() if r == reuse)
            for runs in (theirs, narrow))
        print(
            f"{what:72s} {len(table):5d} {best:8.2f} {there:8.2f} {there / best:6.2f}"
            f" {equal:8.2f} {equal / best:6.2f} {ceiling / best:8.0%}"
            f" {ours[0][1]:6.2f} {theirs[0][2]:6.2f} {worst:9.1e}", flush=True)
    print(f"{'':72s} sgemm: {', '.join(f'{rate / 1e9:.0f}' for rate in rates)} GFLOP/s", flush=True)


def agreement(found, table, job):
    """The largest difference of a cell's logit difference, in nats."""
    (values,) = found["sufficiency"]["logit_difference_by_pair"]
    names = {w: n for w, n in zip(job["windows"], found["columns"])}
    worst = 0
    for (site, window), value in table.items():
        own = values[found["rows"].index(site)][found["columns"].index(names[window])]
        worst = max(worst, abs(own - value))
    return worst


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tap", default=str(ROOT / ".build" / "release" / "tap"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--batched", action="store_true", help="do not time PyTorch one window after the other")
    parser.add_argument("--only", choices=["whisper", "speech-lm"])
    options = parser.parse_args()
    print(f"{'work':72s} {'cells':>5s} {'tap s':>8s} {'torch s':>8s} {'ratio':>6s} {'AVX2 s':>8s}"
          f" {'ratio':>6s} {'ceiling':>8s} {'GiB':>6s} {'GiB':>6s} {'nats off':>9s}")
    for kind, write, seconds in (
            ("whisper", write_whisper, 1.2), ("speech-lm", write_speech_lm, 10.0)):
        if options.only not in (None, kind):
            continue
        folder = BUILD / kind
        if not (folder / "clean.wav").exists():
            folder.mkdir(parents=True, exist_ok=True)
            write(folder)
            write_pair(folder, seconds)
        answer, foil = in_process(torch_job, str(folder), None)
        table = folder / "pairs.csv"
        prompt = "" if kind == "whisper" else "w10 w11"
        table.write_text(
            "audio_clean,audio_corrupt,prompt,answer,foil\n"
            f"{folder}/clean.wav,{folder}/corrupt.wav,{prompt},w{answer},w{foil}\n")
        subprocess.run(
            [options.tap, "pairs", "--table", str(table), "--out", str(folder / "pairs.json")],
            check=True, stdout=subprocess.DEVNULL)
        for name, job in jobs(kind, seconds, answer, foil):
            job["both"] = not options.batched
            compare(name, options.tap, folder, job, options.rounds)


def jobs(kind, seconds, answer, foil):
    length = 1000 * seconds
    common = {"answer": answer, "foil": foil, "whisper": kind == "whisper"}

    def windows(width, text):
        times = [("time", width * i, width * (i + 1)) for i in range(int(numpy.ceil(length / width)))]
        return times + [("text", i - text) for i in range(text)]
    if kind == "whisper":
        encoder = ["encoder.embed"] + [f"encoder.{i}.resid_post" for i in range(6)]
        sizes = {"encoder": (512, 2048, 6), "rows": 1500}
        yield "Whisper base, residual map, encoder cells", {
            **common, **sizes, "sites": encoder, "families": encoder, "width": 240, "text": 0,
            "windows": windows(240, 0), "reuse": False}
        decoder = [f"decoder.{i}.{name}" for i in range(6) for name in (
            "resid_post", "cross.k", "cross.v", "cross.z")]
        yield "Whisper base, decoder and cross-attention cells", {
            **common, **sizes, "sites": decoder, "families": decoder, "width": 120, "text": 4,
            "windows": windows(120, 4), "reuse": True}
        return
    rows = int(length / 20)
    tokens = rows // 2
    positions = 12 * ((tokens + 5 + 11) // 12)

    def first(window):
        start = tokens if window[0] == "text" else max(0, window[1] / 40)
        return int(start) // 12 * 12
    sites = (["encoder.embed"] + [f"encoder.{i}.resid_post" for i in range(12)] + ["connector.out"]
             + [f"lm.{i}.resid_post" for i in range(12)])
    yield "173 million parameters, 10 s, residual map", {
        **common, "sites": sites, "families": ["residual"], "width": 1000, "text": 4,
        "windows": windows(1000, 4), "reuse": False, "encoder": (768, 3072, 12), "rows": rows,
        "lm": (768, 2048, 12), "positions": positions, "first": first}


if __name__ == "__main__":
    main()
