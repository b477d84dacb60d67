"""Files that hold no data: pipes, sockets, devices, and links that lead to them or nowhere."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def special(folder: Path) -> dict[str, Path]:
    """Return places that hold no data: the kind of each, and its path."""
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
    (folder / "to a pipe").symlink_to("pipe")
    (folder / "to a device").symlink_to("/dev/null")
    (folder / "nowhere").symlink_to("missing")
    (folder / "circle").symlink_to("circle")
    (folder / "to a dangling link").symlink_to("nowhere")
    places = {path.name: path for path in folder.iterdir()}
    system = ("/dev/null", "/dev/stdout", "/dev/full", "/proc/self/environ", "/proc/self/fd/1")
    return places | {path: Path(path) for path in system}
