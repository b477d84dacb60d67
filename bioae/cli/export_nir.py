"""``bioae export-nir``: a NIR graph of a trained network."""

from __future__ import annotations

from pathlib import Path


def export_nir(
    model: str,
    /,
    *,
    out: Path,
    dt: str | None = None,
    fold_r: bool = False,
    ignore_reset: bool = False,
    overwrite: bool = False,
) -> None:
    """Write a trained network as a NIR graph, for snnTorch, norse and others.

    Parameters
    ----------
    model
        The trained network: a folder, a .zip file, or a name from bioae networks list.
    out
        The file to write.
    dt
        The time step that the reader assumes, if it is not the network's: ``0.1*ms`` for snnTorch.
        The steps stay the same, so time constants scale with it.
    fold_r
        Multiply weights by the resistances r, which norse ignores, and write r = 1; for IF and I,
        by ``r*dt``, and write ``r = 1/dt``.
    ignore_reset
        Write imported neurons that are reset by subtraction as neurons of NIR, whose reset is to a
        constant. snnTorch writes them so: the reader must set the reset again.
    overwrite
        Replace an existing file.
    """
    from bioae.exchange.nir import to_nir, write_graph
    from bioae.files import check_output
    from bioae.networks.artefact import load

    check_output(out, overwrite=overwrite, kind="file")
    graph = to_nir(load(model), dt=dt, fold_r=fold_r, ignore_reset=ignore_reset)
    write_graph(graph, out, overwrite=overwrite)
    print(out)
