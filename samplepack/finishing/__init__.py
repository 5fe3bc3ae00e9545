"""A note's way from the network to the sampler: tuned, processed, looped, aligned, leveled."""
