"""Makes the values that the tests of statistics compare with, by SciPy.

    python3 -m venv venv && venv/bin/pip install numpy==2.4.6 scipy==1.17.1
    venv/bin/python Tests/Peers/make_statistics_fixtures.py Tests/InterventionsTests/Fixtures

The package's random numbers are written again here, and SciPy's bootstrap is given them in place of
its own: the same samples are drawn, so that intervals can be compared to the last digits. What SciPy
does not have (the max-T test) is computed from its definition. Running this again gives the same
bytes.
"""

import itertools
import json
import sys
from pathlib import Path

import numpy as np
from scipy import special, stats

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def mixed(x):
    x &= MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


class Stream:
    """Sources/Tensor/Storage/Random.swift, from its description: SplitMix64 over a keyed counter."""

    def __init__(self, seed):
        self.key = mixed(seed + GOLDEN)
        self.counter = 0

    def next(self):
        self.counter = (self.counter + 1) & MASK
        return mixed(self.key + self.counter * GOLDEN)

    def below(self, bound):
        return (self.next() * bound) >> 64


class CountedGenerator(np.random.Generator):
    """A NumPy generator whose whole numbers are those of a stream."""

    def __new__(cls, stream):
        self = super().__new__(cls, np.random.PCG64(0))
        self.stream = stream
        return self

    def __init__(self, stream):
        super().__init__(np.random.PCG64(0))

    def integers(self, low, high=None, size=None, dtype=np.int64, endpoint=False):
        assert low == 0 and not endpoint
        return np.array(
            [self.stream.below(high) for _ in range(int(np.prod(size)))], dtype=dtype
        ).reshape(size)


def numbers(rng, n, ties):
    """Numbers that are exact in decimal, with ties where asked for."""
    return [float(v) for v in rng.integers(-6, 7, n) / 4] if ties else [
        float(v) for v in np.round(rng.normal(size=n), 6)
    ]


def correlations(rng):
    rows = []
    for n, ties in [(2, False), (10, True), (25, False), (60, True), (200, True), (333, False)]:
        x = numbers(rng, n, ties)
        y = [round(0.4 * a + b, 6) for a, b in zip(x, numbers(rng, n, ties))]
        rows.append({
            "x": x, "y": y, "pearson": stats.pearsonr(x, y)[0],
            "spearman": stats.spearmanr(x, y)[0],
            "kendall": stats.kendalltau(x, y, variant="b")[0],
            "slope": stats.linregress(x, y).slope, "ranks": stats.rankdata(x).tolist(),
        })
    return rows


def bootstraps(rng):
    rows = []
    for n, level in [(16, 0.95), (24, 0.95), (24, 0.9), (40, 0.99)]:
        b = np.round(4 + rng.normal(size=n), 6)
        a = np.round(0.4 * b + rng.exponential(size=n), 6)
        statistics = {
            "ratio": lambda a, b: np.sum(a) / np.sum(b),
            "pearson": lambda a, b: stats.pearsonr(a, b)[0],
        }
        for name, statistic in statistics.items():
            for method in ["percentile", "bca"]:
                seed, draws = 70 + len(rows), 499
                found = stats.bootstrap(
                    (a, b), statistic, paired=True, vectorized=False, n_resamples=draws,
                    confidence_level=level, method=method.upper() if method == "bca" else method,
                    rng=CountedGenerator(Stream(seed)), batch=1,
                ).confidence_interval
                rows.append({
                    "a": a.tolist(), "b": b.tolist(), "statistic": name, "method": method,
                    "level": level, "seed": seed, "draws": draws, "value": statistic(a, b),
                    "low": found.low, "high": found.high,
                })
    return rows


def sign_flips(rng):
    rows = []
    for n in [2, 3, 6, 9, 12]:
        for shift in [0, 1]:
            x = np.round(rng.normal(size=n) + shift, 2)
            found = stats.permutation_test(
                (x,), np.mean, permutation_type="samples", n_resamples=np.inf,
                alternative="two-sided", vectorized=False)
            rows.append({"means": x.tolist(), "p": found.pvalue})
    return rows


def studentised(values):
    present = np.array([v for v in values if v is not None])
    return present.mean() / (present.std(ddof=1) / np.sqrt(len(present)))


def max_t(rng):
    """Every choice of signs, one statistic at a time, as the definition says."""
    groups, cells = 8, 9
    shared = rng.normal(size=groups)
    table = [
        [round(float(shared[g] + rng.normal() + (2.5 if c in (2, 5) else 0.4)), 4)
         for g in range(groups)]
        for c in range(cells)
    ]
    table[3] = [None] * groups
    table[6] = [0.0] * groups
    table[4][1] = table[4][6] = None
    family = [c for c in range(cells) if c not in (3, 6)]
    observed = {c: studentised(table[c]) for c in family}
    choices = [
        {c: abs(studentised([None if v is None else s * v for v, s in zip(table[c], signs)]))
         for c in family}
        for signs in itertools.product([1, -1], repeat=groups)
    ]
    order = sorted(family, key=lambda c: -abs(observed[c]))
    share = lambda cells, bound: np.mean(
        [max(choice[c] for c in cells) >= bound * (1 - 1e-12) for choice in choices])
    single = {c: share(family, abs(observed[c])) for c in family}
    down, highest = {}, 0.0
    for rank, c in enumerate(order):
        highest = max(highest, share(order[rank:], abs(observed[c])))
        down[c] = highest
    pick = lambda values: [values.get(c) for c in range(cells)]
    return {"cells": table, "t": pick(observed), "single": pick(single), "stepDown": pick(down)}


def false_discoveries(rng):
    rows = []
    for n in [1, 5, 40]:
        p = np.round(rng.uniform(size=n) ** 3, 5)
        rows.append({
            "p": p.tolist(), "bh": stats.false_discovery_control(p, method="bh").tolist(),
            "by": stats.false_discovery_control(p, method="by").tolist(),
        })
    return rows


def proportions():
    rows = []
    for k, n, level in [(0, 1, 0.95), (1, 1, 0.95), (0, 20, 0.95), (20, 20, 0.95), (3, 17, 0.95),
                        (19, 20, 0.95), (50, 100, 0.99), (7, 2000, 0.95), (4980, 5000, 0.9)]:
        found = stats.binomtest(k, n).proportion_ci(level, method="exact")
        rows.append({"k": k, "n": n, "level": level, "low": found.low, "high": found.high})
    return rows


def betas():
    rows = []
    for a, b in [(0.5, 0.5), (1, 1), (2.5, 7), (30, 4), (1, 200), (400.5, 380), (3000, 2500)]:
        for x in [0.0, 1e-6, 0.03, 0.3, 0.5, 0.54, 0.9, 0.999, 1.0]:
            rows.append({"a": a, "b": b, "x": x, "p": special.betainc(a, b, x)})
    return rows


def hypergeometrics():
    rows = []
    for population, marked, sample in [(10, 4, 3), (50, 50, 5), (300, 12, 100), (9000, 40, 200),
                                       (90, 70, 60)]:
        for hits in [0, 1, 2, 5, 41, 60]:
            if hits <= sample:
                rows.append({
                    "population": population, "marked": marked, "sample": sample, "hits": hits,
                    "p": stats.hypergeom.cdf(hits, population, marked, sample),
                })
    return rows


def missed():
    """The largest number of marked cells at which so few hits are not rarer than alpha."""
    rows = []
    for population, sample, hits, alpha in [(100, 20, 0, 0.05), (1000, 200, 0, 0.05), (40, 40, 3, 0.05),
                                            (500, 100, 4, 0.01), (60, 1, 0, 0.05), (60, 1, 1, 0.05),
                                            (30, 0, 0, 0.05)]:
        bound = max(
            m for m in range(hits, population - (sample - hits) + 1)
            if stats.hypergeom.cdf(hits, population, m, sample) >= alpha)
        rows.append({"population": population, "sample": sample, "hits": hits, "alpha": alpha,
                     "bound": bound})
    return rows


def main(folder):
    rng = np.random.default_rng(2026)
    fixture = {
        "correlations": correlations(rng), "bootstraps": bootstraps(rng),
        "signFlips": sign_flips(rng), "maxT": max_t(rng),
        "falseDiscoveries": false_discoveries(rng), "proportions": proportions(),
        "betas": betas(), "hypergeometrics": hypergeometrics(), "missed": missed(),
        "students": [{"p": p, "freedom": f, "t": stats.t.ppf(p, f)}
                     for f in [1, 5, 23, 200] for p in [0.6, 0.8, 0.975, 0.9995]],
        "logGammas": [{"x": x, "value": special.gammaln(x)}
                      for x in [1e-3, 0.5, 1.0, 1.5, 2.0, 7.25, 14.9, 15.0, 80.0, 1e4]],
    }
    plain = json.loads(json.dumps(fixture, default=float))
    path = Path(folder) / "statistics.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(plain, indent=0, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
