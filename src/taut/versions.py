"""What a report of a bug has to say of the machine."""

import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "taut", "pymc", "pytensor", "jax", "jaxlib", "equinox", "optax", "flowjax", "numpy", "scipy",
    "xarray", "arviz-base", "arviz-stats", "arviz-plots", "numba", "h5netcdf", "grain", "nutpie",
)  # fmt: skip


def show_versions() -> None:
    """Print the versions of what taut stands on, and the devices JAX sees; for reports of bugs.

    Examples
    --------
    >>> import taut
    >>> taut.show_versions()  # doctest: +ELLIPSIS
    python ...
    """
    import jax

    rows = [("python", platform.python_version()), ("platform", platform.platform())]
    rows += [(name, _version(name)) for name in _PACKAGES]
    rows.append(("devices", ", ".join(map(str, jax.devices()))))
    width = max(len(name) for name, _ in rows)
    print("\n".join(f"{name.ljust(width)}  {found}" for name, found in rows))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
