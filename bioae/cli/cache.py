"""``bioae cache``: show the cache of compiled networks, and clear it."""

from __future__ import annotations

import json as json_format
from datetime import UTC, datetime

from bioae.cli.options import Json
from bioae.cli.tables import print_wrapped
from bioae.simulation.targets.build_cache import BuildCache, KeptBuild


def show_cache(*, json: Json = False) -> None:
    """Show the cached networks, the most recently used first."""
    cache = BuildCache.of_user()
    builds = cache.kept()
    if json:
        entries = [_entry(build) for build in builds]
        about = {"folder": str(cache.folder), "limit_bytes": cache.limit}
        print(json_format.dumps({**about, "bytes": _size(builds), "builds": entries}))
        return
    text = f"{cache.folder}: {_summary(builds)}, at most {_megabytes(cache.limit)}"
    print_wrapped(text, indent=2)
    for build in builds:
        used = datetime.fromtimestamp(build.used).astimezone()
        print(f"{build.key[:12]}  {_megabytes(build.bytes):>9}  last used {used:%Y-%m-%d %H:%M}")


def clear_cache(*, json: Json = False) -> None:
    """Remove all cached networks; they are compiled again when needed."""
    cache = BuildCache.of_user()
    removed = cache.clear()
    if json:
        report = {"folder": str(cache.folder), "bytes": _size(removed), "removed": len(removed)}
        print(json_format.dumps(report))
    else:
        print_wrapped(f"{cache.folder}: removed {_summary(removed)}", indent=2)


def _entry(build: KeptBuild) -> dict[str, object]:
    used = datetime.fromtimestamp(build.used, UTC).isoformat(timespec="seconds")
    return {"key": build.key, "bytes": build.bytes, "last_used": used}


def _summary(builds: list[KeptBuild]) -> str:
    plural = "" if len(builds) == 1 else "s"
    return f"{len(builds)} compiled network{plural}, {_megabytes(_size(builds))}"


def _size(builds: list[KeptBuild]) -> int:
    return sum(build.bytes for build in builds)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
