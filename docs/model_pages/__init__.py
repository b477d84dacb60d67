"""The page of a neuron model: numbers (`responses`), a picture (`pictures`), the text (`pages`)."""
