"""Extension of Sphinx: documents public names, and links every mention of one to its entry.

- The directive ``names`` documents names of a module, after a table of them.
- Names in single backticks of docstrings, and public names in code font on pages, become links.
- Definitions lead to the public name: ``bioae.networks.network.Network`` to `bioae.Network`.
- Names of other libraries lead to their documentation by rule, so that no inventory is downloaded.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pkgutil import ModuleInfo
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from function_examples import examples
from public_names import PACKAGES, documented, exists, homes, unqualified
from pydantic import BaseModel
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.python import PyXRefRole
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import stringify_signature

#: The documentation of other libraries: a pattern of full names, and the address.
FOREIGN = (
    (r"numpy\.random\.\w+", "https://numpy.org/doc/stable/reference/random/index.html"),
    (r"numpy\.typing\.\w+", "https://numpy.org/doc/stable/reference/typing.html"),
    (r"numpy\.[\w.]+", r"https://numpy.org/doc/stable/reference/generated/\g<0>.html"),
    (r"xarray\.[\w.]+", r"https://docs.xarray.dev/en/stable/generated/\g<0>.html"),
    (r"pandas\.[\w.]+", r"https://pandas.pydata.org/docs/reference/api/\g<0>.html"),
    (r"scipy\.stats", "https://docs.scipy.org/doc/scipy/reference/stats.html"),
    (r"scipy\.[\w.]+", r"https://docs.scipy.org/doc/scipy/reference/generated/\g<0>.html"),
    (r"sklearn\.[\w.]+", "https://scikit-learn.org/stable/api/sklearn.html"),
    (r"torch\.Tensor", "https://docs.pytorch.org/docs/stable/tensors.html"),
    (r"torch\.(dtype|device)", "https://docs.pytorch.org/docs/stable/tensor_attributes.html"),
    (r"torch\.[\w.]+", "https://docs.pytorch.org/docs/stable/nn.html"),
    (r"matplotlib\.[\w.]+", "https://matplotlib.org/stable/api/index.html"),
    (r"brian2\.[\w.]+", "https://brian2.readthedocs.io/en/stable/reference/brian2.html"),
    (r"distributed\.Client", "https://distributed.dask.org/en/stable/client.html"),
    (r"nir\.NIRGraph", "https://neuroir.org/docs/"),
    (r"neo\.Block", "https://neo.readthedocs.io/en/stable/api_reference.html"),
    (r"pydantic\.BaseModel", "https://docs.pydantic.dev/latest/api/base_model/"),
    (r"pydantic\.[\w.]+", "https://docs.pydantic.dev/latest/api/pydantic_core/"),
    (
        r"(abc|ast|collections\.abc|contextlib|datetime|fractions|pathlib|typing)\.\w+",
        r"https://docs.python.org/3/library/\1.html#\g<0>",
    ),
)
#: Names in annotations that the file of a function imports for type checkers only.
ABBREVIATIONS = {
    "np": "numpy", "xr": "xarray", "pd": "pandas",
    "Arrived": "typing.Any", "Values": "typing.Any", "BaseModel": "pydantic.BaseModel",
    "Index": "numpy.typing.NDArray",
    "ArrayLike": "numpy.typing.ArrayLike", "NDArray": "numpy.typing.NDArray",
    "Client": "distributed.Client", "Numbers": "numpy.typing.NDArray",
    "DataFrame": "pandas.DataFrame", "ndarray": "numpy.ndarray",
    "DimensionMismatchError": "brian2.DimensionMismatchError", "Figure": "matplotlib.figure.Figure",
    "Path": "pathlib.Path", "Quantity": "brian2.Quantity", "Tensor": "torch.Tensor",
    "Task": "bioae.networks.tasks.Task", "Rates": "bioae.networks.tasks.Rates",
    "NeuronGroup": "brian2.NeuronGroup", "Equations": "brian2.Equations",
    "ValidationError": "pydantic.ValidationError", "RandomState": "numpy.random.RandomState",
}  # fmt: skip


class Names(SphinxDirective):
    """Entries of names of a module, after a table of their first lines.

    The option ``module`` makes the module itself a target.
    """

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"module": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Return the table and the entries."""
        package = self.arguments[0]
        module = importlib.import_module(package)
        names = " ".join(self.content).split()
        declare = "py:module" if "module" in self.options else "currentmodule"
        text = ["```{eval-rst}", f".. {declare}:: {package}", ""]
        if len(names) > 1:
            text += [".. autosummary::", "", *(f"   {name}" for name in names), ""]
        for name in names:
            text += _entry(f"{package}.{name}", getattr(module, name))
        node = nodes.Element()
        node.document = self.state.document
        self.state.nested_parse(StringList([*text, "```"], package), self.content_offset, node)
        return node.children


def _entry(name: str, value: Any) -> Iterator[str]:
    kind = "class" if inspect.isclass(value) else "function" if inspect.isroutine(value) else "data"
    yield f".. auto{kind}:: {name}"
    if kind == "data" and not isinstance(value, int | float | str | tuple):
        yield "   :no-value:"
    yield ""


def add_example(
    app: Sphinx, kind: str, name: str, value: Any, options: Any, lines: list[str]
) -> None:
    """Add the example of a public function to its docstring."""
    session = examples().get(name, [])
    lines += ["", "Examples", "--------", *session, ""] if session else []


class MentionedName(PyXRefRole):
    """The role of single backticks in docstrings: a link if the name has an entry."""

    def process_link(
        self,
        env: BuildEnvironment,
        refnode: nodes.Element,
        has_explicit_title: bool,
        title: str,
        target: str,
    ) -> tuple[str, str]:
        """Mark the reference, so that it may stay without a target."""
        refnode["refdomain"], refnode["reftype"], refnode["mention"] = "py", "obj", True
        return super().process_link(env, refnode, has_explicit_title, title, target)


class LinkedNames(SphinxTransform):
    """Turn public names in code font into references."""

    default_priority = 400

    def apply(self, **kwargs: Any) -> None:
        """Replace them."""
        for literal in list(self.document.findall(nodes.literal)):
            name = homes().get(literal.astext().removesuffix("()"))
            if name is None or isinstance(literal.parent, nodes.reference | addnodes.pending_xref):
                continue
            link = addnodes.pending_xref(
                "", refdomain="py", reftype="obj", reftarget=name, refdoc=self.env.docname
            )
            literal.replace_self(link)
            link += literal


def resolve(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, content: nodes.Element
) -> nodes.Element | None:
    """Find the entry of a name that Sphinx does not know as it is written."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    own = public_name(target)
    if own is not None and own != target:
        domain = env.domains.python_domain
        names = (own, own.rpartition(".")[0])  # of a field without an entry, its class
        found = (
            domain.resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, content)
            for name in names
        )
        return next((each for each in found if each is not None), None)
    address = foreign_address(target)
    if address is not None:
        return nodes.reference("", "", content, internal=False, refuri=address)
    # Names of arguments, of files, and of what is not public, if it still exists.
    if target.startswith("bioae."):
        return content if exists(target.partition(".<locals>")[0]) else None
    return content if node.get("mention") else None


def public_name(name: str) -> str | None:
    """Return the documented name of an object of bioae or of its attribute."""
    head, tail = name, ""
    while head:
        known = homes().get(head) or unqualified().get(head)
        if known is not None:
            return known + tail
        head, dot, last = head.rpartition(".")
        tail = f"{dot}{last}{tail}"
    return None


def foreign_address(name: str) -> str | None:
    """Return the address of the documentation of a name of another library."""
    first, dot, rest = name.partition(".")
    full = f"{ABBREVIATIONS.get(first, first)}{dot}{rest}"
    for pattern, address in FOREIGN:
        match = re.fullmatch(pattern, full)
        if match is not None:
            return match.expand(address)
    return None


def write_docstring(
    app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    """Adapt a docstring to reStructuredText, and add the other public names of its object."""
    if what == "data":
        lines[:] = comment_of(name.rpartition(".")[2], value)
    # Shapes such as (time, *neurons) and (train, train_) are text.
    shape = re.compile(r"(?<=[(\s])\*(?=\w+[,)])|_(?=[,)])")
    lines[:] = [
        "`".join(
            part if place % 2 else shape.sub(r"\\\g<0>", part)
            for place, part in enumerate(line.split("`"))
        )
        for line in lines
    ]
    if what in {"attribute", "property", "data"}:
        # Else napoleon takes words before a colon for a type.
        lines[:1] = [f": {line}" for line in lines[:1]]
    others = [other for other in documented().get(name, ()) if other.rpartition(".")[0] in PACKAGES]
    if others:
        lines += ["", f"Also exported as {', '.join(f'``{other}``' for other in others)}."]


def join_names(
    app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    """Join the names of attributes that share a text, else Sphinx takes the first for a type.

    Types that end in ``_`` are no targets.
    """
    joined = re.compile(r"(?<=:ivar )[\w\\]+(, [\w\\]+)+(?=:)")
    lines[:] = [
        joined.sub(lambda match: match[0].replace(" ", ""), line).replace("_]", r"\_]")
        for line in lines
    ]


def is_foreign(
    app: Sphinx,
    what: str,
    name: str,
    value: Any,
    skipped: bool,
    options: object,
) -> bool | None:
    """Leave out members of other libraries' classes, which are documented there."""
    function = getattr(value, "fget", None) or getattr(value, "func", None) or value
    module = getattr(inspect.unwrap(function), "__module__", None)
    foreign = isinstance(module, str) and module.partition(".")[0] != "bioae"
    inherited = foreign or isinstance(value, _FIELD) or name == "model_config"
    return True if inherited else None


#: The class of the fields of named tuples, which their class describes.
_FIELD = type(ModuleInfo.name)


def comment_of(name: str, value: object) -> list[str]:
    """Return the comment at the definition of a constant or an alias, which a package exports."""
    for place, module in sorted(sys.modules.items()):
        if place.startswith("bioae.") and vars(module).get(name) is value:
            comments = ModuleAnalyzer.for_module(place).find_attr_docs()
            if ("", name) in comments:
                return comments["", name]
    return []


#: Defaults that signatures show, and what stands for all others.
_SHORT = (int, float, str, NoneType, type(inspect.Parameter.empty))
_OTHER_DEFAULT = ...


def write_signature(
    app: Sphinx, what: str, name: str, value: Any, options: object, signature: str, returns: str
) -> tuple[str, str] | None:
    """Write a signature without objects as defaults, and without the bounds of pydantic."""
    if not (inspect.isclass(value) and issubclass(value, BaseModel)):
        return (re.sub(r"<[^<>]*>", "...", signature), returns) if signature else None
    declared = inspect.signature(value)
    parameters = [
        each
        if each.kind is each.VAR_KEYWORD
        else each.replace(
            annotation=without_bounds(value.model_fields[each.name].annotation),
            default=each.default if isinstance(each.default, _SHORT) else _OTHER_DEFAULT,
        )
        for each in declared.parameters.values()
    ]
    plain = declared.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    text = stringify_signature(plain, unqualified_typehints=True)
    return text.replace("Ellipsis", "..."), ""


def without_bounds(annotation: Any) -> Any:
    """Return an annotation without the metadata of pydantic in it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return without_bounds(arguments[0])
    if origin is None or origin is Literal:
        return annotation
    plain = tuple([] if each == [] else without_bounds(each) for each in arguments)
    return Union[plain] if origin in {Union, UnionType} else origin[plain]  # noqa: UP007


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.add_directive("names", Names)
    app.add_role("name", MentionedName())
    app.add_transform(LinkedNames)
    app.connect("autodoc-process-docstring", add_example, priority=400)  # before napoleon
    app.connect("missing-reference", resolve)
    app.connect("autodoc-process-docstring", write_docstring, priority=400)
    app.connect("autodoc-process-docstring", join_names, priority=600)
    app.connect("autodoc-skip-member", is_foreign)
    app.connect("autodoc-process-signature", write_signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
