"""What Keras leaves to its backends and training needs: gradients and compiled steps, under TensorFlow and JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

Tensors = dict[str, Any]
"""Name → tensor."""

Function = Callable[..., Any]


def value_and_gradients(function: Function, tensors: Tensors) -> tuple[Any, Any, Tensors]:
    """A function's value and its gradients; may be nested, so that gradients of gradients are had.

    Args:
        function: takes `tensors`, gives a scalar and whatever else it wants to tell.
        tensors: float, by name.

    Returns:
        The scalar, what else the function told, and the scalar's gradient by each tensor, zeros where there is none.
    """
    if keras.backend.backend() == "jax":
        import jax

        (value, told), gradients = jax.value_and_grad(function, has_aux=True)(tensors)
        return value, told, gradients
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(tensors)
        value, told = function(tensors)
    gradients = tape.gradient(value, tensors, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    # The gradient of a gather is sparse.
    return value, told, {name: tf.convert_to_tensor(gradient) for name, gradient in gradients.items()}


def be_deterministic() -> None:
    """TensorFlow's operations give the same bits for the same input from now on. (It adds three or more gradients of
    one tensor in an order that changes from run to run, all the same: `generator.fold` avoids it.)"""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def compiled(function: Function) -> Function:
    """The function, compiled; takes and gives (nested) dicts and lists of tensors of the same shapes each time."""
    if keras.backend.backend() == "jax":
        import jax

        jitted: Function = jax.jit(function)
        return jitted
    import tensorflow as tf

    graph: Function = tf.function(function, autograph=False)
    return graph
