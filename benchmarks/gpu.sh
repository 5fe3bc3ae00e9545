#!/usr/bin/env bash
# What a GPU renders, measured on JAX without TensorFlow, in an environment of its own: .venv-gpu.
#
#   bash benchmarks/gpu.sh              JAX for CUDA 12
#   bash benchmarks/gpu.sh jax[cuda13]  JAX for CUDA 13
#   bash benchmarks/gpu.sh jax          JAX for the CPU: a short run, to try it
set -euo pipefail
cd "$(dirname "$0")/.."
jax="${1:-jax[cuda12]}"
python3 -m venv .venv-gpu
needed=$(sed -n '/^dependencies/,/^]/p' pyproject.toml | grep -o '"[^"]*"' | tr -d '"' | grep -v '^tensorflow')
# shellcheck disable=SC2086 # one word each
.venv-gpu/bin/pip install --quiet "$jax" $needed
KERAS_BACKEND=jax .venv-gpu/bin/python -m benchmarks gpu
