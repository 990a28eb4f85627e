"""Which version of an interpreter is installed, and whether that one computes rightly."""

from __future__ import annotations

import importlib.util
import os

from edgevit_runtime.errors import BackendError


def litert_version() -> str:
    """The installed LiteRT. Raises `BackendError` for the ones that compute int8 attention wrongly."""
    version = installed_version("ai-edge-litert")
    numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdecimal())
    if (2, 0, 0) <= numbers < (2, 1, 3):
        raise BackendError(
            f"ai-edge-litert {version} computes int8 attention wrongly; `pip install 'ai-edge-litert>=2.1.3'`"
        )
    return version


def installed_version(package: str) -> str:
    """The version of an installed package. Raises `ImportError` where it is not there.

    It stands in the name of the folder beside the code. Where it does not, `importlib.metadata` is asked, which takes
    as long to import as the rest of this package.
    """
    module = package.replace("-", "_")
    found = importlib.util.find_spec(module)
    for folder in (found.submodule_search_locations or ()) if found else ():
        beside = os.listdir(os.path.dirname(folder))
        infos = [name for name in beside if name.startswith(f"{module}-") and name.endswith(".dist-info")]
        if len(infos) == 1:
            return infos[0][len(module) + 1 : -len(".dist-info")]
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError as error:
        raise ImportError(f"{package} is not installed") from error
