"""Weights in devices: rules whose weights are pairs of bounded, quantised conductances."""

from __future__ import annotations

from bioae.checks import number, whole
from bioae.equations.assignments import parse_assignments
from bioae.equations.expressions import Expression
from bioae.equations.synapses.lowering import lower_synapse
from bioae.equations.synapses.model import BLOCKS, WEIGHT, SynapseModel
from bioae.equations.synapses.program import GRID_BITS, Rule, named
from bioae.errors import InputError, ModelError

#: The least step of a weight: two units of the grid.
FINEST = 2.0 ** (1 - GRID_BITS)

#: The part that a pair has in common: its smaller conductance, in levels above the lowest.
_COMMON = "g_common"

#: The weight that the rule would give, without devices.
_WISHED = "w_wished"

#: Of a pair of conductances, in levels: a pulse raises one by a level, or lowers the other where
#: the first is at its highest. Pulses are rounded at random, so that their mean is what the rule
#: wishes; g_plus and g_minus differ by the weight.
_WRITE = f"""
g_plus = {_COMMON} + floor(clip({WEIGHT}, 0, w_device)/w_level + 0.5)
g_minus = {_COMMON} + floor(clip(-{WEIGHT}, 0, w_device)/w_level + 0.5)
g_wished = clip({_WISHED}, -w_device, w_device)/w_level
g_pulses = floor(g_wished - (g_plus - g_minus) + rand())
g_written = floor(g_pulses + write_noise*sqrt(abs(g_pulses))*randn() + 0.5)
g_more = clip(g_written, 0, highest - g_plus)
g_less = clip(-g_written, 0, highest - g_minus)
g_rest = g_written - g_more + g_less
g_plus_after = g_plus + g_more - clip(-g_rest, 0, g_plus)
g_minus_after = g_minus + g_less - clip(g_rest, 0, g_minus)
{_COMMON} = clip(g_minus_after, 0, g_plus_after)
{WEIGHT} = w_level*(g_plus_after - g_minus_after)
"""

_WRITTEN = {each.target for each in parse_assignments(_WRITE, where="devices")} - {WEIGHT}


def with_devices(
    model: SynapseModel, levels: int, *, largest: float = 1.0, noise: float = 0.0
) -> SynapseModel:
    """Return a rule whose weights are differences of two conductances of a few levels each.

    A weight is ``w = largest*(G_plus - G_minus)`` with both conductances between 0 and 1. The
    rule's weight change is written in pulses of one level, a random whole number of them with the
    right mean. A pulse raises one conductance, or lowers the other where the first is at its
    highest. It models the behaviour of memristor-based systems, such as those of Merkel & Ororbia
    2024 (arXiv:2409.10887), not a particular device.

    Parameters
    ----------
    model
        The rule.
    levels
        The number of levels of a conductance, at least 2.
    largest
        The largest magnitude of a weight.
    noise
        The standard deviation of the number of levels that a pulse moves a conductance; that of
        several pulses grows with the square root of their number.

    Returns
    -------
    SynapseModel
        A model with the same name, and ``_devices`` added. It is an ordinary synapse model, which
        `to_toml` writes.

    Raises
    ------
    ModelError
        If Brian2 rejects the rule, or it uses a name that devices need.
    InputError
        If a number does not fit, or levels are finer than the grid of weights.
    """
    rule = lower_synapse(model)
    rule.check_phases()
    whole(levels, "levels", least=2, most=2**20)
    number(largest, "largest", above=0, most=2.0**24)
    number(noise, "noise", least=0)
    if largest / (levels - 1) < FINEST:
        raise InputError(
            "the levels are finer than the grid of weights", where="levels, largest",
            expected=f"largest/(levels - 1) of at least {FINEST:.2g}",
            found=f"{largest / (levels - 1):.2g}",
        )  # fmt: skip
    added = {
        "w_device": repr(float(largest)), "highest": str(levels - 1),
        "w_level": "w_device/highest", "write_noise": repr(float(noise)),
    }  # fmt: skip
    _check_names(rule, {*added, _COMMON, _WISHED, *_WRITTEN})
    fields = model.to_mapping()
    synapse = dict(fields["synapse"])
    for key in BLOCKS:
        if key in synapse:
            synapse[key] = _written(synapse[key], where=f"{model.name}.toml, [synapse] {key}")
    equations = synapse.get("equations", "").strip()
    synapse["equations"] = "\n".join(filter(None, [equations, f"{_COMMON} : 1"]))
    return SynapseModel.from_mapping(
        f"{model.name}_devices",
        {
            **fields,
            "description": f"{model.description} Its weights are pairs of conductances of {levels} "
            "levels.",
            "persistent": [*model.persistent, _COMMON],
            "synapse": synapse,
            "parameters": {**model.parameters, **added},
        },
        where=f"{model.name}_devices.toml",
    )


def _written(code: str, *, where: str) -> str:
    """Return statements that assign a wished weight instead, which is then written to devices."""
    lines: list[str] = []
    known: dict[str, Expression] = {}
    for each in parse_assignments(code, where=where):
        target = _WISHED if each.target == WEIGHT else each.target
        lines.append(f"{target} = {each.value.substituted(known)}")
        if each.target == WEIGHT:
            known[WEIGHT] = Expression(_WISHED)
    return "\n".join([*lines, _WRITE.strip()] if known else lines)


def _check_names(rule: Rule, needed: set[str]) -> None:
    """Reject a rule that has a name that devices need."""
    model = rule.model
    code = (getattr(model.synapse, key) for key in BLOCKS)
    lines = (each for text in code if text for each in parse_assignments(text, where=model.name))
    layer = (each.target.removeprefix(named("layer", "")) for each in rule.layer)
    used = {*model.parameters, *model.held, *rule.states, *rule.sums, *layer}
    used |= {each.target for each in lines} - {WEIGHT}
    for name in sorted(used & needed):
        raise ModelError(
            f"weights in devices need the name {name!r}", where=f"{model.name}.toml",
            hint="Rename it in the rule",
        )  # fmt: skip
