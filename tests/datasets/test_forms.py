"""Data in the forms that users have: each gives the examples that the plain form gives."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import UserList
from pathlib import Path
from typing import Any

import brian2
import numpy as np
import pytest
from builders import dense, described
from PIL import Image
from refusals import refused
from xarray import DataArray

import bioae
from bioae.datasets import Data, Request, convert, form, load
from bioae.errors import DataError
from bioae.simulation.presentations import Presentations

SHAPE = (1, 28, 28)
DIGITS = load("sample", "test", 3)
PIXELS: Any = DIGITS.values
LABELS: Any = DIGITS.labels
COLOURS = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 6), np.uint8)
SIGNALS = np.random.default_rng(0).standard_normal((5, 7, 3))
FRAMES = np.random.default_rng(1).integers(0, 3, (2, 7, 2, 3, 4))  # (n, t, p, y, x)


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


PICTURES = [Image.fromarray(each[0]) for each in PIXELS]


@pytest.mark.parametrize(
    ("source", "options"),
    [
        (DIGITS, {}), (DIGITS.as_float(), {}), (PIXELS, {}), (PIXELS[:, 0], {}),
        (PIXELS.reshape(3, 784), {}), (PIXELS.reshape(3, 784).tolist(), {"white": 255}),
        (PIXELS[:, 0].astype(np.int64), {"white": 255}),
        (PIXELS[:, 0].astype(np.float32), {"white": 255}), ((PIXELS, LABELS), {}),
        (PIXELS.tobytes(), {}), (bytearray(PIXELS.tobytes()), {}),
        (memoryview(DIGITS.as_float()), {}), (np.moveaxis(PIXELS, 1, -1), {"layout": "NHWC"}),
        (PIXELS[:, 0].swapaxes(1, 2), {"layout": "NWH"}),
        (np.moveaxis(PIXELS[:, 0], 0, -1), {"layout": "HWN"}),
        (DataArray(PIXELS, dims=("example", "channel", "y", "x")).transpose("y", ...), {}),
        (PICTURES, {}), ("sample", {"limit": 3}), ("sample", {"examples": [0, 1, 2]}),
        (Pairs(PICTURES, LABELS), {}), (Pairs(DIGITS.as_float(), LABELS), {}),
        (Items([{"image": each, "label": 1} for each in PIXELS]), {}),
        (Items([(each,) for each in PIXELS]), {}), (Items(list(PIXELS)), {}),
    ],
)  # fmt: skip
def test_forms_of_images(source: Any, options: Any) -> None:
    data = convert(source, SHAPE, **options)
    assert (data.kind, data.shape) == ("images", SHAPE)
    assert np.abs(data.as_float() - DIGITS.as_float()).max() <= 1e-7  # float32
    assert data.indices.tolist() == [0, 1, 2] or data.name == "sample"


def test_a_pair_has_labels_or_targets() -> None:
    labels = convert((PIXELS, LABELS.tolist()), SHAPE, limit=2).labels
    np.testing.assert_array_equal(labels, LABELS[:2])
    both = convert((PIXELS, LABELS / 2), SHAPE, labels=[1, 2, 3])
    assert (both.labels is None, both.targets is None) == (False, False)
    for y, target in ((LABELS / 2, None), (LABELS, "targets"), (LABELS[:, None], None)):
        targets: Any = convert((PIXELS, y), SHAPE, target=target).targets
        np.testing.assert_array_equal(targets[:, 0], np.ravel(y))
    signals = np.random.default_rng(0).random((3, 4, 2))
    targets = convert((signals, signals), (2,), target="targets").targets
    np.testing.assert_array_equal(targets, signals)
    assert convert((PIXELS[0, 0], PIXELS[1, 0]), SHAPE).targets is None  # two images
    spikes = [np.array([(t, 0)], [("t", float), ("x", int)]) for t in (1.0, 2.0)]
    events = convert(([*spikes, np.concatenate(spikes)], LABELS), (2,), time_unit="ms")
    np.testing.assert_array_equal(events.labels, LABELS)
    with refused(DataError, where="targets", found=re.compile(r"\(2, 4, 2\)")):
        convert((signals, signals[:2]), (2,), target="targets")
    with refused(DataError, where="labels", found=re.compile("float64")):
        convert((PIXELS, LABELS / 2), SHAPE, target="labels")
    with refused(DataError, where="labels", hint="Leave out y, or labels="):
        convert((PIXELS, LABELS), SHAPE, labels=[1, 2, 3])


@pytest.mark.parametrize("source", [PIXELS[0], PIXELS[0, 0], PIXELS[0].ravel(), PICTURES[0]])
def test_a_single_image_is_a_batch_of_one(source: Any) -> None:
    np.testing.assert_array_equal(convert(source, SHAPE).values, PIXELS[:1])


@pytest.mark.parametrize(
    ("source", "shape", "options", "expected"),
    [
        (SIGNALS, (3,), {"points": 7}, SIGNALS),
        (SIGNALS.swapaxes(1, 2), (3,), {"layout": "NCT"}, SIGNALS),
        (SIGNALS.swapaxes(0, 1), (3,), {"layout": "TNC", "points": 7}, SIGNALS),
        (SIGNALS[2], (3,), {"points": 7}, SIGNALS[2:3]),
        (SIGNALS[2], (3,), {}, SIGNALS[2:3]),
        (SIGNALS[2], (1,), {}, SIGNALS[2][..., None]),
        (FRAMES, (24,), {"points": 7}, FRAMES.reshape(2, 7, 24)),
        (FRAMES, (24,), {"layout": "NTCHW"}, FRAMES.reshape(2, 7, 24)),
        (DataArray(SIGNALS, dims=("example", "time", "channel")).T, (3,), {}, SIGNALS),
        (SIGNALS * (brian2.nA / brian2.nA), (3,), {}, SIGNALS),
    ],
)
def test_forms_of_signals(source: Any, shape: Any, options: Any, expected: Any) -> None:
    np.testing.assert_array_equal(convert(source, shape, **options).as_float(), expected)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "CHWN", "WHCN"])
def test_layouts_are_transpositions(layout: str) -> None:
    axes = ["NCHW".index(letter) for letter in layout]
    data = convert(COLOURS.transpose(axes), (3, 4, 6), layout=layout)
    np.testing.assert_array_equal(data.values, COLOURS)


NO_EFFECT = {"hint": "Leave it out"}
REFUSED: list[tuple[Any, Any, dict[str, Any], dict[str, Any]]] = [
    (np.moveaxis(PIXELS, 1, -1), SHAPE, {}, {"hint": re.compile("layout='NHWC'")}),
    (np.zeros((4, 6, 3)), (3, 4, 6), {}, {"hint": re.compile("layout='NHWC'")}),
    (np.zeros((5, 3, 7)), (3,), {"points": 7}, {"hint": re.compile("layout='NCT'")}),
    (SIGNALS[:, :, 0], (3,), {}, {"expected": "examples of the shape (3,)", "hint": None}),
    (np.zeros((3, 783)), SHAPE, {}, {"found": "the shape (3, 783)"}),
    (PIXELS.tobytes()[:-1], SHAPE, {}, {"found": "the shape (2351,)"}),
    (object(), SHAPE, {}, {"found": "the shape ()"}),
    (PIXELS, SHAPE, {"layout": "NHCX"}, {"where": "an array: layout", "found": "'NHCX'"}),
    (PIXELS, SHAPE, {"layout": "NCH"}, {"where": "an array: layout", "found": "'NCH'"}),
    (PIXELS, SHAPE, {"layout": "NHW"}, {"expected": "3 axes"}),
    # near misses
    (([[1, 2], [3]], [1, 2]), SHAPE, {}, {"where": "an array"}),
    (DataArray(PIXELS[:, 0], dims=("row", "example", "x")), SHAPE, {}, {"where": "an array"}),
    (np.ma.masked_greater(PIXELS, 9), SHAPE, {}, {"hint": re.compile("filled")}),
    (SIGNALS * brian2.nA, (3,), {}, {"hint": re.compile("values/nA")}),
    ([[[1.0 * brian2.nA]]], (1,), {}, {"hint": re.compile("values/nA")}),
    # data sets
    (Pairs([np.zeros(3), np.zeros(4)], [0, 1]), SHAPE, {}, {"where": "Pairs"}),
    (Pairs(PIXELS, ["a", "b", "c"]), SHAPE, {}, {"where": "Pairs: labels"}),
    (Pairs([], []), SHAPE, {}, {"where": "Pairs"}),
    (Items([(1, 2, 3)]), SHAPE, {}, {"found": "tuple of 3"}),
    (
        Pairs(PIXELS, LABELS, dataset=1, batch_size=2), SHAPE, {},
        {"hint": "Give its data set, loader.dataset"},
    ),
    (Image.new("RGBA", (28, 28)), SHAPE, {}, {"where": "an image of Pillow"}),
    (PICTURES[0].convert("F"), SHAPE, {}, {"found": "mode F"}),
    # options
    (PIXELS, SHAPE, {"white": -1}, {}),
    (PIXELS, SHAPE, {"sensor": (28, 28, 1)}, {"where": "sensor", **NO_EFFECT}),
    (DIGITS, SHAPE, {"layout": "NHWC"}, {"where": "layout", **NO_EFFECT}),
    (DIGITS, SHAPE, {"split": "train"}, {"where": "split", **NO_EFFECT}),
    (PIXELS, SHAPE, {"split": "test"}, {"where": "split", **NO_EFFECT}),
    ("sample", SHAPE, {"white": 255}, {"where": "white", **NO_EFFECT}),
    ("sample", SHAPE, {"split": "valid"}, {"expected": "train or test", "found": "'valid'"}),
    (PIXELS, SHAPE, {"limit": 0}, {"found": "0"}),
    (PIXELS, SHAPE, {"limit": 4}, {"expected": "a limit of at most 3", "found": "4"}),
    ("sample", SHAPE, {"limit": 501}, {"where": "sample, split test", "found": "501"}),
    ("sample", SHAPE, {"limit": 10**15}, {"expected": "a limit of at most 500"}),
    (PIXELS, SHAPE, {"examples": [0, 3]}, {"expected": "positions from 0 to 2", "found": "3"}),
    *((PIXELS, SHAPE, {"examples": each}, {"where": "examples"})
      for each in ([1, 1], [-1, 0], [0.5], [], 1, "01", [[0, 1]])),
    (PIXELS, SHAPE, {"examples": [0], "limit": 1}, {"hint": "Give one of the two"}),
    (PIXELS, SHAPE, {"labels": [1, 2]}, {"where": "labels"}),
    (Pairs(PIXELS, LABELS), SHAPE, {"labels": [1] * 4, "limit": 2}, {"where": "Pairs: labels"}),
]  # fmt: skip


@pytest.mark.parametrize(("source", "shape", "options", "fields"), REFUSED)
def test_what_does_not_fit(source: Any, shape: Any, options: Any, fields: Any) -> None:
    with refused(DataError, **fields) as caught:
        convert(source, shape, **options)
    assert "\n" not in str(caught.value)


def test_time_before_examples_does_not_fit_a_network() -> None:
    network = described(
        dense("only", 2), input_shape=[3], steps=7, encoder={"kind": "frames"},
        task={"kind": "classification", "classes": 2},
    )  # fmt: skip
    with refused(DataError, found="5"):
        Presentations.of(network, np.zeros((7, 5, 3)))
    assert len(Presentations.of(network, np.zeros((7, 5, 3)), layout="TNC")) == 5


def test_labels_and_targets_of_data_sets() -> None:
    numbers = convert(Pairs(PIXELS, np.arange(6.0).reshape(3, 2)), SHAPE)
    assert numbers.labels is None
    assert np.asarray(numbers.targets).tolist() == [[0, 1], [2, 3], [4, 5]]
    assert convert(Pairs(PIXELS, [None] * 3), SHAPE).labels is None
    named = Pairs(PIXELS, ["a", "b", "c"])
    assert np.asarray(convert(named, SHAPE, labels=[4, 5, 6]).labels).tolist() == [4, 5, 6]
    own = convert(DIGITS, SHAPE, labels=[3, 2, 1], targets=[0.5, 1.5, 2.5])
    assert np.asarray(own.labels).tolist() == [3, 2, 1]
    assert np.asarray(own.targets).tolist() == [[0.5], [1.5], [2.5]]


@pytest.mark.parametrize(
    "source", [PIXELS, Pairs(PIXELS, LABELS), Items(list(PIXELS)), DIGITS], ids=type
)
@pytest.mark.parametrize(
    ("options", "places"), [({"limit": 2}, [0, 1]), ({"examples": [2, 0]}, [2, 0])], ids=str
)
def test_selections_of_examples(source: Any, options: Any, places: list[int]) -> None:
    data = convert(source, SHAPE, **options)
    np.testing.assert_array_equal(data.values, PIXELS[places])
    np.testing.assert_array_equal(data.indices, convert(source, SHAPE).indices[places])
    for labels, expected in (([4, 5, 6], np.array([4, 5, 6])[places]), ([7, 8], [7, 8])):
        labelled = convert(source, SHAPE, labels=labels, **options)
        np.testing.assert_array_equal(labelled.labels, expected)


def test_items_after_the_last_example_are_not_read() -> None:
    class Many(Pairs):
        def __getitem__(self, place: int) -> Any:
            assert place < 3
            return PIXELS[place], 0

    assert len(convert(Many(range(10**9), None), SHAPE, examples=[2, 1])) == 2


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_pictures_of_grey_pixels_lose_their_colours(mode: str) -> None:
    np.testing.assert_array_equal(convert(PICTURES[0].convert(mode), SHAPE).values, PIXELS[:1])
    coloured = [Image.fromarray(np.moveaxis(each, 0, -1)) for each in COLOURS]
    np.testing.assert_array_equal(convert(coloured, (3, 4, 6)).values, COLOURS)


def test_arrays_of_xarray_keep_the_numbers_of_their_examples() -> None:
    dims = ("example", "y", "x")
    array = DataArray(PIXELS[:, 0], dims=dims, coords={"example": [613, 7, 9580]})
    assert convert(array[::-1], SHAPE, limit=2).indices.tolist() == [9580, 7]
    for others in ([1, 1, 2], [-1, 0, 1], ["a", "b", "c"]):
        assert convert(array.assign_coords(example=others), SHAPE).indices.tolist() == [0, 1, 2]


def test_tensors_and_their_data_sets() -> None:
    torch = pytest.importorskip("torch")
    images, labels = torch.tensor(DIGITS.as_float()), torch.tensor(LABELS)
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
        np.testing.assert_array_equal(data.as_float(), DIGITS.as_float()[places])
        if not isinstance(source, list | torch.Tensor):
            np.testing.assert_array_equal(data.labels, LABELS[places])
    with refused(DataError, where="DataLoader"):
        convert(torch.utils.data.DataLoader(whole), SHAPE)
    with refused(DataError, expected="one or two tensors", found="3"):
        convert(torch.utils.data.TensorDataset(images, labels, labels), SHAPE)


@pytest.mark.medium
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
    assert done.stdout.split("\n")[:2] == ["2", "set()"]


def test_networks_take_all_forms(tmp_path: Path) -> None:
    config = described(dense("layer", 6), input_shape=[1, 2, 3], steps=4)
    network = bioae.Network.initialise(config)
    images = np.random.default_rng(0).integers(2, 256, (2, 2, 3), np.uint8)
    for label, image in zip("45", images, strict=True):
        (tmp_path / label).mkdir()
        Image.fromarray(image).save(tmp_path / label / "a.png")
    plain = bioae.simulate(network, images[:, None], "numpy")
    assert int(plain["layers/layer"]["spike_count"].sum()) > 0
    for source, options in ((images.reshape(2, 6), {"labels": [4, 5]}), (tmp_path, {})):
        other = bioae.simulate(network, source, "numpy", **options)
        assert other["layers/layer"].to_dataset().equals(plain["layers/layer"].to_dataset())
        assert other["label"].values.tolist() == [4, 5]
    with refused(DataError, expected="images of the shape (channel, y, x) = (1, 2, 3)"):
        bioae.simulate(network, Data.of_events([0], [0.0], [0], channels=6), "numpy")


def test_a_form_of_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bioae.datasets.forms.registry._FORMS", [])

    @form(lambda source: isinstance(source, Path), "white")
    def constants(source: Path, request: Request) -> Data:
        return Data.of_images(np.full((2, 3, 4), len(source.name)), white=request.white)

    assert (np.asarray(convert(Path("abc"), white=255).values) == 3).all()
    with refused(DataError, where="layout"):
        convert(Path("abc"), white=255, layout="NHW")
