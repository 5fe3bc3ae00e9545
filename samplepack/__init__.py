"""samplepack: sampler instruments from recipes in git."""

__version__ = "0.1.0"
