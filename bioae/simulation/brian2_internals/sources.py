"""Edits of generated projects: fewer sources, and makefiles for current compilers.

Brian2 and brian2cuda write a source for each code object, dozens or hundreds of them, and a
compiler takes far longer to open each than to compile it. So we merge them into a few.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

#: One unit for this many sources of code objects, and at most so many units: two cores compile
#: three of C++ and ``setup.cpp`` in about the time of one.
_CPP_SOURCES_PER_UNIT, _MOST_CPP_UNITS = 8, 3
_CUDA_SOURCES_PER_UNIT, _MOST_CUDA_UNITS = 12, 4

#: Sources that allocate, read and write arrays: long, run once, and minutes to optimise.
_SET_UP = ("objects.cpp", "run.cpp", "main.cpp")
_RUNTIME = ("network.cpp", "synapses_classes.cpp")

#: Brian2's program asks for its processor time in every step: a system call, a fifteenth of the
#: time of small networks. The time that has passed is read without one.
_CLOCK = """\
#include <chrono>
#include "network.h"
namespace std {
static clock_t bioae_clock() {
    return chrono::duration<double>(chrono::steady_clock::now().time_since_epoch()).count()
        * CLOCKS_PER_SEC;
}
}
#define clock bioae_clock
"""

_SOURCES = re.compile(r"^SRCS = (.*)$", re.MULTILINE)
_HELPERS = re.compile(r"^namespace \{", re.MULTILINE)
_MACROS = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.MULTILINE)
_INCLUDES = re.compile(
    r"^[ \t]*#[ \t]*include[^\n]*\n(?:[ \t]*#[ \t]*include[^\n]*\n|[ \t]*\n)*", re.MULTILINE
)
_DECLARED = re.compile(
    r"^[ \t]*(?:const )?(?:double|float|bool|char|u?int\d+_t) ([A-Za-z]\w*)(?: = |;)", re.MULTILINE
)
_BODY = "using namespace brian;"

#: Helpers of brian2cuda that are in no namespace: in the code that runs once before a run.
_BEFORE_RUN = re.compile(
    r"^(///// Support code /////)$(.*?)(?=^void _before_run_)", re.MULTILINE | re.DOTALL
)


def merge_cpp_sources(folder: Path) -> list[str]:
    """Merge the sources of a C++ project, and return the names of those to compile."""
    names = _sources(folder)
    code_objects = _code_objects(names)
    set_up = "".join(f'#include "{name}"\n' for name in _SET_UP)
    (folder / "setup.cpp").write_text(set_up, encoding="utf-8")
    count = min(_MOST_CPP_UNITS, -(-len(code_objects) // _CPP_SOURCES_PER_UNIT))
    units = _merge(folder, code_objects, count, ".cpp")
    # First, because the code objects undefine macros that it uses.
    runtime = "".join(f'#include "{name}"\n' for name in _RUNTIME)
    last = folder / units[-1]
    runtime = f"{_CLOCK}{runtime}#undef clock\n"
    last.write_text(runtime + last.read_text(encoding="utf-8"), encoding="utf-8")
    others = set(names) - set(code_objects) - {*_SET_UP, *_RUNTIME}
    return ["setup.cpp", *units, *sorted(others)]


def merge_cuda_sources(folder: Path) -> None:
    """Merge the sources of the code objects of a CUDA project, in its makefile too."""
    names = _sources(folder)
    code_objects = _code_objects(names)
    count = min(_MOST_CUDA_UNITS, -(-len(code_objects) // _CUDA_SOURCES_PER_UNIT))
    units = _merge(folder, code_objects, count, ".cu", _enclose_before_run)
    sources = [*units, *(name for name in names if name not in code_objects)]
    _edit_makefile(folder, lambda text: _SOURCES.sub(f"SRCS = {' '.join(sources)}", text))


def prepare_cpp_makefile(folder: Path, flags: Sequence[str]) -> None:
    """Add a compiler's flags to a project's makefile, and skip its search for dependencies.

    A project that is compiled only once does not need them.
    """
    added = f"\nOPTIMISATIONS += {' '.join(flags)}\nsetup.o: OPTIMISATIONS += -O0\n"
    _edit_makefile(folder, lambda text: text + added)
    (folder / "make.deps").touch()


def prepare_cuda_makefile(folder: Path, curand: Path | None) -> None:
    """Adapt brian2cuda's makefile to newer compilers, and to the packages of PyPI.

    `curand` is the folder of cuRAND, if the compiler has none.
    """

    def adapted(text: str) -> str:
        # Libraries go after the objects that need them; our own flags ask for a newer C++.
        text = text.replace("$(LFLAGS) $(OBJS)", "$(OBJS) $(LFLAGS)").replace("-std=c++11 ", "")
        if curand is None:
            return text
        library = next(iter(sorted((curand / "lib").glob("libcurand.so*"))), None)
        if library is not None:
            linked = f"-Xlinker {library} -Xlinker -rpath -Xlinker {library.parent}"
            text = text.replace("-lcurand", linked)
        return text.replace("NVCCFLAGS = -I. ", f"NVCCFLAGS = -I. -I{curand / 'include'} ")

    _edit_makefile(folder, adapted)


def _sources(folder: Path) -> list[str]:
    makefile = (folder / "makefile").read_text(encoding="utf-8")
    match = _SOURCES.search(makefile)
    assert match is not None
    return match[1].split()


def _code_objects(names: Sequence[str]) -> list[str]:
    return [name for name in names if name.startswith("code_objects/")]


def _edit_makefile(folder: Path, edit: Callable[[str], str]) -> None:
    makefile = folder / "makefile"
    makefile.write_text(edit(makefile.read_text(encoding="utf-8")), encoding="utf-8")


def _merge(
    folder: Path,
    names: Sequence[str],
    count: int,
    suffix: str,
    enclose: Callable[[str, str], str] = lambda source, _: source,
) -> list[str]:
    """Merge sources of code objects into `count` ones, and return their names."""
    units = [f"unit{number}{suffix}" for number in range(count)]
    for number, unit in enumerate(units):
        parts = []
        for place, name in enumerate(names[number::count]):
            source = _without_macros((folder / name).read_text(encoding="utf-8"))
            parts.append(_isolate(source, f"bioae_part{number}_{place}", enclose))
        (folder / unit).write_text("\n".join(parts), encoding="utf-8")
    return units


def _without_macros(source: str) -> str:
    """Undefine the headers' macros that variables have the names of, such as ``NAN``."""
    names = sorted(set(_DECLARED.findall(source)))
    undefined = "".join(f"#undef {name}\n" for name in names)
    # After each of the includes: a guard may skip any of them, with what follows it.
    return _INCLUDES.sub(lambda match: f"{match[0]}{undefined}", source)


def _isolate(source: str, namespace: str, enclose: Callable[[str, str], str]) -> str:
    """Hide a source's helpers and macros from the others, which define the same ones."""
    source = _HELPERS.sub(f"namespace {namespace} {{", source)
    source = enclose(source, namespace)
    source = source.replace(_BODY, f"{_BODY} using namespace {namespace};")
    undefined = (f"#undef {macro}" for macro in sorted(set(_MACROS.findall(source))))
    return "\n".join([source, *undefined])


def _enclose_before_run(source: str, namespace: str) -> str:
    """Put the helpers of the code before a run into the namespace too."""
    source = _BEFORE_RUN.sub(rf"\1\nnamespace {namespace} {{\2}}\n", source)
    return f"namespace {namespace} {{ }}\n{source}"
