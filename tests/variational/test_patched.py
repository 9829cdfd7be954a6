"""A context in which PyMC's own names are taut's."""

import pymc
import pytest

import taut
from taut.pymc import patched, variational

NAMES = ("ADVI", "FullRankADVI", "SVGD", "MeanField", "fit", "sample_approx")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_replaced_and_put_back(name: str) -> None:
    before = getattr(pymc, name)
    with patched():
        assert getattr(pymc, name) is getattr(taut, name)
    assert getattr(pymc, name) is before


def test_names_are_put_back_after_an_error_and_by_the_inner_of_two() -> None:
    before = pymc.fit
    with pytest.raises(ZeroDivisionError), patched():
        raise ZeroDivisionError
    assert pymc.fit is before
    with patched():
        with patched():
            pass
        assert pymc.fit is taut.fit
    assert pymc.fit is before


def test_code_written_for_pymc_fits_by_taut() -> None:
    def of_a_package() -> object:
        with pymc.Model():
            pymc.Normal("x", 3.0, 1.0)
            return pymc.fit(50, "advi", obj_optimizer=pymc.adam(learning_rate=0.1),
                            progressbar=False)  # fmt: skip

    with patched():
        assert pymc.adam is variational.updates.adam
        approx = of_a_package()
    assert isinstance(approx, taut.Approximation)
