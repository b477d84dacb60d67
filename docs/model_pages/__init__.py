"""The page of a neuron model: numbers, a picture, LaTeX of its equations, and the text."""
