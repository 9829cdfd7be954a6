"""References as small files."""

import json
from pathlib import Path

import numpy as np

from benchmarks.posteriors.base import Posterior
from benchmarks.quantities import quantities
from benchmarks.references.base import Reference

_FOLDER = Path(__file__).parent / "data"
# Steps in which draws are kept, in standard deviations: the rounding adds 3e-4 to the variance.
_STEP = 1 / 16
_DRAWS = 2000
_DRAWS_SEED = 1


def path_of(posterior: Posterior) -> Path:
    """Where the answer of a posterior is kept."""
    return _FOLDER / f"{posterior.name}.npz"


def save(posterior: Posterior, reference: Reference) -> None:
    """Write an answer, rounded to what its Monte Carlo error leaves of it.

    Moments are written in full, quantiles and draws in standard deviations from the mean. The
    draws of an exact answer are not written: they are made again when it is read.
    """
    draws = reference.draws[: 0 if posterior.exact else None]
    path_of(posterior).parent.mkdir(exist_ok=True)
    np.savez_compressed(
        path_of(posterior),
        labels=np.array(reference.labels),
        mean=reference.mean,
        sd=reference.sd,
        quantiles=((reference.quantiles - reference.mean) / reference.sd).T.astype(np.float16),
        draws=_packed((draws - reference.mean) / reference.sd),
        rhat=reference.rhat.astype(np.float32),
        ess=reference.ess.astype(np.float32),
        fingerprint=reference.fingerprint,
        about=json.dumps(reference.about),
    )


def load(posterior: Posterior) -> Reference:
    """Read an answer.

    Raises
    ------
    FileNotFoundError
        None has been made.
    """
    path = path_of(posterior)
    if not path.exists():
        raise FileNotFoundError(
            f"{posterior.name} has no reference in {path}. Make it by `python -m benchmarks "
            f"references --posteriors {posterior.name}`."
        )
    with np.load(path) as kept:
        mean, sd = kept["mean"], kept["sd"]
        draws = _unpacked(kept["draws"]) * sd + mean
        return Reference(
            labels=tuple(kept["labels"].tolist()),
            mean=mean,
            sd=sd,
            quantiles=kept["quantiles"].T.astype(float) * sd + mean,
            draws=exact_draws(posterior) if posterior.exact else draws,
            rhat=kept["rhat"],
            ess=kept["ess"],
            fingerprint=kept["fingerprint"],
            about=json.loads(str(kept["about"])),
        )


def _packed(standardised: np.ndarray) -> np.ndarray:
    """Round draws to steps, low bytes and high bytes apart: the latter compress to nothing."""
    limits = np.iinfo(np.int16)
    steps = np.clip(np.rint(standardised / _STEP), limits.min, limits.max).astype(np.int16).T
    return np.stack([steps & 255, steps >> 8]).astype(np.int8)


def _unpacked(planes: np.ndarray) -> np.ndarray:
    low, high = planes.view(np.uint8)[0], planes[1]
    return ((high.astype(int) << 8) + low).T * _STEP


def exact_draws(posterior: Posterior) -> np.ndarray:
    """Draw the independent draws of an exact answer, the same at every call."""
    assert posterior.exact is not None
    drawn = posterior.exact(np.random.default_rng(_DRAWS_SEED), _DRAWS)
    return quantities(posterior, drawn).values
