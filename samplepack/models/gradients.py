"""Gradients and compiled functions under TensorFlow and JAX, for which Keras has no interface of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

Tensors = dict[str, Any]
"""Name → tensor."""

Function = Callable[..., Any]


def value_and_gradients(function: Function, tensors: Tensors) -> tuple[Any, Any, Tensors]:
    """A function's value and its gradients. Calls may be nested, for gradients of gradients.

    Args:
        function: takes `tensors`; returns a scalar and any auxiliary result.
        tensors: float, by name.

    Returns:
        The scalar, the auxiliary result, and the scalar's gradient by each tensor, zeros where it doesn't depend on it.
    """
    if keras.backend.backend() == "jax":
        import jax

        (value, auxiliary), gradients = jax.value_and_grad(function, has_aux=True)(tensors)
        return value, auxiliary, gradients
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(tensors)
        value, auxiliary = function(tensors)
    gradients = tape.gradient(value, tensors, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    # The gradient of a gather is sparse.
    return value, auxiliary, {name: tf.convert_to_tensor(gradient) for name, gradient in gradients.items()}


def be_deterministic() -> None:
    """Make TensorFlow's operations give the same bits for the same input from now on.

    Even so it adds three or more gradients of one tensor in an order that changes from run to run; `generator.fold`
    avoids that.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def compiled(function: Function) -> Function:
    """Compile a function of (nested) dicts and lists of tensors that have the same shapes in each call."""
    if keras.backend.backend() == "jax":
        import jax

        jitted: Function = jax.jit(function)
        return jitted
    import tensorflow as tf

    graph: Function = tf.function(function, autograph=False)
    return graph
