"""The seed of each of many fits."""

import hashlib
from collections.abc import Hashable

import numpy as np

from taut import seed


def seed_of(entropy: int, key: Hashable) -> int:
    """Derive the seed of a data set from that of all and from its key alone.

    So a fit stays what it is when others come, go, or change places.

    Parameters
    ----------
    entropy
        Of the seed of all.
    key
        Of the data set. Keys that print alike have one seed.
    """
    words = np.frombuffer(hashlib.sha256(str(key).encode()).digest(), np.uint32)
    sequence = np.random.SeedSequence([entropy, seed.DATASETS, *words.tolist()])
    return int(sequence.generate_state(1, np.uint32)[0])
