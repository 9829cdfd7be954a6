"""Families that are a linear map of independent noise."""

from abc import abstractmethod

from jaxtyping import Array, Float, Scalar

from taut.family.base import AbstractFamily, NoiseOnHost
from taut.family.host_noise import HostNoise, NormalNoise


class AbstractLocationScale(AbstractFamily, NoiseOnHost):
    r"""A Gaussian with a square root of its covariance that can be applied and solved.

    .. math:: z = \mu + A \epsilon, \quad \Sigma = A A^\top, \quad \epsilon \sim \mathcal N(0, I)

    What other noise, or a flow, is put in place of :math:`\epsilon` by those that wrap it. The
    square root is not unique, and `push` may use another.
    """

    @abstractmethod
    def color(self, noise: Float[Array, " dim"]) -> Float[Array, " dim"]:
        r"""Compute :math:`\mu + A \epsilon`."""

    @abstractmethod
    def whiten(self, z: Float[Array, " dim"]) -> Float[Array, " dim"]:
        r"""Compute :math:`A^{-1} (z - \mu)`."""

    @abstractmethod
    def log_det(self) -> Scalar:
        r"""Compute :math:`\log |\det A|`, half the log determinant of the covariance."""

    def _noise_by_numpy(self) -> HostNoise:
        return NormalNoise()
