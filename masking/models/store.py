"""Installing models: one folder per model, put in place whole or not at all.

Nothing here runs unless it is called, and only `install` may reach the network, through the package tool that the
user has configured (index, proxy, certificates and credentials are that tool's business). A model's folder holds
exactly the files that the catalogue names, licences included.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from masking.core.errors import ModelError
from masking.models.catalogue import MODELS, Member, ModelPackage, model_package

__all__ = ["Installed", "install", "installed", "models_folder", "read_files", "remove", "verify"]

# Unfinished work lies beside the target, on the same disk so that a rename is atomic, under a name that no model has.
_WORK = ".install-"
_STALE = 24 * 3600.0  # seconds after which unfinished work belongs to a process that was killed


@dataclass(frozen=True, slots=True)
class Installed:
    """One model on this machine; `fresh` is False where `install` found it already there and undamaged."""

    name: str
    version: str
    folder: Path
    fresh: bool = False


def models_folder() -> Path:
    """Where models live: the environment's MASKING_MODELS, otherwise the user's data folder."""
    named = os.environ.get("MASKING_MODELS", "")
    if named:
        return Path(named).expanduser()
    import platformdirs

    return platformdirs.user_data_path("masking-pipeline", appauthor=False) / "models"


def install(
    name: str | ModelPackage, *, source: Path | None = None, progress: Callable[[str], None] | None = None
) -> Installed:
    """Puts a model into the models folder, after checking every byte against the catalogue.

    `source` is a wheel or a folder that holds it, for machines without an index; without it the pinned wheel is
    downloaded by pip, or by uv where the environment has no pip. `progress` receives one plain sentence per step.
    Raises ModelError when the wheel cannot be had or is not the pinned one; nothing has changed then.
    """
    package = _package(name)
    say = progress or (lambda _: None)
    base = models_folder()
    target = base / package.folder
    if target.is_dir() and not verify(package):
        say(f"{package.name}: already installed and undamaged in {target}")
        return Installed(package.name, package.version, target)
    try:
        base.mkdir(parents=True, exist_ok=True)
        _sweep(base)
        with tempfile.TemporaryDirectory(prefix=_WORK, dir=base, ignore_cleanup_errors=True) as work:
            fetched, ready = Path(work, "fetched"), Path(work, "ready")
            fetched.mkdir()
            ready.mkdir()
            origin = _find_wheel(package, source) if source is not None else _fetch(package, fetched, say)
            _unpack(package, origin, ready)
            _put_in_place(package, ready, target, Path(work, "replaced"))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelError(
            f"model {package.name} could not be installed in {base}: {reason}; free the space or the rights, or set "
            "MASKING_MODELS to another folder"
        ) from error
    say(f"{package.name}: installed in {target} ({package.licence})")
    return Installed(package.name, package.version, target, fresh=True)


def installed() -> list[Installed]:
    """The catalogue's models that have a folder here, damaged or not; `verify` says which."""
    base = models_folder()
    folders = ((package, base / package.folder) for package in MODELS.values())
    return [Installed(package.name, package.version, folder) for package, folder in folders if folder.is_dir()]


def verify(name: str | ModelPackage) -> list[str]:
    """Hashes every file of a model again; one sentence per missing or damaged file, none when all is well."""
    package = _package(name)
    folder = models_folder() / package.folder
    if not folder.is_dir():
        return [f"{package.name}: not installed; run `masking models install {package.name}`"]
    return [
        f"{package.name}: {member.file} is {wrong}" for member in package.members if (wrong := _wrong(folder, member))
    ]


def remove(name: str | ModelPackage) -> bool:
    """Deletes a model from this machine; False when it was not there. A process that has loaded it keeps working."""
    package = _package(name)
    target = models_folder() / package.folder
    if not target.exists():
        return False
    try:
        # Renamed first: a removal that is interrupted must not leave a folder that looks like a model.
        grave = Path(tempfile.mkdtemp(prefix=_WORK, dir=target.parent))
        target.replace(grave / "removed")
        shutil.rmtree(grave)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelError(f"model {package.name} could not be removed from {target}: {reason}") from error
    return True


def read_files(name: str | ModelPackage) -> dict[str, bytes]:
    """The model's run-time files by name, each hashed as it is read: what runs is what was checked.

    Raises ModelError naming the command that installs or repairs the model.
    """
    package = _package(name)
    folder = models_folder() / package.folder
    if not folder.is_dir():
        raise ModelError(f"model {package.name} is not installed; run `masking models install {package.name}`")
    files: dict[str, bytes] = {}
    for member in package.members:
        if member.legal:
            continue
        try:
            content = (folder / member.file).read_bytes()
        except OSError:
            content = b""
        if len(content) != member.size or hashlib.sha256(content).hexdigest() != member.sha256:
            raise ModelError(
                f"model {package.name} is damaged ({member.file} in {folder}); "
                f"run `masking models install {package.name}` to repair it"
            )
        files[member.file] = content
    return files


def _package(name: str | ModelPackage) -> ModelPackage:
    return model_package(name) if isinstance(name, str) else name


def _wrong(folder: Path, member: Member) -> str:
    """What is wrong with one installed file, or nothing."""
    try:
        with (folder / member.file).open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() == member.sha256:
                return ""
    except FileNotFoundError:
        return "missing"
    except OSError:
        return "unreadable"
    return "damaged (its SHA-256 is not the pinned one)"


def _sweep(base: Path) -> None:
    """Clears what killed installations left; young ones may belong to a process that is at work now."""
    for left in base.glob(f"{_WORK}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE:
                shutil.rmtree(left, ignore_errors=True)


def _find_wheel(package: ModelPackage, source: Path) -> Path:
    wheel = source / package.wheel if source.is_dir() else source
    if not wheel.is_file():
        raise ModelError(f"model {package.name}: {wheel} is not there; {_offline(package)}")
    return wheel


def _offline(package: ModelPackage) -> str:
    return (
        f"on a machine that reaches an index, get {package.wheel} (package {package.package} {package.version}), "
        f"bring it here and run `masking models install {package.name} --from FOLDER`"
    )


def _fetch(package: ModelPackage, folder: Path, say: Callable[[str], None]) -> Path:
    """The downloaded wheel, or the folder into which uv unpacked it; dependencies stay away either way."""
    wanted = f"{package.package}=={package.version}"
    say(f"{package.name}: downloading {wanted}")
    uv = shutil.which("uv")
    if importlib.util.find_spec("pip") is not None:
        # -P: a file pip.py in the working directory is not pip. --only-binary: no build script of anybody runs.
        command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input"]
        command += ["--disable-pip-version-check", "--progress-bar", "off", "--dest", str(folder), wanted]
        tool = "pip"
    elif uv:
        command = [uv, "pip", "install", "--no-deps", "--only-binary", ":all:", "--python", sys.executable]
        command += ["--target", str(folder), wanted]
        tool = "uv"
    else:
        raise ModelError(
            f"model {package.name}: neither pip nor uv was found to download {wanted}; {_offline(package)}"
        )
    done = subprocess.run(  # noqa: S603  # a list, no shell; its words come from the catalogue and this process
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        said = _last_words(done.stderr or done.stdout)
        raise ModelError(f"model {package.name}: {tool} could not download {wanted}: {said}; {_offline(package)}")
    if tool == "uv":
        return folder
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise ModelError(
            f"model {package.name}: pip left {len(wheels)} wheels for {wanted}, not one; {_offline(package)}"
        )
    return wheels[0]


def _last_words(output: str) -> str:
    """The tool's last line that says something, without credentials that a mirror's address may carry."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return re.sub(r"//[^/@\s]+@", "//***@", lines[-1])[:300] if lines else "it gave no reason"


def _unpack(package: ModelPackage, origin: Path, ready: Path) -> None:
    """Copies the named members, and nothing else, from a wheel (whose own hash is checked first) or an unpacked one."""
    if origin.is_file():
        with origin.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != package.sha256:
                raise ModelError(
                    f"model {package.name}: {origin.name} is not the pinned wheel (its SHA-256 differs from the "
                    "catalogue's); nothing was installed. Delete the file and get it again"
                )
    for member in package.members:
        try:
            with _opened(origin, member) as content:
                # One byte more than expected shows a file that is too long, and never reads more than that.
                taken = content.read(member.size + 1)
        except (KeyError, FileNotFoundError, zipfile.BadZipFile):
            taken = b""
        if len(taken) != member.size or hashlib.sha256(taken).hexdigest() != member.sha256:
            raise ModelError(
                f"model {package.name}: {member.path} in {package.package} {package.version} is missing or not the "
                "pinned file; nothing was installed"
            )
        (ready / member.file).write_bytes(taken)


@contextmanager
def _opened(origin: Path, member: Member) -> Iterator[BinaryIO]:
    if origin.is_dir():
        with (origin / member.path).open("rb") as stream:
            yield stream
    else:
        with zipfile.ZipFile(origin) as archive, archive.open(member.path) as stream:
            yield stream  # type: ignore[misc]  # IO[bytes], of which BinaryIO is the named form


def _put_in_place(package: ModelPackage, ready: Path, target: Path, replaced: Path) -> None:
    """Renames the finished folder to its place; a damaged one moves out first, a good one by another process stays."""
    for _ in range(3):
        try:
            ready.replace(target)
        except OSError:
            # A folder that is not empty cannot be replaced: damaged, or another process was quicker.
            if not target.exists():
                raise
            if not verify(package):
                return
            with suppress(FileNotFoundError):
                target.replace(replaced)
        else:
            return
    raise ModelError(f"model {package.name}: {target} is being changed by another process; run the installation again")
