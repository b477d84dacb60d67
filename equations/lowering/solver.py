"""Exact integration of a model from standard input: the process that `exact` starts and stops."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import Any

from brian2.stateupdaters.base import UnsupportedEquationsException
from brian2.stateupdaters.exact import linear

from bioae.equations.declarations import brian2_equations
from bioae.equations.language import complaint
from bioae.equations.lowering.probing import group_of
from bioae.equations.model import NeuronModel


def main() -> None:
    """Read a model and aliases of its variables, print the integration step; both are JSON."""
    with suppress(ImportError):
        import resource  # not on Windows, where the process that waits has a limit alone

        limit = int(sys.argv[1])
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
    request = json.load(sys.stdin)
    print(json.dumps(_solved(NeuronModel.model_validate(request["model"]), request["aliases"])))


def _solved(model: NeuronModel, aliases: dict[str, str]) -> dict[str, str]:
    codes: list[str] = []

    def solve(equations: Any, variables: Any, _: Any) -> str:
        codes.append(linear(equations, variables))
        return codes[-1]

    try:
        group = group_of(model, brian2_equations(model), aliases, method=solve)
        group.state_updater.update_abstract_code({})
    except UnsupportedEquationsException as error:
        return {"unsupported": str(error)}
    except Exception as error:  # noqa: BLE001 - Brian2 raises many kinds
        return {"error": complaint(error)}
    return {"code": codes[-1]}


if __name__ == "__main__":
    main()
