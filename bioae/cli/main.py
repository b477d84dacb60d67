"""Entry point of the command line: run a command, and report a failure in one line."""

from __future__ import annotations

import atexit
import difflib
import gc
import logging
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise

from cyclopts import App, CycloptsError, exceptions

from bioae.cli.app import make_app
from bioae.errors import BioaeError, InputError

_BAD_INPUT = 2
_DEFECT = 70
_INTERRUPTED = 130
_BROKEN_PIPE = 141

#: New objects between two searches for garbage: libraries make a million that stay.
_OBJECTS_PER_COLLECTION = 50_000


def main(arguments: Sequence[str] | None = None, make: Callable[[], App] = make_app) -> int:
    """Run a command, by default that of this process, and return the exit status.

    It is 0 done, 1 a comparison failed, 2 bad input, 70 a defect of bioae, 130 interrupted, 141 the
    reader closed the output.
    """
    if arguments is None:
        gc.set_threshold(_OBJECTS_PER_COLLECTION)
        atexit.register(gc.freeze)  # or Python searches all objects for garbage as it ends
        _silence_libraries()
        # Brian2 imports all of Matplotlib's names if it can; figures import what they use.
        sys.modules.setdefault("pylab", None)  # type: ignore[arg-type]
    # SIGTERM, which batch systems send, acts like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app = make()
    # Brian2 logs to a temporary file; users need not know if it cannot be written.
    logging.raiseExceptions = False
    try:
        words = list(sys.argv[1:] if arguments is None else arguments)
        _check_words(words)
        status = app(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        _hush()
        print("bioae: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return _BROKEN_PIPE
    except (CycloptsError, BioaeError, OSError, MemoryError) as error:
        _drop_output()
        _hush()
        print(f"bioae: error: {_line(error, app.name[0])}", file=sys.stderr)
        return _BAD_INPUT
    except Exception:  # noqa: BLE001
        traceback.print_exc()
        print("bioae: this is a defect of bioae; please report the lines above", file=sys.stderr)
        return _DEFECT
    return status if isinstance(status, int) else 0


def _line(error: CycloptsError | BioaeError | OSError | MemoryError, program: str) -> str:
    match error:
        case CycloptsError():
            line = _usage(error, program)
        case MemoryError():
            line = f"out of memory{f': {error}' if str(error) else ''}. Ask for fewer examples"
        case OSError():
            line = f"{error.filename or 'output'}: {error.strerror or error}"
        case _:
            line = str(error)
    return " ".join(line.split())


def _usage(error: CycloptsError, program: str) -> str:
    command = " ".join([program, *(error.command_chain or ())])
    match error:
        case exceptions.UnknownCommandError():
            what = _unknown_command(error)
        case exceptions.UnknownOptionError():
            what = _unknown_option(error)
        case exceptions.UnusedCliTokensError(unused_tokens=[token, *_]):
            what = f"The argument {token!r} is not expected."
        case _:
            what = str(error)
    return f"{what} See {command} --help"


def _unknown_option(error: exceptions.UnknownOptionError) -> str:
    # The library's own message also compares the dashes: it would take --dt for --seed.
    token = error.token.keyword or error.token.value
    names = [name.lstrip("-") for each in error.argument_collection for name in each.names]
    near = difflib.get_close_matches(token.lstrip("-"), names, n=1)
    return f"Unknown option: {token}.{f' Did you mean --{near[0]}?' if near else ''}"


def _unknown_command(error: exceptions.UnknownCommandError) -> str:
    # The library's own message would import every command to list them.
    assert error.unused_tokens
    assert error.app is not None
    token = error.unused_tokens[0]
    names = [name for name in error.app if not name.startswith("-")]
    near = difflib.get_close_matches(token, names, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Choose from: {', '.join(names)}."
    return f"Unknown {'option' if token.startswith('-') else 'command'} {token}. {hint}"


def _check_words(words: Sequence[str]) -> None:
    """Reject words that cannot be meant: nothing at all, or not text."""
    for before, word in pairwise(["", *words]):
        option, equals, value = word.partition("=")
        if not (value if equals and option.startswith("-") else word):
            where = option or (before if before.startswith("-") else None)
            raise InputError("an argument is empty", where=where, found=repr(word))
        if "\0" in word or word != word.encode(errors="ignore").decode():
            raise InputError("an argument is not text in UTF-8", found=repr(word))


def _silence_libraries() -> None:
    """Keep libraries' warnings and logs off standard error, unless Python requests them."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        logging.disable()
        ours, handler = logging.getLogger("bioae"), logging.StreamHandler()
        handler.setFormatter(_OneLine())
        ours.addHandler(handler)
        ours.setLevel(logging.INFO)
        # `disable` acts on the loggers of one manager.
        ours.manager = logging.Manager(logging.root)


class _OneLine(logging.Formatter):
    """Write a warning of bioae in one line."""

    def format(self, record: logging.LogRecord) -> str:
        return " ".join(super().format(record).split())


def _hush() -> None:
    """Suppress Brian2's warning about objects that were built and never ran."""
    if "brian2" in sys.modules:
        from brian2 import BrianLogger

        BrianLogger.suppress_name("unused_brian_object")


def _drop_output() -> None:
    """Flush standard output; if that fails, redirect it to null, since Python flushes again."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
