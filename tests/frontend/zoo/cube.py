"""An op that PyTensor can evaluate and differentiate, and JAX can not."""

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op


class Cube(Op):
    """x³, in NumPy alone; its gradient is such an op too."""

    def make_node(self, x: Any) -> Apply:
        x = pt.as_tensor_variable(x)
        return Apply(self, [x], [x.type()])

    def perform(self, node: Apply, inputs: Any, outputs: Any) -> None:
        outputs[0][0] = np.asarray(inputs[0] ** 3, node.outputs[0].type.dtype)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        return [CubeSlope()(inputs[0]) * cotangents[0]]


class CubeSlope(Op):
    """3x², without a gradient of its own."""

    def make_node(self, x: Any) -> Apply:
        x = pt.as_tensor_variable(x)
        return Apply(self, [x], [x.type()])

    def perform(self, node: Apply, inputs: Any, outputs: Any) -> None:
        outputs[0][0] = np.asarray(3 * inputs[0] ** 2, node.outputs[0].type.dtype)


cube = Cube()
