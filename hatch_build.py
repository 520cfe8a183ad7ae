"""Builds `masking/core/compiled.pyx` where MASKING_COMPILED=1 asks for it, or =auto, which goes on without it.

Streams then run compiled (`masking.core.reader`). Without the variable, the wheel is the same for every machine.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = "masking/core/compiled.pyx"


class CompiledStreams(BuildHookInterface):  # type: ignore[type-arg]
    """Hatchling's hook; its documentation: https://hatch.pypa.io/latest/plugins/build-hook/custom/"""

    PLUGIN_NAME = "custom"
    _folder: tempfile.TemporaryDirectory[str] | None = None

    def dependencies(self) -> list[str]:
        """What the build needs besides."""
        return ["cython>=3.1", "setuptools>=77"] if _wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Into the folder of the source for an editable installation, else into the wheel."""
        if not _wanted() or self.target_name != "wheel":
            return
        self._folder = tempfile.TemporaryDirectory()
        root = Path(self.root)
        try:
            made = _built(root, Path(self._folder.name))
        except Exception as error:
            if _wanted() != "auto":
                raise
            print(f"streams stay in Python, since {SOURCE} was not compiled: {error}", file=sys.stderr)  # noqa: T201
            return
        if version == "editable":
            place = (root / SOURCE).with_name(made.name)
            shutil.copy2(made, place.with_suffix(".new"))
            place.with_suffix(".new").replace(place)  # whoever runs the former one goes on with that
            return
        build_data["force_include"][str(made)] = f"masking/core/{made.name}"
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """The wheel is written."""
        if self._folder is not None:
            self._folder.cleanup()


def _wanted() -> str:
    asked = os.environ.get("MASKING_COMPILED", "0")
    return "" if asked == "0" else asked


def _built(root: Path, folder: Path) -> Path:
    """Compile; raises whatever Cython, setuptools or the C compiler say."""
    from Cython.Build import cythonize  # type: ignore[import-not-found]
    from setuptools import Distribution, Extension  # type: ignore[import-untyped]

    for source in (root / SOURCE).parent.glob("compiled*.p*"):
        shutil.copy2(source, folder)
    extension = Extension("masking.core.compiled", [str(folder / "compiled.pyx")])
    build = Distribution({"ext_modules": cythonize([extension], quiet=True)}).get_command_obj("build_ext")
    build.build_lib, build.build_temp = str(folder / "lib"), str(folder / "temp")
    build.ensure_finalized()
    build.run()
    (made,) = build.get_outputs()
    return Path(made)
