#!/usr/bin/env bash
# Notes in a Slurm array of 16 jobs, then the packs in one job. SAMPLEPACK_HOME lies on a file system that all nodes
# share. Submit both; the second waits until all of the first have ended well:
#
#   job=$(sbatch --parsable --array=1-16 slurm.sh recipes/*.yaml)
#   sbatch --dependency=afterok:$job slurm.sh recipes/*.yaml
#
#SBATCH --job-name=samplepack
#SBATCH --cpus-per-task=4
#SBATCH --mem=4G
#SBATCH --requeue
set -euo pipefail

if [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then
    exec samplepack build "$@" --quiet --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
fi
exec samplepack build "$@" --output "${OUTPUT:-output}"
