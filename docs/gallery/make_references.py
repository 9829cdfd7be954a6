"""Draw what the pages of the gallery compare fits with: `uv run docs/gallery/make_references.py`.

The first block of a page makes its model; NUTS then draws from it, and of its variables those that
the page names are kept. Names of pages as arguments make these alone.
"""

import ast
import re
import sys
from pathlib import Path

import arviz_stats
import nutpie
import xarray as xr

HERE = Path(__file__).parent
BLOCK = re.compile(r"^```python\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
NAMES = re.compile(r"^names, nuts = \(?\s*(\[.*?\]),", re.MULTILINE | re.DOTALL)
# Draws of each of four chains: more, where those that are kept are worth too few.
DRAWS, KEPT, ENOUGH = (500, 2000, 8000), 250, 600


def make(page: Path) -> None:
    """Draw from the model of a page, and keep what it compares."""
    text, namespace = page.read_text(), {}
    code, found = BLOCK.search(text), NAMES.search(text)
    assert code is not None
    assert found is not None
    exec(compile(code.group(1), str(page), "exec"), namespace)
    compiled = nutpie.compile_pymc_model(namespace["model"], backend="jax")
    for draws in DRAWS:
        trace = nutpie.sample(
            compiled, draws=draws, tune=1000, chains=4, cores=1, seed=1, target_accept=0.95,
            progress_bar=False,
        )  # fmt: skip
        kept = trace.posterior.dataset[ast.literal_eval(found.group(1))]
        kept = kept.isel(draw=slice(None, None, draws // KEPT)).astype("float32")
        worth = float(arviz_stats.ess(kept).to_array().min())
        print(f"{page.stem}: {draws} draws a chain, kept ones are worth {worth:.0f}", flush=True)
        if worth >= ENOUGH:
            break
    else:
        raise RuntimeError(f"{page.stem}: draws of NUTS are worth {worth:.0f}, too few.")
    tree = xr.DataTree.from_dict({"posterior": kept})
    tree.to_netcdf(HERE / "references" / f"{page.stem}.nc", engine="h5netcdf")


if __name__ == "__main__":
    pages = [HERE / f"{name}.md" for name in sys.argv[1:]] or sorted(HERE.glob("*.md"))
    for one in pages:
        if one.stem != "index":
            make(one)
