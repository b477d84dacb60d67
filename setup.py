"""Source archives with the same bytes from the same files; the rest is in pyproject.toml."""

from __future__ import annotations

import gzip
import os
import tarfile
from pathlib import Path

from setuptools import setup
from setuptools.command.sdist import sdist


class ReproducibleSdist(sdist):
    """Write members in order, without owners, and dated by SOURCE_DATE_EPOCH if it is set."""

    def make_archive(self, base_name: str, *options: object, base_dir: str, **_: object) -> str:
        """Return the path of an archive of the folder `base_dir`."""
        date = int(os.environ.get("SOURCE_DATE_EPOCH", "315532800"))  # 1980, as in wheels

        def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
            member.mtime = date
            member.mode = 0o755 if member.mode & 0o100 else 0o644
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            return member

        path = Path(f"{base_name}.tar.gz")
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            gzip.GzipFile(path, "wb", mtime=date) as file,
            tarfile.open(fileobj=file, mode="w") as archive,
        ):
            for member in sorted(Path(base_dir).rglob("*")):
                archive.add(member, recursive=False, filter=plain)
        return str(path)


setup(cmdclass={"sdist": ReproducibleSdist})
