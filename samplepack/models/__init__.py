"""The network: checkpoints, latents, the generator and its spectrograms, on TensorFlow or JAX."""
