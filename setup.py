"""Reproducible source archives, and the README for PyPI; the rest is in pyproject.toml."""

from __future__ import annotations

import gzip
import os
import re
import tarfile
import tomllib
from pathlib import Path
from urllib.parse import urljoin

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


def readme() -> str:
    """Return README.md with its relative links as addresses in the tagged repository."""
    root = Path(__file__).parent
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def full(match: re.Match[str]) -> str:
        kind = "raw" if match[0].endswith((".png", ".svg")) else "blob"
        repository = project["urls"]["Repository"]
        return urljoin(f"{repository}/{kind}/v{project['version']}/README.md", match[0])

    text = (root / "README.md").read_text(encoding="utf-8")
    return re.sub(r"(?<=\]\()(?!https?:|#)[^)\s]+", full, text)


setup(
    cmdclass={"sdist": ReproducibleSdist},
    long_description=readme(),
    long_description_content_type="text/markdown",
)
