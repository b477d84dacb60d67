"""Code that cannot be compiled is an error, not left out silently."""

from __future__ import annotations

import numpy as np
import pytest
from builders import dense, drawn

from bioae import simulate
from bioae.errors import TargetError


def test_code_that_was_not_compiled_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imitate Brian2's Cython target, which skips code objects that do not compile."""
    from brian2.codegen.runtime.numpy_rt import NumpyCodeObject

    compile_block = NumpyCodeObject.compile_block

    def spoilt(self: NumpyCodeObject, block: str) -> object:
        wanted = "stateupdater" in self.name and block == "run"
        return None if wanted else compile_block(self, block)

    network = drawn(dense("output", shape=[1, 2, 2]), input_shape=[1, 2, 2], steps=3)
    images = np.ones((1, 1, 2, 2))
    simulate(network, images, "numpy")
    monkeypatch.setattr(NumpyCodeObject, "compile_block", spoilt)
    with pytest.raises(TargetError, match="could not be compiled, and Brian2 left it out"):
        simulate(network, images, "numpy")
