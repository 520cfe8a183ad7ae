"""Name models: found by name, loaded when first asked for, one of each per process.

Loading reads the installed files and nothing else; a model that is not installed is refused with the command that
installs it.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from masking.models.catalogue import MODELS, Member, ModelPackage, model_package
from masking.models.store import Installed, install, installed, models_folder, read_files, remove, verify

if TYPE_CHECKING:
    from masking.core.entity import NameModel

__all__ = [
    "MODELS",
    "Installed",
    "Member",
    "ModelPackage",
    "install",
    "installed",
    "load",
    "model_package",
    "models_folder",
    "remove",
    "verify",
]

_loaded: dict[tuple[str, Path], NameModel] = {}
_loading = threading.Lock()


def load(name: str) -> NameModel:
    """The model of that name, the same object for every caller in this process and folder.

    Takes 0.2 to 0.6 seconds the first time. Raises ConfigurationError for an unknown name, and ModelError, naming the
    command to run, when the model is not installed or a file of it is damaged.
    """
    package = model_package(name)
    key = (package.folder, models_folder() / package.folder)
    model = _loaded.get(key)
    if model is None:
        with _loading:  # two threads that ask at once must not read 30 MB twice
            model = _loaded.get(key)
            if model is None:
                model = _loaded[key] = _build(package)
    return model


def _build(package: ModelPackage) -> NameModel:
    files = read_files(package)
    if package.name == "zh":
        from masking.models.lac import Lac

        return Lac(files)
    from masking.models.rampart import Rampart

    return Rampart(files)
