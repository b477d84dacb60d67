"""Folders of PNG files, against the arrays that they were made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import bioae
from bioae.datasets import Data, convert, load
from bioae.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 4, 5), np.uint8)


def write(folder: Path, *numbers: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        Image.fromarray(PIXELS[number]).save(folder / f"{number}.png")


def loaded(folder: Path, *arguments: str) -> Data:
    data = load(folder, *arguments)  # type: ignore[call-overload]
    assert isinstance(data, Data)
    return data


@pytest.mark.parametrize(
    ("names", "labels"), [(("cat", "dog"), (0, 1)), (("3", "7"), (3, 7)), (("1", "b"), (0, 1))]
)
def test_a_folder_for_each_class(
    names: tuple[str, str], labels: tuple[int, int], tmp_path: Path
) -> None:
    write(tmp_path / names[0], 0, 1, 2)
    write(tmp_path / names[1], 3, 4)
    (tmp_path / "notes.txt").write_text("not an image")
    data = loaded(tmp_path)
    order = [0, 3, 1, 4, 2]  # rounds of one image of each class
    assert (data.values[:, 0] == PIXELS[order]).all()
    assert data.labels is not None
    assert data.labels.tolist() == [labels[number >= 3] for number in order]
    assert data.split == "all"
    assert len(load(tmp_path, limit=2)) == 2


def test_a_class_has_one_label_in_both_splits(tmp_path: Path) -> None:
    for number, place in enumerate(("train/ant", "train/bee", "train/cat", "test/ant", "test/cat")):
        write(tmp_path / place, number)
    train, test = (loaded(tmp_path, split).labels for split in ("train", "test"))
    assert train is not None
    assert test is not None
    assert (train.tolist(), test.tolist()) == ([0, 1, 2], [0, 2])


def test_pictures_that_cannot_be_read_as_intensities(tmp_path: Path) -> None:
    deep = Image.fromarray(PIXELS[0].astype(np.uint16) * 257)
    write(tmp_path / "mixed", 0)
    deep.save(tmp_path / "mixed" / "1.png")
    with pytest.raises(DataError, match="8 bits per pixel, others 16"):
        load(tmp_path / "mixed")
    (tmp_path / "clear").mkdir()
    Image.fromarray(PIXELS[0]).save(tmp_path / "clear" / "0.png", transparency=int(PIXELS[0, 0, 0]))
    with pytest.raises(DataError, match="the image is transparent"):
        load(tmp_path / "clear")
    for mode in ("F", "I"):
        with pytest.raises(DataError, match=f"no range.*found mode {mode}"):
            convert(Image.fromarray(PIXELS[0]).convert(mode))
    write(tmp_path / "numbers" / "1", 0)
    write(tmp_path / "numbers" / "01", 1)
    labels = loaded(tmp_path / "numbers").labels
    assert labels is not None
    assert sorted(labels) == [0, 1]


def test_no_picture_is_left_out_in_silence(tmp_path: Path) -> None:
    write(tmp_path, 0)
    (tmp_path / "0.png").rename(tmp_path / "0.PNG")
    assert len(loaded(tmp_path)) == 1
    Image.fromarray(PIXELS[1]).save(tmp_path / "1.jpg")
    with pytest.raises(DataError, match=r"only PNG files are read; found 1\.jpg"):
        load(tmp_path)


def test_folders_of_splits_and_no_classes(tmp_path: Path) -> None:
    write(tmp_path / "train", 0, 1)
    write(tmp_path / "test" / "a", 2)
    assert loaded(tmp_path, "train").labels is None
    assert (loaded(tmp_path, "train").values[:, 0] == PIXELS[:2]).all()
    test = loaded(tmp_path, "test")
    assert (test.split, len(test)) == ("test", 1)
    write(tmp_path / "test", 5)
    with pytest.raises(DataError, match="both in folders of classes and outside"):
        load(tmp_path, "test")
    for file in (tmp_path / "train").iterdir():
        file.unlink()
    with pytest.raises(DataError, match="no images of the split train"):
        load(tmp_path, "train")


def test_colours_and_depth(tmp_path: Path) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (4, 5, 3), np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.png")
    write(tmp_path, 0)  # grey among coloured ones
    data = loaded(tmp_path)
    assert data.shape == (3, 4, 5)
    assert (data.values[0] == PIXELS[0]).all()
    assert (data.values[1] == np.moveaxis(colours, -1, 0)).all()
    deep = np.arange(20, dtype=np.uint16).reshape(4, 5) * 3000
    (tmp_path / "deep").mkdir()
    Image.fromarray(deep).save(tmp_path / "deep" / "a.png")
    assert (loaded(tmp_path / "deep").as_float()[0, 0] == deep / 65535).all()


def test_damaged_and_unequal_files_are_refused(tmp_path: Path) -> None:
    write(tmp_path, 0)
    Image.fromarray(PIXELS[1][:3]).save(tmp_path / "small.png")
    with pytest.raises(DataError, match=r"small.png: the images differ in size"):
        load(tmp_path)
    data = (tmp_path / "0.png").read_bytes()
    (tmp_path / "small.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"small.png: the image cannot be read as PNG"):
        load(tmp_path)
    (tmp_path / "small.png").write_bytes(b"GIF89a")
    with pytest.raises(DataError, match=r"small.png: the image cannot be read as PNG"):
        load(tmp_path)


def test_a_folder_without_images_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="or PNG files"):
        load(tmp_path)


def test_a_network_runs_on_a_folder(tmp_path: Path) -> None:
    digits = load("sample", "test", 2)
    for number, image in enumerate(digits.values):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        Image.fromarray(image[0]).save(folder / "image.png")
    result = bioae.simulate("sae-mnist", tmp_path, "numpy")
    expected = bioae.simulate("sae-mnist", digits.values, "numpy")
    assert int(result["layers/latent"]["spike_count"].sum()) > 0
    assert result["label"].values.tolist() == [0, 1]
    same = result["layers/latent"].to_dataset(), expected["layers/latent"].to_dataset()
    assert same[0].equals(same[1])


def test_hidden_files_and_folders_are_no_pictures(tmp_path: Path) -> None:
    for number, name in enumerate("012"):
        write(tmp_path / name, number)
    write(tmp_path / ".thumbnails", 3)
    (tmp_path / "1" / "._1.png").write_bytes(b"of a desktop")
    data = loaded(tmp_path)
    assert data.labels is not None
    assert data.labels.tolist() == [0, 1, 2]
    assert (data.values[:, 0] == PIXELS[:3]).all()
    write(tmp_path / "empty" / ".thumbnails", 3)
    with pytest.raises(DataError, match="there are no images"):
        load(tmp_path / "empty")


def test_a_deep_picture_with_a_transparent_colour_is_refused(tmp_path: Path) -> None:
    deep = Image.fromarray(PIXELS[0].astype(np.uint16) * 257)
    deep.save(tmp_path / "0.png", transparency=int(PIXELS[0, 0, 0]) * 257)
    with Image.open(tmp_path / "0.png") as stored:
        assert "transparency" in stored.info
    with pytest.raises(DataError, match="the image is transparent"):
        load(tmp_path)
