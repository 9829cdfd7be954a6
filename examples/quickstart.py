"""Batting averages of 18 baseball players, from their first 45 at-bats of the season of 1970.

Efron and Morris (1975) used these data to show that averages shrunk towards each other predict
the rest of the season better than the players' own. Here a hierarchical model does the
shrinking, `taut.fit` finds its posterior, and the rest of the season judges it.
"""

import arviz_stats
import numpy as np
import pymc as pm

import taut

PLAYERS = [
    "Clemente", "F. Robinson", "F. Howard", "Johnstone", "Berry", "Spencer", "Kessinger",
    "Alvarado", "Santo", "Swoboda", "Unser", "Williams", "Scott", "Petrocelli", "E. Rodriguez",
    "Campaneris", "Munson", "Alvis",
]  # fmt: skip
AT_BATS = 45
HITS = np.array([18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7])
REST_OF_SEASON = np.array(
    [0.346, 0.298, 0.276, 0.222, 0.273, 0.270, 0.263, 0.210, 0.269, 0.230, 0.264, 0.256, 0.303,
     0.264, 0.226, 0.286, 0.316, 0.200]
)  # fmt: skip


def build_model() -> pm.Model:
    """Build a model in which each player has a log odds of a hit, around a common one."""
    with pm.Model(coords={"player": PLAYERS}) as model:
        center = pm.Normal("center", -1.0, 1.0)
        spread = pm.HalfNormal("spread", 0.5)
        offset = pm.Normal("offset", 0.0, 1.0, dims="player")
        average = pm.Deterministic(
            "average", pm.math.invlogit(center + spread * offset), dims="player"
        )
        pm.Binomial("hits", n=AT_BATS, p=average, observed=HITS, dims="player")
    return model


def main() -> None:
    """Fit the model, show its posterior, and compare it with the rest of the season."""
    model = build_model()
    approx = taut.fit(model=model, random_seed=1970)
    print(approx.diagnose())
    draws = approx.sample(2_000, random_seed=1970)
    print(arviz_stats.summary(draws, var_names=["center", "spread", "average"], kind="stats"))

    shrunk = draws["posterior"]["average"].mean(("chain", "draw")).to_numpy()
    for name, estimate in {"own average": HITS / AT_BATS, "taut": shrunk}.items():
        error = np.sqrt(np.mean((estimate - REST_OF_SEASON) ** 2))
        print(f"{name:>12}: off by {error:.3f} from the rest of the season")


if __name__ == "__main__":
    main()
