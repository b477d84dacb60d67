"""``bioae import-nir``: a trained network from a NIR graph."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING

from bioae.cli.options import Json, Sizes, Steps, check_effect
from bioae.errors import InputError
from bioae.exchange.nir.graphs import Reset

if TYPE_CHECKING:
    from bioae.exchange.nir import Translation


def import_nir(
    graph: Path,
    /,
    *,
    dt: str | None = None,
    out: Path | None = None,
    steps: Steps = 25,
    encoder: str = "constant_current",
    reset: Reset = "zero",
    decoder: str | None = None,
    input_shape: Sizes = (),
    dry_run: bool = False,
    overwrite: bool = False,
    json: Json = False,
) -> None:
    """Convert a NIR graph from snnTorch, norse or others to a trained network.

    The network computes forward Euler steps of the graph's equations. It is a classifier with one
    class per neuron of the last layer.

    Parameters
    ----------
    graph
        The file of the graph, as nir.write makes it.
    dt
        The time step, which NIR does not store: that of the software that wrote the file. It is
        ``0.1*ms`` for snnTorch, and by default ``1*ms`` for norse.
    out
        The trained network to write: a folder, or a .zip file.
    steps
        Steps per presentation.
    encoder
        The encoder of images or signals, whose rate or gain is 1.
    reset
        The reset of spiking neurons: to v_reset, as NIR defines it (zero); subtraction of the
        threshold (subtract), or the same after the leak of the next step, which is the default of
        snnTorch (subtract_delayed). A graph does not store it.
    decoder
        The decoder; count by default, and max for neurons that never fire.
    input_shape
        The shape of images, such as 1,28,28, or of signals, such as 12, if it is not the graph's.
    dry_run
        Only list the nodes of the graph, and what each of them becomes.
    overwrite
        Replace an existing network.
    """
    from bioae.exchange.nir import translate
    from bioae.files import check_output
    from bioae.networks.artefact import save

    if dt is None:
        hint = "Give that of the software that wrote the file, such as 0.1*ms for snnTorch"
        raise InputError("the time step is missing, NIR does not store it", where="--dt", hint=hint)
    if dry_run:
        check_effect("--dry-run writes nothing", out=out, overwrite=overwrite)
    elif out is None:
        raise InputError("the output is missing", where="--out", hint="Or give --dry-run")
    else:
        check_output(out, overwrite=overwrite, kind="file" if out.suffix == ".zip" else "folder")
    translation = translate(
        graph, dt=dt, steps=steps, encoder=encoder, reset=reset, decoder=decoder,
        input_shape=input_shape or None,
    )  # fmt: skip
    if out is not None:
        save(translation.network, out, overwrite=overwrite)
    if json:
        nodes = [row._asdict() for row in translation.rows]
        print(json_format.dumps({"out": None if out is None else str(out), "nodes": nodes}))
    elif dry_run:
        _print_rows(translation)
    else:
        print(out)


def _printable(text: str) -> str:
    return text if text.isprintable() else repr(text)[1:-1]


def _print_rows(translation: Translation) -> None:
    """Print a table of nodes; a translation may take several lines."""
    from bioae.cli.tables import print_wrapped

    # Names from a file may hold what moves the cursor.
    rows = [tuple(map(_printable, row)) for row in translation.rows]
    rows.insert(0, ("node", "type", "becomes"))
    first, second = (min(max(len(row[k]) for row in rows), 24) for k in (0, 1))
    for node, kind, becomes in rows:
        start = f"{node:{first}}  {kind:{second}}  "
        print_wrapped(becomes, start=start, indent=first + second + 4)
