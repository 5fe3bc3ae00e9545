"""What tests share: nothing of it is samplepack's own way to do a thing."""
