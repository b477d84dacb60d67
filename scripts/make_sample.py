"""Choose the embedded digits from the whole of MNIST, balanced over the classes.

Run as ``python scripts/make_sample.py MNIST_FOLDER``; the same folder gives the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioae.datasets import load
from bioae.datasets.data import Split
from bioae.datasets.store import file_names, indices_name

TARGET = Path(__file__).resolve().parents[1] / "bioae" / "data" / "mnist-sample"
PER_CLASS: dict[Split, int] = {"train": 200, "test": 50}
SEED = 2109_11045


def choose(labels: NDArray[np.int64], per_class: int, seed: int) -> NDArray[np.int64]:
    """Choose `per_class` places of each class, ordered in rounds of one of each class.

    Parameters
    ----------
    labels
        The classes of all images, shape ``(example,)``.
    per_class
        The number of images of each class.
    seed
        The seed of the choice.

    Returns
    -------
    numpy.ndarray
        Places in `labels`, shape ``(classes * per_class,)``.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    rows = [
        generator.choice(np.flatnonzero(labels == label), per_class, replace=False)
        for label in np.unique(labels)
    ]
    rounds = np.stack(rows, axis=1)
    return generator.permuted(rounds, axis=1).ravel()


def write_idx(path: Path, values: NDArray[Any]) -> None:
    """Write bytes, whole numbers or doubles as an IDX file, gzipped where the name ends in .gz."""
    values = values.astype(values.dtype.newbyteorder(">"))
    code = {"u1": 0x08, "i4": 0x0C, "f8": 0x0E}[values.dtype.str[1:]]
    header = struct.pack(f">HBB{values.ndim}I", 0, code, values.ndim, *values.shape)
    content = header + values.tobytes()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def main() -> None:
    """Write the sample's files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mnist", type=Path, help="a folder of MNIST's IDX files")
    source = parser.parse_args().mnist
    for place, (split, per_class) in enumerate(PER_CLASS.items()):
        full = load(source, split)
        assert full.labels is not None
        indices = choose(full.labels, per_class, SEED + place)
        part = full[indices]
        assert part.labels is not None
        write_idx(TARGET / file_names(split, "images")[0], part.values[:, 0])
        labels = part.labels.astype(np.uint8)
        write_idx(TARGET / file_names(split, "labels")[0], labels)
        write_idx(TARGET / indices_name(split), indices.astype(np.int32))


if __name__ == "__main__":
    main()
