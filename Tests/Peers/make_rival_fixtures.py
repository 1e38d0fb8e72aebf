"""Results of other papers' own code on small models, for the tests of other papers' code in Tests/InterventionsTests.

    venv/bin/pip install --no-deps -r Tests/Peers/requirements-rivals.txt
    git clone https://github.com/mbzuai-nlp/spirit-breaking && git -C spirit-breaking checkout e3044bd
    venv/bin/python Tests/Peers/make_rival_fixtures.py spirit-breaking

writes Tests/InterventionsTests/Fixtures/rivals.json: numbers alone, no code. Theirs runs as it is; what it
expects and does not find is put around it:

- SPIRIT was written for an older layout of Qwen2-Audio, a GPU and `generate`: `OlderLayout` has the names
  that it looks for and answers `generate` with one pass forward, and `.to("cuda")` stays on the processor.
  Its attack imports a base that lies elsewhere, and gets a model of one token and loaders of files;
- pyvene takes models by their class: it gets the language model by itself, to which the sound comes as
  embeddings;
- TransformerLens takes token ids: a hook puts the embeddings that hold the sound in their place;
- SAELens 6.18 asks for TransformerLens 2: two names are put back to where it looks for them, and its
  `__init__`, which imports wrappers that TransformerLens 4 no longer has, is not run;
- libraries that are imported and not used are empty modules (ABSENT).
"""

import argparse
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import logging
import os
import sys
import types
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from transformers import Qwen2ForCausalLM

from peer import Peer, ROOT, read_json, stop

PAIR = "awb-a-bat-pat"
FIXTURES = ROOT / "Tests/InterventionsTests/Fixtures/rivals.json"
ABSENT = {"datasets", "librosa", "matplotlib", "noisereduce", "torchaudio", "wandb"}


class Nothing:
    """Takes the place of every class of a library that is not used."""


class Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds empty modules by the names in ABSENT."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ABSENT:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        def attribute(name):
            if name.startswith("__"):
                raise AttributeError(name)
            return type(name, (Nothing,), {})
        module.__getattr__ = attribute


def plain(values):
    """Numbers with the nine digits that tell any two float32 apart."""
    if isinstance(values, torch.Tensor):
        values = values.detach().tolist()
    if isinstance(values, dict):
        return {key: plain(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [plain(value) for value in values]
    return float(f"{values:.9g}") if isinstance(values, float) else values


# SPIRIT


class OlderLayout:
    """The model under the names that SPIRIT's code looks for."""

    def __init__(self, model):
        self.model = model
        self.language_model = SimpleNamespace(model=model.model.language_model)
        self.audio_tower = model.model.audio_tower

    def eval(self):
        return self

    def __call__(self, **inputs):
        return self.model(use_cache=False, **inputs)

    def generate(self, **inputs):
        """One pass forward, where theirs would go on: it changes the prompt alone."""
        inputs = {key: inputs[key] for key in [
            "input_ids", "attention_mask", "input_features", "feature_attention_mask"]}
        return self(**inputs).logits[0, -1]


@contextlib.contextmanager
def without_gpu():
    """Leaves tensors where they are that are to be moved to a GPU."""
    to = torch.Tensor.to
    torch.Tensor.to = lambda self, *where, **rest: (
        self if where == ("cuda",) else to(self, *where, **rest))
    try:
        yield
    finally:
        torch.Tensor.to = to


def spirit(peer, path, folder):
    """Which neurons noise moves most, and logits with them changed, in SPIRIT's way."""
    place = folder / "activation_patching"
    if not (place / "noise_defender.py").is_file():
        stop(f"{place}: no noise_defender.py; give a clone of mbzuai-nlp/spirit-breaking")
    sys.path.insert(0, str(place))
    import noise_analyzer
    import noise_defender

    sound, mel, mask = peer.hear(path)
    # Noise that needs no generator; whole steps of 2^-15, so that any program hears the same.
    index = np.arange(len(sound), dtype=np.int64)
    hiss = (index * index * 7919 + index * 104729) % 2003 - 1001
    noisy = (sound + hiss / 32768).astype(np.float32)
    heard = peer.extractor(
        noisy, sampling_rate=peer.extractor.sampling_rate, return_attention_mask=True,
        return_tensors="pt")
    ids = torch.tensor([peer.ask(mask, "transcribe:")])

    def inputs(mel):
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "input_features": mel,
                "feature_attention_mask": mask}

    clean, noisy = inputs(mel), inputs(heard.input_features)
    model = OlderLayout(peer.model)
    found = {
        "hiss": "sample i + ((7919 i^2 + 104729 i) mod 2003 - 1001) / 32768", "last": 10, "bias": 1.0,
        "plain": model.generate(**noisy), "clean": model.generate(**clean), "percent": 5.0,
        "counts": {str(n): [int(n * (p / 100)) for p in [0.01, 0.05, 0.1, 0.5, 1, 2, 3, 5, 10, 20]]
                   for n in [1152, 1760]},
        "valid": peer.lengths(mask)[0], "sites": {}}
    for ours, theirs in [("gate", "lm"), ("encoder", "audio")]:
        with without_gpu():
            neurons, acts, others = noise_analyzer.detect_noise_sensitive_neurons(
                model, clean, noisy, top_k_percent=found["percent"], activations=theirs)
            swapped = noise_analyzer.detect_noise_sensitive_neurons(
                model, noisy, clean, top_k_percent=found["percent"], activations=theirs)

        def changed(change, mode, reference):
            return noise_defender.run_with_intervention(
                model, noisy, neurons, change, reference, activations_choice=theirs, mode=mode,
                bias=found["bias"], lastN=found["last"])

        found["sites"][ours] = {
            "neurons": neurons, "positions": acts.shape[0],
            "sensitivities": (others.sum(0) - acts.sum(0)).abs()[
                [layer for layer, _ in neurons], [neuron for _, neuron in neurons]],
            "logits": {f"{change} {mode}": changed(change, mode, acts)
                       for change in ["prune", "bias", "patch"] for mode in ["all", "last", "lastN"]},
            # The program at the end of their file gives the recordings in the other order.
            "swapped": changed("patch", "all", swapped[1])}
    return found


def attack(peer, path, folder):
    """Steps of SPIRIT's attack towards one wrong token, on a recording at the model's rate and on one that
    is resampled to it."""
    sys.path.insert(0, str(folder / "QwenAudio"))
    import librosa
    import torchaudio
    # The base of the attack lies in another folder and under another name than the attack asks for.
    name = "torchattacks.attack"
    spec = importlib.util.spec_from_file_location(
        name, folder / "LLaMA-Omni/torchattacks/base_attack.py")
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    from feature_extraction_whisper import WhisperFeatureExtractor
    from torchattacks.attacks.pgd_uap_v1_speech import PGDSpeech

    sound, mel, mask = peer.hear(path)
    rate, bands = peer.extractor.sampling_rate, peer.extractor.feature_size
    target = peer.tokenizer("pat").input_ids[0]
    ids = torch.tensor([peer.ask(mask, "which thing:")])
    costs = []

    class Heard:
        device = torch.device("cpu")

        def generate(self, input_ids, input_features, **_):
            """The one token that a target of one token compares; of thirty seconds those that the model
            takes, the rest being silent."""
            logits = peer.model(
                input_ids=input_ids, attention_mask=torch.ones_like(input_ids),
                input_features=input_features[..., :mel.shape[-1]], feature_attention_mask=mask,
                use_cache=False).logits[:, -1]
            costs.append(-logits.log_softmax(-1)[0, target].item())
            return SimpleNamespace(logits=(logits,))

    class Processor:
        feature_extractor = SimpleNamespace(sampling_rate=rate)
        apply_chat_template = staticmethod(lambda *a, **k: "")
        batch_decode = staticmethod(lambda *a, **k: [""])
        __call__ = staticmethod(lambda **k: {"input_ids": ids})

    model = SimpleNamespace(
        base_model=Heard(), processor=Processor(), targetlen=1, target_ids=torch.tensor([[target]]),
        speech_processor=WhisperFeatureExtractor(
            feature_size=bands, sampling_rate=rate, hop_length=160, chunk_length=30, n_fft=400))
    found = {"target": target, "eps": 0.05, "alpha": 0.0005}
    librosa.resample = lambda *a, **k: sound[None]
    for name, stored in [("resampled", 2 * rate), ("atRate", rate)]:
        torchaudio.load = lambda path: (torch.from_numpy(sound)[None], stored)
        costs.clear()
        for count in [1, 2]:
            with without_gpu(), contextlib.redirect_stdout(None):
                steps = PGDSpeech(model, found["eps"], found["alpha"], count, 1, None, "")
                steps.device = Heard.device
                noise, _, _ = steps.forward(
                    [[{"content": [{"type": "audio", "audio_url": ""}]}]], None)
            if count == 1:
                costs.clear()
                own = noise[0, :len(sound)]
                found[name] = {"beyond": int((own.abs() > found["eps"]).sum())}
                if name == "resampled":
                    # Which samples were raised, a bit each; what is negative becomes 0 either way.
                    raised = own.numpy() > 0.999 * found["alpha"]
                    found["raised"] = np.packbits(raised).tobytes().hex()
        found[name]["costs"] = list(costs)
    return found


# pyvene and TransformerLens


class Sounds:
    """The language model by itself, with the embeddings of both members of a pair."""

    def __init__(self, peer, manifest):
        files = {u["id"]: u for u in manifest["utterances"]}
        pair = next(p for p in manifest["pairs"] if p["id"] == PAIR)
        self.tokenizer = peer.tokenizer
        self.answers = [peer.tokenizer(a).input_ids[0] for a in pair["answers"]]
        whole, kept = peer.model, []
        hook = whole.model.language_model.register_forward_pre_hook(
            lambda m, a, k: kept.append(k["inputs_embeds"].detach().clone()), with_kwargs=True)
        for member in ["clean", "corrupt"]:
            _, mel, mask = peer.hear(ROOT / files[pair[member]]["file"])
            self.ids = torch.tensor([peer.ask(mask, pair["prompt"])])
            with torch.no_grad():
                logits = whole(
                    input_ids=self.ids, attention_mask=torch.ones_like(self.ids), input_features=mel,
                    feature_attention_mask=mask, use_cache=False).logits
            setattr(self, member, kept[-1])
            setattr(self, f"{member}_difference", self.difference(logits))
        hook.remove()
        config = whole.config.text_config
        config._attn_implementation = "eager"
        config.architectures = ["Qwen2ForCausalLM"]
        self.model = Qwen2ForCausalLM(config).eval().requires_grad_(False)
        self.model.model.load_state_dict(whole.model.language_model.state_dict())
        self.model.lm_head.load_state_dict(whole.lm_head.state_dict())

    def difference(self, logits):
        return (logits[0, -1, self.answers[0]] - logits[0, -1, self.answers[1]]).item()


def interchanges(sounds, layers, windows):
    """Logit differences of the corrupt run with rows of the clean one, by pyvene."""
    import pyvene

    def run(layer, positions, intervention):
        config = pyvene.IntervenableConfig([pyvene.RepresentationConfig(
            layer, "block_output", "pos", len(positions), intervention=intervention)])
        model = pyvene.IntervenableModel(config, model=sounds.model)
        places = [[positions]]
        _, out = model(
            {"inputs_embeds": sounds.corrupt}, [{"inputs_embeds": sounds.clean}],
            {"sources->base": (places, places)})
        return sounds.difference(out.logits)

    width = sounds.model.config.hidden_size
    found = {"whole": [
        {"layer": layer, "positions": positions, "value": run(
            layer, positions, pyvene.VanillaIntervention(embed_dim=width))}
        for layer in layers for positions in windows]}
    # The principal components of a layer's rows in both runs, and pyvene's two ways to swap them.
    layer, positions, rank = 1, windows[0], 6
    with torch.no_grad():
        rows = torch.cat([sounds.model.model(
            inputs_embeds=x, output_hidden_states=True).hidden_states[layer + 1][0]
            for x in [sounds.clean, sounds.corrupt]])
    mean = rows.mean(0)
    basis = torch.linalg.svd((rows - mean).double(), full_matrices=False)[2][:rank].float()
    pca = SimpleNamespace(components_=basis.numpy())
    # Else positions are laid side by side into one long vector.
    rotated = pyvene.LowRankRotatedSpaceIntervention(
        embed_dim=width, low_rank_dimension=rank, keep_last_dim=True)
    rotated.rotate_layer.weight = basis.T.contiguous()
    found["subspace"] = {
        "layer": layer, "positions": positions, "basis": basis, "mean": mean,
        "rotated": run(layer, positions, rotated),
        "pca": run(layer, positions, pyvene.PCARotatedSpaceIntervention(
            embed_dim=width, keep_last_dim=True, pca=pca, pca_mean=mean.numpy(),
            pca_std=np.ones(width, np.float32)))}
    return found


def paths(sounds, senders):
    """Logit differences by TransformerLens: heads' outputs taken from the clean run, seen by all behind
    them or by one later head's queries, keys or values alone."""
    from transformer_lens import patching
    from transformer_lens.model_bridge import TransformerBridge

    bridge = TransformerBridge.boot_transformers(
        "in memory", hf_model=sounds.model, tokenizer=sounds.tokenizer, device="cpu",
        dtype=torch.float32)
    holding = SimpleNamespace(x=None)

    def embed(x, hook):
        return holding.x

    bridge.add_perma_hook("hook_embed", embed)
    caches = {}
    for member in ["clean", "corrupt"]:
        holding.x = getattr(sounds, member)
        logits, caches[member] = bridge.run_with_cache(sounds.ids)
        wanted = getattr(sounds, f"{member}_difference")
        if abs(sounds.difference(logits) - wanted) > 1e-4:
            stop(f"{member}: TransformerLens gives {sounds.difference(logits)}, transformers {wanted}")
    metric = lambda logits: logits[0, -1, sounds.answers[0]] - logits[0, -1, sounds.answers[1]]
    return {
        "heads": patching.get_act_patch_attn_head_out_all_pos(
            bridge, sounds.ids, caches["clean"], metric),
        "senders": [
            {"layer": layer, "head": head} | {component: patching.get_act_patch_direct_path(
                bridge, sounds.ids, caches["clean"], caches["corrupt"], metric, layer, head,
                component, verbose=False) for component in "qkv"}
            for layer, head in senders]}


# SAELens


def autoencoders():
    """One training step of TopK and BatchTopK autoencoders by SAELens, without and with dead features."""
    import transformer_lens
    import transformer_lens.hook_points
    from transformer_lens.HookedRootModule import HookedRootModule
    transformer_lens.hook_points.HookedRootModule = HookedRootModule
    transformer_lens.HookedTransformer = HookedRootModule
    package = types.ModuleType("sae_lens")
    package.__path__ = list(importlib.util.find_spec("sae_lens").submodule_search_locations)
    package.__version__, package.logger = "6.18.0", logging.getLogger("sae_lens")
    sys.modules["sae_lens"] = package
    from sae_lens import evals
    from sae_lens.config import LoggingConfig, SAETrainerConfig
    from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
    from sae_lens.saes.sae import SAEMetadata, TrainStepInput
    from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.training.activation_scaler import ActivationScaler
    from sae_lens.training.sae_trainer import SAETrainer

    random = np.random.default_rng(11)
    width, features, rows, k = 10, 24, 16, 3

    def draw(*shape):
        return torch.tensor(random.normal(size=shape).round(3), dtype=torch.float32)

    # Directions of unlike lengths, about a mean, some of which few numbers have.
    directions = draw(features, width)
    directions /= directions.norm(dim=1, keepdim=True)
    lengths = 0.3 + draw(features, 1).abs()
    mean = draw(width)
    x = mean + draw(rows, 4) @ directions[:4] + draw(rows, width) / 4
    start = {"W_enc": ((directions + draw(features, width) / 20) / lengths).T.contiguous(),
             "b_enc": draw(features) / 8, "W_dec": directions * lengths, "b_dec": mean + draw(width) / 8}
    dead = torch.zeros(features, dtype=torch.bool)
    dead[[1, 5, 8]] = True
    found = {"k": k, "x": x, "weights": start, "dead": dead.nonzero().flatten(), "rate": 1e-3}

    def made(kind, config, **options):
        sae = kind(config(
            d_in=width, d_sae=features, k=k, metadata=SAEMetadata(hook_name="x"), **options))
        with torch.no_grad():
            for name, value in start.items():
                getattr(sae, name).copy_(value)
        return sae

    for name, kind, config in [
            ("topK", TopKTrainingSAE, TopKTrainingSAEConfig),
            ("batchTopK", BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig)]:
        found[name] = {}
        for case, mask in [("alive", None), ("dead", dead)]:
            sae = made(kind, config)
            out = sae.training_forward_pass(TrainStepInput(
                sae_in=x, coefficients={}, dead_neuron_mask=mask, n_training_steps=0))
            out.loss.backward()
            found[name][case] = {
                "loss": out.losses["mse_loss"].item(),
                "auxiliary": float(out.losses["auxiliary_reconstruction_loss"].item()),
                "gradients": {n: getattr(sae, n).grad for n in start}}
            if case == "alive":
                found[name][case] |= {"features": out.feature_acts, "reconstructed": out.sae_out}
                if name == "batchTopK":
                    # They begin at 0 and move by a hundredth.
                    found[name][case]["threshold"] = sae.topk_threshold.item()
    # A step of their trainer: Adam, with gradients of length 1 at most.
    sae = made(TopKTrainingSAE, TopKTrainingSAEConfig)
    trainer = SAETrainer(SAETrainerConfig(
        n_checkpoints=0, checkpoint_path=None, save_final_checkpoint=False,
        total_training_samples=100 * rows, device="cpu", autocast=False, lr=found["rate"],
        lr_end=found["rate"] / 10, lr_scheduler_name="constant", lr_warm_up_steps=0,
        adam_beta1=0.9, adam_beta2=0.999, lr_decay_steps=0, n_restart_cycles=1,
        train_batch_size_samples=rows, dead_feature_window=1000, feature_sampling_window=2000,
        logger=LoggingConfig(log_to_wandb=False)), sae, data_provider=iter(()))
    for _ in range(2):
        trainer._train_step(sae, x)
    found["stepped"] = {n: getattr(sae, n).detach() for n in start}

    # What both call explained variance, of the autoencoder that is not trained.
    sae = made(TopKTrainingSAE, TopKTrainingSAEConfig)
    store = SimpleNamespace(get_batch_tokens=lambda count: torch.zeros(1, rows, dtype=torch.long))
    model = SimpleNamespace(run_with_cache=lambda *a, **k: (None, {"x": x[None]}))
    measured, _ = evals.get_sparsity_and_variance_metrics(
        sae, model, store, ActivationScaler(), n_batches=1, compute_l2_norms=True,
        compute_sparsity_metrics=True, compute_variance_metrics=True,
        compute_featurewise_density_statistics=False, eval_batch_size_prompts=1, model_kwargs={})
    logged = trainer._build_train_step_log_dict(sae.training_forward_pass(TrainStepInput(
        sae_in=x, coefficients={}, dead_neuron_mask=None, n_training_steps=0)), rows)
    found["metrics"] = {
        "l0": measured["l0"], "bias": measured["relative_reconstruction_bias"],
        "evaluated": measured["explained_variance"],
        "meanOfRows": measured["explained_variance_legacy"],
        "logged": logged["metrics/explained_variance"]}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("spirit", type=Path, help="a clone of mbzuai-nlp/spirit-breaking at e3044bd")
    parser.add_argument("--out", type=Path, default=FIXTURES)
    options = parser.parse_args()
    peer = Peer(ROOT / "artifacts/qwen2-audio-small")
    sys.meta_path.insert(0, Absent())
    manifest = read_json(ROOT / "data-manifests/evaluation.json")
    files = {u["id"]: u["file"] for u in manifest["utterances"]}
    sounds = Sounds(peer, manifest)
    count = sounds.ids.shape[1]
    first = sounds.ids[0].tolist().index(peer.model.config.audio_token_id)
    # Audio tokens of 40 ms around the changed phone, and the last position, whose logits are read.
    windows = [[first + i for i in range(14, 18)], [first + i for i in range(6, 8)], [count - 1]]
    found = {
        "pair": PAIR, "clean": sounds.clean_difference, "corrupt": sounds.corrupt_difference,
        "spirit": spirit(peer, ROOT / files["awb-a-bat"], options.spirit),
        "attack": attack(peer, ROOT / files["awb-a-bat"], options.spirit),
        "pyvene": interchanges(sounds, [0, 1, 3], windows),
        "paths": paths(sounds, [(1, 0), (2, 3), (3, 1)]), "autoencoders": autoencoders()}
    options.out.write_text(json.dumps(plain(found)) + "\n")
    print(f"{options.out}: {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
