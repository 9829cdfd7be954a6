"""``python -m benchmarks report``: a run as tables and pictures."""

import argparse
from collections.abc import Iterable, Sequence
from os.path import relpath
from pathlib import Path

from benchmarks.posteriors import POSTERIORS
from benchmarks.proving import plots, tables, trust
from benchmarks.proving.records import Run, read
from benchmarks.proving.summary import summaries

_BEGIN, _END = "<!-- proving ground: begin -->", "<!-- proving ground: end -->"
_PICTURES = ("error-against-seconds.png", "share-within-error.png")


def main(arguments: Sequence[str]) -> None:
    """Write the report of a run, or put it into a page between its marks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks report", description=__doc__)
    parser.add_argument("run", type=Path, help="file of JSON lines")
    parser.add_argument("--compilation", type=Path, help="a run whose fits' compilation is told")
    parser.add_argument("--out", type=Path, default=Path("proving-ground.md"), help="a page")
    parser.add_argument("--pictures", type=Path, help="their folder; by default the page's")
    options = parser.parse_args(arguments)
    pictures = options.pictures or options.out.parent
    # Odd densities have a rule of their own; `python -m benchmarks odd` reports on them.
    run = read(options.run).only(POSTERIORS)
    if not run.records:
        parser.error(f"{options.run} has no fits; `python -m benchmarks run` adds them.")
    found = summaries(run)
    plots.error_against_seconds(found, pictures / _PICTURES[0])
    plots.share_within_error(found, pictures / _PICTURES[1])
    compiled = read(options.compilation) if options.compilation else Run()
    text = report(run, relpath(pictures, options.out.parent), compiled)
    options.out.write_text(into(options.out.read_text() if options.out.exists() else "", text))


def report(run: Run, pictures: str, compiled: Run) -> str:
    """Write a run as Markdown, with the compilation of the fits of another."""
    found = summaries(run)
    parts = [
        _intro(run),
        "### Methods", tables.method_table(found),
        *(f"![{name[:-4].replace('-', ' ')}]({pictures}/{name})" for name in _PICTURES),
        *_compilation(compiled),
        *_automatic(run),
        "### Errors by posterior", tables.error_table(run, found),
        "### Seconds by posterior", tables.seconds_table(run, found),
        "### References", tables.reference_table(),
    ]  # fmt: skip
    return "\n\n".join(parts)


def _compilation(run: Run) -> list[str]:
    if not run.records:
        return []
    head = run.heads[-1]
    return [
        "### Compilation",
        f"Medians over {len(run.posteriors)} posteriors ({', '.join(run.posteriors)}), one seed, "
        f"of fits that ended in time, {head['date'][:10]}, {head['processor']}, {head['cores']} "
        "cores. Compiling is all during which JAX traces, lowers or compiles, PyTensor rewrites or "
        "makes code, or numba compiles, in the process that fits.",
        tables.compilation_table(summaries(run)),
    ]


def _automatic(run: Run) -> list[str]:
    if trust.AUTO not in run.methods:
        return []
    return [
        "### The automatic fit and its verdict",
        str(trust.judged(run)),
        *(trust.against(run, rival) for rival in ("pymc-advi", "pymc-fullrank_advi")),
        trust.table(run),
    ]


def into(page: str, text: str) -> str:
    """Put a report into a page, in the place of the one before."""
    marked = f"{_BEGIN}\n\n{text}\n\n{_END}"
    if _BEGIN not in page:
        return f"{page.rstrip()}\n\n{marked}\n".lstrip()
    before, _, rest = page.partition(_BEGIN)
    return before + marked + rest.partition(_END)[2]


def _intro(run: Run) -> str:
    head = run.heads[-1]
    versions = ", ".join(f"{name} {number}" for name, number in head["versions"].items())
    seeds = sorted({record.seed for record in run.records.values()})
    limits = " to ".join(f"{seconds:g}" for seconds in _range(h["seconds"] for h in run.heads))
    return (
        f"{len(run.records):,d} fits: {len(run.posteriors)} posteriors, {len(run.methods)} "
        f"methods, {len(seeds)} {'seed' if len(seeds) == 1 else 'seeds'}, "
        f"limited to {limits} s a fit, {head['date'][:10]}. {head['processor']}, {head['cores']} "
        f"cores, Python {head['python']}; {versions}.\n\n"
        "The error is the larger of the worst error of a mean, in reference standard deviations, "
        "and the worst |log(sd / reference sd)|, over all quantities of a posterior; the median "
        "over seeds. Seconds run from the call to the draws in a fresh process, with compilation "
        "and without imports. A crash, draws that are not finite and a time-out are failures. "
        "A dash marks what was not run."
    )


def _range(values: Iterable[float]) -> list[float]:
    """Return the smallest and the largest, or the one there is."""
    found = sorted(set(values))
    return found if len(found) < 2 else [found[0], found[-1]]
