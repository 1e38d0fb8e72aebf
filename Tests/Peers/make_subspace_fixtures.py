"""Golden values of subspace estimators by NumPy and SciPy, for Tests/InterventionsTests.

    python3 Tests/Peers/make_subspace_fixtures.py

writes Tests/InterventionsTests/Fixtures/subspaces.json. Each quantity is computed from its definition
by another route than the package's: covariance square roots by scipy.linalg.sqrtm and its inverse,
canonical correlations by QR and SVD (Björck and Golub, 1973), angles by scipy.linalg.subspace_angles.
"""

import json
import pathlib

import numpy as np
import scipy.linalg
import scipy.spatial.distance

random = np.random.default_rng(7)
samples, width, classes = 60, 6, 3
labels = random.integers(0, classes, samples)
means = random.normal(size=(classes, width))
mixing = random.normal(size=(width, width))
x = means[labels] + random.normal(size=(samples, width)) @ mixing
other = x[:, :4] @ random.normal(size=(4, 4)) + random.normal(size=(samples, 4))

centred = x - x.mean(0)
covariance = np.cov(x, rowvar=False)
values, vectors = np.linalg.eigh(covariance)
order = np.argsort(values)[::-1]

root = np.real(scipy.linalg.sqrtm(covariance))
inverse_root = np.linalg.inv(root)
onehot = np.eye(classes)[labels]


def correlations(a, b):
    qa, qb = (scipy.linalg.orth(m - m.mean(0)) for m in (a, b))
    return np.linalg.svd(qa.T @ qb)[1]


# LEACE: x - root U U^T root^-1 (x - mean), U the column space of root^-1 Sigma_xz.
cross = centred.T @ (onehot - onehot.mean(0)) / (samples - 1)
u = scipy.linalg.orth(inverse_root @ cross)
leace = root @ u @ u.T @ inverse_root

class_means = np.stack([x[labels == c].mean(0) for c in range(classes)])
span = scipy.linalg.orth((class_means - class_means.mean(0)).T)

inverse = np.linalg.inv(covariance)
mahalanobis = [scipy.spatial.distance.mahalanobis(row, x.mean(0), inverse) ** 2 for row in x]

# The canonical directions: eigenvectors of Sigma_x^-1 Sigma_xy Sigma_y^-1 Sigma_yx.
y = other - other.mean(0)
sxy, sy = centred.T @ y / (samples - 1), np.cov(other, rowvar=False)
top = scipy.linalg.eig(inverse @ sxy @ np.linalg.inv(sy) @ sxy.T)
first = np.real(top[1][:, np.argsort(np.real(top[0]))[::-1][0]])

# Linear discriminant analysis with a covariance moved by a fifth towards a multiple of the identity.
within = x - class_means[labels]
pooled = within.T @ within / (samples - 1)
shrunk = 0.8 * pooled + 0.2 * np.trace(pooled) / width * np.eye(width)
weights = np.linalg.solve(shrunk, class_means.T)
offsets = np.log(onehot.mean(0)) - np.einsum("cw,wc->c", class_means, weights) / 2

golden = {
    "samples": x.tolist(),
    "labels": [f"class {c}" for c in labels],
    "other": other.tolist(),
    "variances": values[order].tolist(),
    "principalProjector": (vectors[:, order[:2]] @ vectors[:, order[:2]].T).tolist(),
    "correlationsOther": correlations(x, other).tolist(),
    "correlationsClasses": correlations(x, onehot[:, :-1]).tolist(),
    "firstCanonical": (first / np.linalg.norm(first)).tolist(),
    "leaceProjector": leace.tolist(),
    "meanProjector": (span @ span.T).tolist(),
    "mahalanobis": mahalanobis,
    "angleCosines": np.cos(
        scipy.linalg.subspace_angles(vectors[:, order[:2]], span))[::-1].tolist(),
    "probeScores": (x @ weights + offsets).tolist(),
}
path = pathlib.Path(__file__).parent.parent / "InterventionsTests/Fixtures/subspaces.json"
path.write_text(json.dumps(golden) + "\n")
print(f"{path.name}: {path.stat().st_size} bytes")
