"""Draw the connections of hypercolumns from a run of ``python -m experiments bcpnn``.

python docs/make_connections.py bcpnn docs/images/connections.svg
"""

from __future__ import annotations

import sys
from pathlib import Path

import xarray as xr
from safetensors.numpy import load_file

from bioae.analysis.plots import filter_grid, to_svg
from bioae.files import write_text

#: The conditions to draw, with their titles; of each the first seed.
ROWS = {"fixed": "random connections", "learned": "after rewiring"}


def main(run: str, out: str) -> None:
    """Draw a picture per hypercolumn, and write one SVG."""
    masks = {}
    for name, title in ROWS.items():
        file = Path(run) / "runs" / name / "0" / "connections.safetensors"
        connected = load_file(file)["connected"].astype(float).reshape(-1, 28, 28)
        masks[title] = xr.DataArray(connected, dims=("neuron", "y", "x"))
    figure = filter_grid(masks, most=10)
    write_text(Path(out), to_svg(figure, decimals=2), overwrite=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
