#!/usr/bin/env bash
# Trains the starter on a machine that is yours for a while, such as one with a GPU. Each call goes on where the last one
# ended, until the checkpoint is there.
#
#   bash recipes/training/anywhere.sh FOLDER [MINUTES [CONFIG]]
#
# FOLDER keeps everything: the set of notes, the run, and in the end run/checkpoint. Copied to another machine, it goes on
# there, with the same backend (KERAS_BACKEND: tensorflow or jax; JAX takes a GPU by itself). A call ends after MINUTES,
# 50 if left out. CONFIG is the training configuration, recipes/training/starter.yaml if left out.
#
# It needs this checkout, Python with what samplepack imports, and for the set FluidSynth and the soundfont. What a
# machine without a network lacks can lie in FOLDER: wheels/*.whl, bin/fluidsynth, FluidR3_GM.sf2, or the soundfont in
# parts (split -d -b 60M FluidR3_GM.sf2 FluidR3_GM.sf2.).
set -euo pipefail

folder=$(mkdir -p "${1:?the folder of the training}" && cd "$1" && pwd)
minutes=${2:-50}
cd "$(dirname "$0")/../.."
config=${3:-recipes/training/starter.yaml}
soundfont=/usr/share/sounds/sf2/FluidR3_GM.sf2
python=${PYTHON:-python3}
export PATH="$folder/bin:$PATH" PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"

if compgen -G "$folder/wheels/*.whl" > /dev/null; then
  "$python" -m pip install --quiet --no-index --no-deps --target "$folder/packages" --upgrade "$folder"/wheels/*.whl
  export PYTHONPATH="$folder/packages:$PYTHONPATH"
fi
if [ ! -d "$folder/set" ]; then
  if [ -f "$folder/FluidR3_GM.sf2.00" ]; then cat "$folder"/FluidR3_GM.sf2.?? > "$folder/FluidR3_GM.sf2"; fi
  if [ -f "$folder/FluidR3_GM.sf2" ]; then soundfont=$folder/FluidR3_GM.sf2; fi
  "$python" -m samplepack dataset "$soundfont" -o "$folder/set" --rate-hz 48000
fi

# A configuration names its set and its notices by their paths from itself.
sed -e "s|^data: .*|data: $folder/set|" -e "s|\.\./\.\./|$PWD/|g" "$config" > "$folder/train.yaml"
ended=0
timeout --signal=INT "$((minutes * 60))" \
  "$python" -m samplepack train "$folder/train.yaml" --output "$folder/run" --save-every 60 || ended=$?
if [ -d "$folder/run/checkpoint" ]; then
  echo "the checkpoint: $folder/run/checkpoint"
elif [ "$ended" = 124 ]; then
  echo "the time is over; call again with $folder to go on"
else
  exit "$ended"
fi
