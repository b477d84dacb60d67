"""Checks before a run: its folder and its device."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import torch

from bioae.errors import NetworkError, OutputError
from bioae.files import check_output
from bioae.inputs import as_path
from bioae.locks import alone

__all__ = ["alone_in", "check_folder", "torch_device"]

_LOCK = ".lock"


def check_folder(out: Path | str, *, replace: bool) -> Path:
    """Return the folder of a run, which is empty, missing or to be replaced.

    Raises
    ------
    OutputError
        If it holds something else, or cannot be written.
    """
    out = as_path(out, OutputError, "output")
    empty = out.is_dir() and all(path.name == _LOCK for path in out.iterdir())
    return check_output(out, overwrite=replace or empty, kind="folder")


def alone_in(out: Path) -> AbstractContextManager[None]:
    """Keep other processes from training in a folder, which is made if there is none.

    Raises
    ------
    OutputError
        On entry, if another process trains there.
    """
    return alone(out / _LOCK, what="trains", where=out)


def torch_device(name: str) -> torch.device:
    """Return a PyTorch device of this machine.

    Raises
    ------
    NetworkError
        If there is none of that name.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except Exception as error:  # of many kinds: some back ends have no module in this PyTorch
        raise NetworkError(
            "the device cannot be used",
            where="training.device",
            expected="a PyTorch device of this machine, such as cpu or cuda",
            found=f"{name!r}: {str(error).splitlines()[0]}",
            mend="For a GPU install its driver and a PyTorch for it (pytorch.org/get-started)",
        ) from error
    return device
