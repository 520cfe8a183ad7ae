"""Name models: found by name or by folder, loaded when first asked for, one of each per process.

Loading reads the installed files, or those of the user's folder, and nothing else; a model that is not installed is
refused with the command that installs it.
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
    "is_folder",
    "labels_of",
    "load",
    "model_package",
    "models_folder",
    "remove",
    "verify",
]

_loaded: dict[tuple[str, Path], NameModel] = {}
_loading = threading.Lock()


def is_folder(name: str) -> bool:
    """Whether a model is named by a folder of the user's (it has a slash in it) and not by a name of the catalogue."""
    return "/" in name or "\\" in name


def labels_of(name: str) -> list[str]:
    """The labels that a model can give: of the catalogue, or as a folder's config.json says.

    Raises ConfigurationError for an unknown name, ModelError for a folder that is no model.
    """
    if not is_folder(name):
        return list(model_package(name).labels)
    from masking.models.folder import folder_labels

    return folder_labels(Path(name))


def load(name: str) -> NameModel:
    """The model of that name or folder, the same object for every caller in this process and folder.

    Takes 0.2 to 0.6 seconds the first time. Raises ConfigurationError for an unknown name, and ModelError, naming the
    command to run or the file, when the model is not installed or a file of it is damaged.
    """
    package = None if is_folder(name) else model_package(name)
    key = (name, Path(name).resolve()) if package is None else (package.folder, models_folder() / package.folder)
    model = _loaded.get(key)
    if model is None:
        with _loading:  # two threads that ask at once must not read 30 MB twice
            model = _loaded.get(key)
            if model is None:
                model = _loaded[key] = _folder(name) if package is None else _build(package)
    return model


def _folder(name: str) -> NameModel:
    from masking.models.folder import Folder

    return Folder(Path(name))


def _build(package: ModelPackage) -> NameModel:
    files = read_files(package)
    if package.name == "zh":
        from masking.models.lac import Lac

        return Lac(files)
    from masking.models.rampart import Rampart

    return Rampart(files)
