"""Write the generated parts of the pages anew: tables of keys, and a box for each neuron model.

python docs/make_tables.py
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import sympy
from brian2.equations.equations import DIFFERENTIAL_EQUATION, Equations, SingleEquation
from brian2.parsing.sympytools import str_to_sympy
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bioae.decoders import CountDecoder, LastDecoder, MaxDecoder, MeanDecoder
from bioae.encoders import Bernoulli, ConstantCurrent, FirstSpike
from bioae.equations.library import available, load_model
from bioae.equations.lowering import brian2_equations
from bioae.equations.model import NeuronModel, Surrogate
from bioae.equations.quantities import unit_name
from bioae.files import atomic_output
from bioae.layers import Conv2d, ConvTranspose2d, Dense, LayerBase
from bioae.network import NetworkConfig

PAGES = tuple(Path(__file__).with_name(name) for name in ("networks.md", "neuron-models.md"))

_TABLES: dict[str, tuple[type[BaseModel], ...]] = {
    "network": (NetworkConfig,),
    "layer": (LayerBase,),
    "dense": (Dense,),
    "conv2d": (Conv2d,),
    "conv_transpose2d": (ConvTranspose2d,),
    "encoders": (Bernoulli, FirstSpike, ConstantCurrent),
    "decoders": (MaxDecoder, LastDecoder, MeanDecoder, CountDecoder),
    "neuron": (NeuronModel,),
    "surrogate": (Surrogate,),
}
_COMMON: dict[str, set[str]] = {"encoders": set(), "decoders": {"scale"}}
_MEANING = {
    "channels": "output channels",
    "kernel": "rows and columns of the kernel",
    "stride": "rows and columns from one position of the kernel to the next",
    "padding": "rows and columns of zeros around the image",
    "dilation": "rows and columns from one tap of the kernel to the next",
    "groups": "parts into which the channels fall, each connected within itself",
    "output_padding": "rows and columns added at the far end of the output",
    "schedule": '`"brian2"` or `"paper"`: the order within a step, see [timing](timing.md)',
    "encoder": "a table, see [encoders](#encoders); `bernoulli` by default",
    "decoder": "a table, see [decoders](#decoders); `max` by default",
    "layers": "the layers, from the input's side, see [layers](#layers)",
}
_MARKED = re.compile(r"(<!-- (keys|models): (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> None:
    """Rewrite the pages."""
    for page in PAGES:
        text = filled(page.read_text(encoding="utf-8"))
        with atomic_output(page, overwrite=True) as temporary:
            temporary.write_text(text, encoding="utf-8")


def filled(page: str) -> str:
    """Return a page with what stands between its marks written anew."""
    return _MARKED.sub(lambda mark: f"{mark[1]}\n{_written(mark[2], mark[3])}\n\n{mark[4]}", page)


def _written(what: str, name: str) -> str:
    if what == "keys":
        return _table(name)
    return "\n\n".join(_box(load_model(model)) for model in available())


def _box(model: NeuronModel) -> str:
    """Return what a paper's box says of a model: dynamics, spiking, parameters, source."""
    equations = brian2_equations(model)
    lines = [_dynamics(equation) for equation in Equations(model.equations).ordered]
    parts = [f"### {model.name}", model.description, _display(lines)]
    spiking = {"fires if": model.threshold, "then": model.reset, "refractory": model.refractory}
    rules = [
        f"{word} `{'; '.join(text.strip().splitlines())}`" for word, text in spiking.items() if text
    ]
    if rules:
        parts.append(
            ", ".join(rule.replace("`; ", "`").replace("; `", "`") for rule in rules) + "."
        )
    rows = [
        f"| `{name}` | {text} | {unit_name(equations[name].dim)} | {_bounds(model, name)} |"
        for name, text in model.parameters.items()
    ]
    head = [
        "| parameter | value | base unit | may be trained from, to |",
        "| --- | --- | --- | --- |",
    ]
    parts.append("\n".join([*head, *rows]))
    parts.append(
        f"Input adds `{model.weight}` to `{model.input}` a unit of weight. {model.reference}."
    )
    return "\n\n".join(parts)


def _one_line(statements: str) -> str:
    return "; ".join(statements.strip().splitlines())


def _display(lines: list[str]) -> str:
    body = " \\\\\n".join(lines)
    return f"$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n$$"


def _dynamics(equation: SingleEquation) -> str:
    name = sympy.latex(sympy.Symbol(equation.varname))
    if equation.expr is None:
        return f"{name} &: \\text{{{', '.join(equation.flags) or 'a variable'}}}"
    left = f"\\frac{{d {name}}}{{dt}}" if equation.type == DIFFERENTIAL_EQUATION else name
    flags = f" \\quad \\text{{({', '.join(equation.flags)})}}" if equation.flags else ""
    return f"{left} &= {sympy.latex(str_to_sympy(str(equation.expr)))}{flags}"


def _bounds(model: NeuronModel, name: str) -> str:
    return ", ".join(model.trainable.get(name, ()))


def _table(name: str) -> str:
    models = _TABLES[name]
    if len(models) > 1:
        head = "| kind | what it does | keys |\n| --- | --- | --- |"
        return "\n".join([head, *(_choice(model, _COMMON[name]) for model in models)])
    (model,) = models
    hidden = {key for key, field in model.model_fields.items() if field.exclude}
    own = [key for key in model.model_fields if key not in _inherited(model) | hidden]
    head = "| key | default | meaning |\n| --- | --- | --- |"
    return "\n".join([head, *(_row(key, model.model_fields[key]) for key in own)])


def _choice(model: type[BaseModel], common: set[str]) -> str:
    fields = {key: f for key, f in model.model_fields.items() if key not in {"kind", *common}}
    keys = "; ".join(f"`{key} = {_default(f)}`: {f.description}" for key, f in fields.items())
    line = (model.__doc__ or "").partition("\n")[0].rstrip(".").replace("``", "`")
    return f"| `{model.model_fields['kind'].default}` | {line} | {keys} |"


def _inherited(model: type[BaseModel]) -> set[str]:
    is_kind = issubclass(model, LayerBase) and model is not LayerBase
    return {"kind", *(LayerBase.model_fields if is_kind else ())}


def _row(key: str, field: FieldInfo) -> str:
    meaning = _MEANING.get(key) or field.description
    default = f"`{_default(field)}`"
    if field.is_required():
        default = "required"
    elif field.default is None or field.default is PydanticUndefined:
        default = ""
    return f"| `{key}` | {default} | {meaning} |"


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    return str(list(value)) if isinstance(value, tuple) else str(value)


if __name__ == "__main__":
    main()
