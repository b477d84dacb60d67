"""Data in the forms that users have: each gives the examples that the plain form gives."""

from __future__ import annotations

import subprocess
import sys
from collections import UserList
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brian2
import numpy as np
import pytest
from builders import dense, described
from PIL import Image
from scipy.sparse import csr_array
from xarray import DataArray

import bioae
from bioae.datasets import Data, convert, load
from bioae.errors import DataError

SHAPE = (1, 28, 28)
DIGITS = load("sample", "test", 3)
PIXELS = DIGITS.values
COLOURS = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 6), np.uint8)


class Pairs:
    """A data set of PyTorch's form, without PyTorch: items are examples with labels."""

    def __init__(self, values: Any, labels: Any, **attributes: Any) -> None:
        self.values, self.labels = values, labels
        vars(self).update(attributes)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, place: int) -> tuple[Any, Any]:
        return self.values[place], self.labels[place]


class Items(UserList[Any]):
    """A data set whose items are not pairs; it is no list to Python."""


@pytest.mark.parametrize(
    ("source", "options"),
    [
        (DIGITS, {}),
        (DIGITS.as_float(), {}),
        (PIXELS, {}),
        (PIXELS[:, 0], {}),
        (PIXELS.reshape(3, 784), {}),
        (DIGITS.as_float().reshape(3, 784), {}),
        (PIXELS.reshape(3, 784).tolist(), {"white": 255}),
        (PIXELS[:, 0].astype(np.int64), {"white": 255}),
        (PIXELS[:, 0].astype(np.float32), {"white": 255}),
        (PIXELS.tobytes(), {}),
        (memoryview(DIGITS.as_float()), {}),
        (memoryview(PIXELS)[::1], {}),
        (bytearray(PIXELS.tobytes()), {}),
        (np.moveaxis(PIXELS, 1, -1), {"layout": "NHWC"}),
        (PIXELS[:, 0].swapaxes(1, 2), {"layout": "NWH"}),
        (np.moveaxis(PIXELS[:, 0], 0, -1), {"layout": "HWN"}),
        ([Image.fromarray(each[0]) for each in PIXELS], {}),
        ("sample", {"limit": 3}),
        (Pairs([Image.fromarray(each[0]) for each in PIXELS], DIGITS.labels), {}),
        (Pairs(DIGITS.as_float(), DIGITS.labels), {}),
        (Items([{"image": each, "label": 1} for each in PIXELS]), {}),
        (Items([(each,) for each in PIXELS]), {}),
        (Items(list(PIXELS)), {}),
    ],
)
def test_every_form_of_images_gives_the_same_images(source: Any, options: Any) -> None:
    data = convert(source, SHAPE, **options)
    assert isinstance(data, Data)
    assert data.shape == SHAPE
    assert np.abs(data.as_float() - DIGITS.as_float()).max() <= 1e-7  # float32
    assert data.indices.tolist() == [0, 1, 2] or data.name == "sample"


@pytest.mark.parametrize(
    "source",
    [PIXELS[0], PIXELS[0, 0], PIXELS[0].ravel(), Image.fromarray(PIXELS[0, 0])],
    ids=["channel, y, x", "y, x", "flat", "Pillow"],
)
def test_a_single_image_is_a_batch_of_one(source: Any) -> None:
    data = convert(source, SHAPE)
    assert isinstance(data, Data)
    assert (data.values == PIXELS[:1]).all()


@pytest.mark.parametrize(
    ("layout", "axes"),
    [
        ("NCHW", (0, 1, 2, 3)),
        ("NHWC", (0, 2, 3, 1)),
        ("CHWN", (1, 2, 3, 0)),
        ("WHCN", (3, 2, 1, 0)),
    ],
)
def test_layouts_are_transpositions(layout: str, axes: tuple[int, ...]) -> None:
    data = convert(COLOURS.transpose(axes), (3, 4, 6), layout=layout)
    assert isinstance(data, Data)
    assert (data.values == COLOURS).all()


@pytest.mark.parametrize(
    "dims", [("y", "x", "example", "channel"), ("channel", "x", "example", "y")]
)
def test_dimensions_of_xarray_tell_the_order_of_axes(dims: tuple[str, ...]) -> None:
    turned = DataArray(PIXELS, dims=("example", "channel", "y", "x")).transpose(*dims)
    np.testing.assert_array_equal(convert(turned, SHAPE).values, PIXELS)
    signals = DataArray(np.arange(24.0).reshape(2, 3, 4), dims=("example", "time", "channel"))
    turned = signals.transpose("channel", "example", "time")
    np.testing.assert_array_equal(convert(turned, (4,)).values, signals)


def test_values_with_a_unit_are_refused() -> None:
    quantities = pytest.importorskip("quantities")
    values = np.ones((2, 3, 4))
    for source in (values * brian2.nA, values * quantities.mV, [[[1.0 * brian2.nA]]]):
        with pytest.raises(DataError, match=r"have a unit\. Divide by it, such as values/nA"):
            convert(source, (4,))
    dimensionless = values * (brian2.nA / brian2.nA)
    np.testing.assert_array_equal(convert(dimensionless, (4,)).values, values)


def test_own_labels_take_the_place_of_texts() -> None:
    named = Pairs(PIXELS, ["a", "b", "c"])
    with pytest.raises(DataError, match=r"labels are names of classes.*numpy.unique"):
        convert(named, SHAPE)
    assert convert(named, SHAPE, labels=[4, 5, 6]).labels.tolist() == [4, 5, 6]


def test_layouts_of_signals() -> None:
    signals = np.random.default_rng(0).standard_normal((5, 7, 3))  # (example, time, channel)
    for source, options in (
        (signals, {}),
        (signals.swapaxes(1, 2), {"layout": "NCT"}),
        (signals.swapaxes(0, 1), {"layout": "TNC"}),
    ):
        data = convert(source, (3,), points=7, **options)  # type: ignore[arg-type]
        assert isinstance(data, Data)
        assert (data.as_float() == signals).all()
    single = convert(signals[2], (3,), points=7)
    assert isinstance(single, Data)
    assert (single.as_float() == signals[2:3]).all()
    frames = np.random.default_rng(1).integers(0, 3, (2, 7, 2, 3, 4))  # (n, t, p, y, x)
    for options in ({}, {"layout": "NTCHW"}):
        data = convert(frames, (24,), points=7, **options)  # type: ignore[arg-type]
        assert isinstance(data, Data)
        assert (data.as_float() == frames.reshape(2, 7, 24)).all()


@pytest.mark.parametrize(
    ("source", "shape", "options", "line"),
    [
        (np.moveaxis(PIXELS, 1, -1), SHAPE, {}, "Say so with layout='NHWC'"),
        (np.zeros((4, 6, 3)), (3, 4, 6), {}, "Say so with layout='HWC'"),
        (np.zeros((5, 3, 7)), (3,), {"points": 7}, "Say so with layout='NCT'"),
        (np.zeros((7, 5, 3)), (3,), {"points": 7}, "Say so with layout='TNC'"),
        (np.zeros((3, 783)), SHAPE, {}, r"or flat \(example, 784\).*found the shape \(3, 783\)"),
        (PIXELS, SHAPE, {"layout": "NHCX"}, "layout: unknown layout"),
        (PIXELS, SHAPE, {"layout": "NCH"}, "layout: unknown layout"),
        (PIXELS, SHAPE, {"layout": "NHW"}, "expected 3 axes; found the shape"),
        (PIXELS.astype(int), SHAPE, {}, "a pixel is outside the range"),
        (PIXELS[:, 0] % 2, SHAPE, {}, "the largest here is 1.*white=1 says that 1 is"),
        (np.ma.masked_greater(PIXELS, 9), SHAPE, {}, "some values are masked"),
        (memoryview(PIXELS.astype(int)), SHAPE, {}, "a pixel is outside the range"),
        (csr_array(PIXELS.reshape(3, 784)), SHAPE, {}, r"sparse matrix.*toarray\(\)"),
        (
            DataArray(PIXELS[:, 0], dims=("row", "example", "x")),
            SHAPE,
            {},
            "not the first dimension",
        ),
        ((PIXELS, DIGITS.labels), SHAPE, {}, "Give the labels as labels="),
        ({"images": PIXELS}, SHAPE, {}, "several arrays.*Give one of them"),
        (iter(PIXELS), SHAPE, {}, "Make a list"),
        ([[[1.0, 2.0], [3.0]]], (2,), {}, "Data.of_trains"),
        (PIXELS.astype(int), SHAPE, {"white": 16}, "expected numbers in \\[0, 16\\]"),
        (PIXELS, SHAPE, {"white": -1}, "white does not fit"),
        (PIXELS, SHAPE, {"labels": [1, 2]}, "expected 3 whole numbers"),
        (PIXELS, SHAPE, {"labels": ["a", "b", "a"]}, "numpy.unique"),
        (PIXELS, SHAPE, {"sensor": (28, 28, 1)}, "sensor has no effect"),
        (DIGITS, SHAPE, {"layout": "NHWC"}, "layout has no effect"),
        (DIGITS, SHAPE, {"split": "train"}, "split has no effect"),
        (PIXELS, SHAPE, {"split": "test"}, "split has no effect"),
        ("sample", SHAPE, {"white": 255}, "white has no effect"),
        (PIXELS, SHAPE, {"limit": 4}, "expected a limit of at most 3"),
        (PIXELS.tobytes()[:-1], SHAPE, {}, "does not have the shape of images"),
        (object(), SHAPE, {}, "found the shape"),
        (Pairs([np.zeros(3), np.zeros(4)], [0, 1]), SHAPE, {}, "the examples differ in shape"),
        (Pairs(PIXELS, ["a", "b", "c"]), SHAPE, {}, "Pairs: labels"),
        (Pairs([], []), SHAPE, {}, "there are no examples"),
        (Pairs(PIXELS, [0, 1, 2], dataset=1, batch_size=2), SHAPE, {}, "Give its data set"),
    ],
)
def test_what_does_not_fit_is_refused(source: Any, shape: Any, options: Any, line: str) -> None:
    with pytest.raises(DataError, match=line) as caught:
        convert(source, shape, **options)
    assert "\n" not in str(caught.value)


def test_labels_and_targets_of_data_sets() -> None:
    labelled = convert(Pairs(PIXELS, DIGITS.labels), SHAPE, limit=2)
    assert labelled.labels is not None
    assert labelled.labels.tolist() == DIGITS.labels[:2].tolist()  # type: ignore[index]
    numbers = convert(Pairs(PIXELS, np.arange(6.0).reshape(3, 2)), SHAPE)
    assert numbers.labels is None
    assert numbers.targets is not None
    assert numbers.targets.tolist() == [[0, 1], [2, 3], [4, 5]]
    replaced = convert(DIGITS, SHAPE, labels=[3, 2, 1])
    assert replaced.labels is not None
    assert replaced.labels.tolist() == [3, 2, 1]
    assert convert(Pairs(PIXELS, [None] * 3), SHAPE).labels is None


def test_pictures_of_grey_pixels_lose_their_colours_and_others_keep_them() -> None:
    grey = Image.fromarray(PIXELS[0, 0])
    for mode in ("RGB", "RGBA", "LA", "P"):
        data = convert(grey.convert(mode), SHAPE)
        assert isinstance(data, Data)
        assert (data.values == PIXELS[:1]).all(), mode
    coloured = convert([Image.fromarray(np.moveaxis(each, 0, -1)) for each in COLOURS], (3, 4, 6))
    assert isinstance(coloured, Data)
    assert (coloured.values == COLOURS).all()
    clear = Image.new("RGBA", (28, 28))
    with pytest.raises(DataError, match="transparent"):
        convert(clear, SHAPE)


def test_an_array_file_holds_any_of_these_forms(tmp_path: Path) -> None:
    np.save(tmp_path / "flat.npy", PIXELS.reshape(3, 784))
    np.save(tmp_path / "last.npy", np.moveaxis(PIXELS, 1, -1))
    for name, options in (("flat.npy", {}), ("last.npy", {"layout": "NHWC"})):
        data = convert(tmp_path / name, SHAPE, **options)  # type: ignore[arg-type]
        assert isinstance(data, Data)
        assert (data.values == PIXELS).all()
        assert data.name == str(tmp_path / name)
    with pytest.raises(DataError, match=r"last.npy: .*layout='NHWC'"):
        convert(tmp_path / "last.npy", SHAPE)


def test_tensors_and_their_data_sets() -> None:
    torch = pytest.importorskip("torch")
    images, labels = torch.tensor(DIGITS.as_float()), torch.tensor(DIGITS.labels)
    whole = torch.utils.data.TensorDataset(images, labels)
    part = torch.utils.data.Subset(whole, [2, 0])
    for source, places in (
        (images, [0, 1, 2]),
        (images.clone().requires_grad_(), [0, 1, 2]),
        (list(images), [0, 1, 2]),
        (whole, [0, 1, 2]),
        (part, [2, 0]),
        (torch.utils.data.ConcatDataset([part, whole]), [2, 0, 0, 1, 2]),
    ):
        data = convert(source, SHAPE)
        assert isinstance(data, Data)
        assert (data.as_float() == DIGITS.as_float()[places]).all()
        if not isinstance(source, list | torch.Tensor):
            assert data.labels is not None
            assert (data.labels == DIGITS.labels[places]).all()  # type: ignore[index]
    with pytest.raises(DataError, match=r"Give its data set, loader\.dataset"):
        convert(torch.utils.data.DataLoader(whole), SHAPE)
    with pytest.raises(DataError, match="one or two tensors; found 3"):
        convert(torch.utils.data.TensorDataset(images, labels, labels), SHAPE)


def test_conversion_imports_no_other_library() -> None:
    code = (
        "import sys, numpy as np; from bioae.datasets import convert\n"
        "class Pairs:\n"
        "    def __len__(self): return 2\n"
        "    def __getitem__(self, k): return np.zeros((1, 2, 2)), k\n"
        "print(len(convert(Pairs(), (1, 2, 2))))\n"
        "print({'torch', 'torchvision', 'tonic', 'neo', 'brian2'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split("\n")[0] == "2"
    assert "torch" not in done.stdout


@pytest.mark.parametrize("form", [lambda x: x, lambda x: x[:, 0], lambda x: x.reshape(2, -1)])
def test_networks_take_all_forms(form: Callable[[Any], Any]) -> None:
    config = described(dense("layer", 6), input_shape=[1, 2, 3], steps=4)
    network = bioae.Network.initialise(config)
    images = np.random.default_rng(0).random((2, 1, 2, 3))
    plain = bioae.simulate(network, images, "numpy")
    labels = [4, 5]
    other = bioae.simulate(network, form(images), "numpy", labels=labels)
    assert int(plain["layers/layer"]["spike_count"].sum()) > 0
    assert other["layers/layer"].to_dataset().equals(plain["layers/layer"].to_dataset())
    assert other["label"].values.tolist() == labels
    with pytest.raises(DataError, match="layout='NHWC'"):
        bioae.simulate(network, np.moveaxis(images, 1, -1), "numpy")
    with pytest.raises(DataError, match="network receives images"):
        bioae.simulate(network, Data.of_events([0], [0.0], [0], channels=6), "numpy")


def test_images_in_a_file_that_also_has_times_are_images(tmp_path: Path) -> None:
    np.savez(tmp_path / "both.npz", images=PIXELS, t=[1, 2], x=[0, 1])
    data = convert(tmp_path / "both.npz", SHAPE)
    assert isinstance(data, Data)
    assert (data.values == PIXELS).all()


def test_paths_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    np.save(tmp_path / "flat.npy", PIXELS.reshape(len(PIXELS), -1))
    np.savez(tmp_path / "recording.npz", t=[1, 2], x=[0, 1])
    assert (convert("~/flat.npy", SHAPE).values == PIXELS).all()
    assert convert("~/recording.npz", (3,)).kind == "events"


def test_labels_are_of_all_examples_or_of_the_first() -> None:
    sources: tuple[Any, ...] = (PIXELS, Pairs(PIXELS, [7, 7, 7]), Items(list(PIXELS)))
    for source in sources:
        for labels in ([4, 5, 6], [4, 5]):
            assert convert(source, SHAPE, limit=2, labels=labels).labels.tolist() == [4, 5]
        with pytest.raises(DataError, match="3 whole numbers"):
            convert(source, SHAPE, limit=2, labels=[4, 5, 6, 7])
    whole = np.arange(500)
    assert convert("sample", labels=whole, limit=3).labels.tolist() == [0, 1, 2]
    assert convert("sample", labels=whole[:3], limit=3).labels.tolist() == [0, 1, 2]


def test_ragged_pairs_and_selections_are_refused_in_one_line() -> None:
    with pytest.raises(DataError, match="not a regular array"):
        convert(([[1, 2], [3]], [1, 2]))
    data = convert(PIXELS, SHAPE)
    for which in ([], (slice(0, 1), 0), [[0]], [0.5], "a"):
        with pytest.raises(DataError, match="this selects no examples"):
            data[which]  # type: ignore[index]
    assert len(data[[True, False, True]]) == 2


def test_arrays_of_xarray_keep_the_numbers_of_their_examples() -> None:
    dims = ("example", "y", "x")
    pixels = PIXELS.reshape(-1, *SHAPE[1:])[:3]
    array = DataArray(pixels, dims=dims, coords={"example": [613, 7, 9580]})
    np.testing.assert_array_equal(convert(array, SHAPE).indices, [613, 7, 9580])
    np.testing.assert_array_equal(convert(array[::-1], SHAPE, limit=2).indices, [9580, 7])
    for others in ([1, 1, 2], [-1, 0, 1], ["a", "b", "c"]):
        named = array.assign_coords(example=others)
        np.testing.assert_array_equal(convert(named, SHAPE).indices, [0, 1, 2])


def test_signals_of_several_channels_without_a_number_of_points() -> None:
    signal = np.random.default_rng(0).random((10, 2))
    assert convert(signal, (2,)).as_float().shape == (1, 10, 2)
    assert convert(signal[None], (2,)).as_float().shape == (1, 10, 2)
    assert convert(signal, (1,)).as_float().shape == (10, 2, 1)
    for wrong in (signal.T[None], signal[:, :1], signal[..., None]):
        with pytest.raises(DataError, match=r"expected \(example, time, channel\)"):
            convert(wrong, (2,))
