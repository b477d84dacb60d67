"""The named data sets: their sources, licences and checksums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from bioae.checks import instance
from bioae.errors import DataError, did_you_mean, shortened


@dataclass(frozen=True)
class DataSet:
    """A named data set.

    Parameters
    ----------
    name
        The name.
    description
        Its content, in one line.
    source
        The reference to cite.
    licence
        The licence under which its authors share it.
    examples
        The number of images of each split.
    mirrors
        Addresses of folders that hold its files, in the order in which they are tried; empty if
        the data set comes with the package.
    sha256
        The checksum of each file there.
    """

    name: str
    description: str
    source: str
    licence: str
    examples: Mapping[str, int]
    mirrors: tuple[str, ...] = ()
    sha256: Mapping[str, str] = field(default_factory=dict)


def _checksums(*sha256: str) -> dict[str, str]:
    """Return the checksums of the files of MNIST's form, in their order."""
    kinds = ("images-idx3", "labels-idx1")
    names = [f"{split}-{kind}-ubyte.gz" for split in ("train", "t10k") for kind in kinds]
    return dict(zip(names, sha256, strict=True))


_SAMPLE = DataSet(
    name="sample",
    description="Handwritten digits, 28 x 28, a balanced part of MNIST that comes with bioae.",
    source="Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database of handwritten digits",
    licence="CC BY-SA 3.0",
    examples={"train": 2_000, "test": 500},
)

_MNIST = DataSet(
    name="mnist",
    description="Handwritten digits, 28 x 28, 10 classes.",
    source="Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database of handwritten digits",
    licence="CC BY-SA 3.0",
    examples={"train": 60_000, "test": 10_000},
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    sha256=_checksums(
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
)

_FASHION_MNIST = DataSet(
    name="fashion-mnist",
    description="Photographs of clothes, 28 x 28, 10 classes.",
    source="H. Xiao, K. Rasul, R. Vollgraf 2017, arXiv:1708.07747",
    licence="MIT",
    examples={"train": 60_000, "test": 10_000},
    mirrors=(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    sha256=_checksums(
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
)

#: The data sets that `bioae.datasets.load` knows by name.
DATA_SETS: Mapping[str, DataSet] = MappingProxyType(
    {known.name: known for known in (_SAMPLE, _MNIST, _FASHION_MNIST)}
)


def data_set(name: str) -> DataSet:
    """Return the data set of that name, or raise DataError."""
    instance(name, "the name", str, error=DataError)
    if name in DATA_SETS:
        return DATA_SETS[name]
    raise unknown_data_set(name, f"one of {', '.join(DATA_SETS)}")


def unknown_data_set(name: str, expected: str) -> DataError:
    """Return the error for a name that no data set has."""
    hint = did_you_mean(name, DATA_SETS, shown=str)
    return DataError("unknown data set", where=shortened(name), expected=expected, hint=hint)
