"""Random hostile texts in every field of a neuron model: accepted or refused, in time."""

from __future__ import annotations

import time

import pytest
from hostile import EXPRESSIONS, FIELDS, outcome
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_text_takes_long_or_raises_another_error() -> None:
    seconds: list[float] = []
    refusals: list[bool] = []

    @settings(
        max_examples=2000, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.sampled_from(sorted(FIELDS)), EXPRESSIONS)
    def sweep(field: str, text: str) -> None:
        start = time.process_time()
        refusals.append(outcome(FIELDS[field](text)) is not None)
        seconds.append(time.process_time() - start)

    sweep()
    assert 0 < sum(refusals) < len(refusals)
