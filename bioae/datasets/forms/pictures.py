"""Images in PNG files: a folder of them, or a folder for each class; and images of Pillow."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bioae.datasets.checks import stack
from bioae.datasets.data import Data
from bioae.datasets.forms.registry import BOTH, Request, form, is_list, is_picture
from bioae.errors import DataError, shortened

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_SUFFIX = ".png"
#: Endings of pictures that are not read, and must not be left out in silence.
_OTHERS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".tif", ".tiff", ".webp"})
#: Modes of Pillow whose numbers are intensities, and the largest of each.
_DEEP = {"I;16": 65535.0, "I;16L": 65535.0, "I;16B": 65535.0}


def has_pictures(folder: Path) -> bool:
    """Return whether a folder has PNG files, or folders of them, at most two levels below."""
    paths = (path for depth in ("*", "*/*", "*/*/*") for path in folder.glob(depth))
    return any(
        path.suffix.lower() == _SUFFIX and not any(map(_is_hidden, path.relative_to(folder).parts))
        for path in paths
    )


@form(lambda source: is_picture(source) or is_list(source, is_picture))
def pictures(source: Any, request: Request) -> Data:
    """Return images of Pillow."""
    where = request.name or "an image of Pillow"
    pixels = [_pixels_of(each, where) for each in ([source] if is_picture(source) else source)]
    return Data.of_images(stack(pixels, where), **request.source)


def load_pictures(folder: Path, request: Request) -> Data:
    """Load the PNG files of a folder, in rounds of one image of each class, or raise DataError.

    The folder has PNG files; or folders of them, one for each class; or the folders ``train`` and
    ``test``, each of one of these forms. Labels are the names of the classes' folders if all are
    whole numbers, else their positions in the order of the names in both splits.
    """
    split = request.split or "test"
    roots = [folder / name for name in ("train", "test") if (folder / name).is_dir()]
    root, single = (folder / split, split) if roots else (folder, BOTH)
    classes = _classes(root)
    numbers = _numbers({each.name for place in (*roots, root) for each in _classes(place)})
    groups = [_pictures(each) for each in (classes or [root])]
    if not groups[0] or (classes and _pictures(root)):
        raise DataError(
            "images are both in folders of classes and outside of them"
            if groups[0]
            else f"there are no images of the split {split}",
            where=str(root), expected="PNG files, or a folder of PNG files for each class",
        )  # fmt: skip
    paths = [path for each in zip_longest(*groups) for path in each if path is not None]
    pixels = _stacked(paths, str(folder))
    labels = np.array([numbers[path.parent.name] for path in paths]) if classes else None
    return Data.of_images(pixels, labels=labels, name=str(folder), split=single)


def _pixels_of(picture: Any, where: str) -> NDArray[Any]:
    """Return an image of Pillow as an array (channel, y, x).

    An image whose colours are all grey, and one that is opaque everywhere, loses these channels.
    """
    key = picture.info.get("transparency")  # a colour that stands for it
    if picture.mode in _DEEP:
        values = np.asarray(picture)
        pixels = values[None] / _DEEP[picture.mode]
        transparent = key is not None and (values == key).any()
    elif picture.mode in ("F", "I"):
        raise DataError(
            "the numbers of this image have no range", where=where,
            expected="an image of 8 or 16 bits, or in colour", found=f"mode {picture.mode}",
            hint="Give numpy.asarray(image), with white= if 1 is not white",
        )  # fmt: skip
    else:
        mode = {"1": "L", "L": "L", "RGB": "RGB"}.get(picture.mode, "RGBA")
        values = np.atleast_3d(np.asarray(picture.convert("RGBA" if key is not None else mode)))
        transparent = (values[..., 3:] != 255).any()
        grey = (values[..., :1] == values[..., 1:3]).all()
        pixels = np.moveaxis(values[..., : 1 if grey else 3], -1, 0)
    if transparent:
        hint = "Put it on a background first"
        raise DataError("the image is transparent", where=where, expected="opaque", hint=hint)
    return pixels


def _classes(root: Path) -> list[Path]:
    """Return the folders of the classes of a split."""
    return sorted(each for each in root.glob("*/") if not _is_hidden(each.name) and _pictures(each))


def _pictures(folder: Path) -> list[Path]:
    """Return the PNG files of a folder, if it has no pictures of another kind."""
    found = folder.iterdir() if folder.is_dir() else ()
    paths = sorted(path for path in found if not _is_hidden(path.name))
    for path in paths:
        if path.suffix.lower() in _OTHERS:
            what, hint = "only PNG files are read", "Convert the others, or put them elsewhere"
            raise DataError(what, where=str(folder), found=path.name, hint=hint)
    return [path for path in paths if path.suffix.lower() == _SUFFIX]


def _is_hidden(name: str) -> bool:
    """Return whether a file or a folder is one of a desktop, such as thumbnails."""
    return name.startswith(".")


def _numbers(names: Collection[str]) -> dict[str, int]:
    """Return the labels of classes, by their names."""
    whole = all(name.isascii() and name.isdigit() and len(name) < 19 for name in names)
    distinct = whole and len({int(name) for name in names}) == len(names)
    return {name: int(name) if distinct else place for place, name in enumerate(sorted(names))}


def _stacked(paths: Sequence[Path], name: str) -> NDArray[Any]:
    """Read images of one size, of as many channels as the most colourful one."""
    first = _read(paths[0], None)
    images = [first, *(_read(path, first.shape[1:]) for path in paths[1:])]
    if len({each.dtype for each in images}) > 1:
        raise DataError("some images have 8 bits per pixel, others 16", where=name)
    channels = max(map(len, images))
    return np.stack([np.broadcast_to(each, (channels, *first.shape[1:])) for each in images])


def _read(path: Path, size: tuple[int, ...] | None) -> NDArray[Any]:
    from PIL import Image

    try:
        with Image.open(path, formats=["PNG"]) as picture:
            found = (picture.height, picture.width)
            if size is not None and found != size:
                what, expected = "the images differ in size", f"(y, x) = {size}, as of the first"
                raise DataError(what, where=str(path), expected=expected, found=f"{found}")
            return _pixels_of(picture, str(path))
    except DataError:
        raise
    except Exception as error:  # damaged files raise many kinds
        raise DataError(
            "the image cannot be read as PNG", where=str(path), found=shortened(str(error))
        ) from error
