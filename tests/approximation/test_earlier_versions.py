"""Fits that earlier versions saved are read, and work; one that was damaged is refused."""

import zipfile
from pathlib import Path

import jax
import numpy as np
import pytest

import taut
from approximation.saved_files import FOLDER, methods, rows
from taut.errors import StorageError


@pytest.mark.parametrize("name", rows())
def test_files_of_earlier_versions_are_read(name: str) -> None:
    family, model = rows()[name]()
    again = taut.load(FOLDER / f"{name}.fit", model=model)
    assert type(again.family) is type(family)
    for key, value in family.parameters().items():
        # Starts of flows come from a factorisation in 32 bits, which rounds by the processor.
        np.testing.assert_allclose(again.parameters[key], value, rtol=1e-5, atol=1e-6)
    assert again.sample(5)["posterior"].sizes["draw"] == 5


@pytest.mark.parametrize("name", methods())
def test_fits_of_earlier_versions_by_every_method_are_read(name: str) -> None:
    """Compared with a fit of this moment by what does not depend on rounding."""
    with jax.enable_x64(True):
        now, model = methods()[name]()
        again = taut.load(FOLDER / f"{name}.fit", model=model)
        assert (again.method, again.stopped) == (now.method, now.stopped)
        assert type(again.family) is type(now.family)
        # Latents are on lines in the file, and on splines by now.
        if name != "structured-marginal":
            assert again.parameters.keys() == now.parameters.keys()
        # How many rounds of one kind a method takes is its own affair.
        stages = [list(dict.fromkeys(s.name for s in fit.journal.stages)) for fit in (again, now)]
        assert stages[0] == stages[1]
        assert again.diagnose(random_seed=1).trusted == now.diagnose(random_seed=1).trusted
        assert again.sample(5)["posterior"].sizes["draw"] == 5
        assert np.isfinite(taut.load(FOLDER / f"{name}.fit").unconstrained_draws(5)).all()


def test_the_journal_of_an_earlier_version_is_read() -> None:
    again = taut.load(FOLDER / "automatic.fit")
    assert again.diagnose().trusted
    assert again.method == "auto"
    assert len(again.journal.stages) >= 2
    assert again.journal.check is not None
    assert again.journal.check.window.draws_each.min() > 1


def test_a_bit_flipped_in_any_member_names_it(tmp_path: Path) -> None:
    whole, path = (FOLDER / "automatic.fit").read_bytes(), tmp_path / "flipped.fit"
    with zipfile.ZipFile(FOLDER / "automatic.fit") as members:
        contents = {info: members.read(info) for info in members.infolist()}
    assert len(contents) > 10
    for info, content in contents.items():
        end = whole.index(content, info.header_offset) + len(content)
        path.write_bytes(whole[: end - 1] + bytes([whole[end - 1] ^ 8]) + whole[end:])
        with pytest.raises(StorageError, match=f"damaged: its member {info.filename!r}"):
            taut.load(path)
