"""Make the picture of the README from a result of ``bioae demo``.

python docs/make_picture.py bioae-demo/brian2.nc docs/images/demo.png
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from bioae.analysis import open_result
from bioae.analysis.plots import rasters, reconstructions
from bioae.files import atomic_output

# In inches and dots per inch: twice the width of a README on GitHub.
WIDTH, RESOLUTION = 8.2, 200
LAYERS = ("encoder1", "latent", "decoder1")


def main(result: str, out: str) -> None:
    """Draw inputs and reconstructions above a raster, and write one PNG."""
    tree = open_result(result)
    images = reconstructions({"Brian2": tree}, images=10)
    spikes = rasters(tree, layers=LAYERS)
    picture = np.vstack([_pixels(images, 1.95), _pixels(spikes, 3.6)])
    with atomic_output(Path(out), overwrite=True) as temporary:
        # There are few colours: a palette makes the file a third as large.
        Image.fromarray(picture).quantize(64).save(temporary, format="PNG", optimize=True)


def _pixels(figure: Figure, height: float) -> np.ndarray:
    figure.set_size_inches(WIDTH, height)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=RESOLUTION)
    return np.asarray(Image.open(buffer).convert("RGB"))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
