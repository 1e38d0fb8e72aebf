"""Runs of the checkpoint whose residual stream is read, replaced and differentiated with hooks."""

from contextlib import contextmanager

import torch


def sites(model):
    """The module of each residual site, in the order of the computation, and whether the site is
    its output; all are [batch, positions, width]."""
    tower, lm = model.model.audio_tower, model.model.language_model
    found = {"encoder.embed": (tower.layers[0], False)}
    found |= {f"encoder.{i}.resid_post": (m, True) for i, m in enumerate(tower.layers)}
    found["connector.out"] = (model.model.multi_modal_projector, True)
    return found | {f"lm.{i}.resid_post": (m, True) for i, m in enumerate(lm.layers)}


@contextmanager
def tapped(found, change):
    """While open, `change(site, x)` sees each activation; what it returns, if not None, replaces
    it."""
    hooks = []
    for site, (module, is_output) in found.items():
        if is_output:
            hooks.append(module.register_forward_hook(lambda m, a, x, site=site: change(site, x)))
        else:
            def before(module, arguments, site=site):
                x = change(site, arguments[0])
                return None if x is None else (x, *arguments[1:])
            hooks.append(module.register_forward_pre_hook(before))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class Run:
    """One member of a pair with its activations, and how LD depends on them, from one pass
    forward and one back."""

    def __init__(self, peer, path, prompt, answer, foil):
        _, self.mel, self.mask = peer.hear(path)
        self.peer, self.ids = peer, peer.ask(self.mask, prompt)
        self.answer, self.foil = answer, foil
        self.x = {}

        def keep(site, x):
            x.requires_grad_()  # the first site is where the recorded computation begins
            x.retain_grad()
            self.x[site] = x

        with tapped(sites(peer.model), keep):
            difference = self.difference(1)
        difference.sum().backward()
        self.value = difference.item()
        self.slope = {site: x.grad[0] for site, x in self.x.items()}
        self.x = {site: x.detach()[0] for site, x in self.x.items()}

    def difference(self, count):
        """LD of so many copies of the run."""
        ids = torch.tensor([self.ids] * count)
        z = self.peer.model(
            input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False,
            input_features=self.mel.repeat(count, 1, 1),
            feature_attention_mask=self.mask.repeat(count, 1)).logits[:, -1]
        return z[:, self.answer] - z[:, self.foil]

    def centres(self, site):
        """Positions of a site that come from the sound, with their centres in ms."""
        rows, tokens = self.peer.lengths(self.mask)  # rows beyond are padding
        if site.startswith("encoder"):
            return {i: 20 * i for i in range(rows)}
        first = self.ids.index(self.peer.model.config.audio_token_id) if site[:2] == "lm" else 0
        return {first + i: 40 * i + 10 for i in range(tokens)}

    def everything(self, site):
        """All positions of a site, text included, padding not."""
        return list(range(len(self.ids)) if site.startswith("lm") else self.centres(site))

    def patched(self, site, source, windows):
        """LD with the source's activation in each window, one copy of the run a window."""
        def put(_, x):
            for row, positions in enumerate(windows.values()):
                x[row, positions] = source.x[site][positions]
            return x

        with torch.no_grad(), tapped({site: sites(self.peer.model)[site]}, put):
            return dict(zip(windows, self.difference(len(windows)).tolist()))

    def attributed(self, site, source, windows):
        """(a_source - a_base) . dLD/da at the base, summed over each window."""
        change = ((source.x[site] - self.x[site]).double() * self.slope[site].double()).sum(-1)
        return {window: change[positions].sum().item() for window, positions in windows.items()}
