"""The package finds its data however it was installed, whatever else lies beside it."""

from __future__ import annotations

import os
import pkgutil
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest

import masking

ROOT = Path(__file__).parents[1]
LOOK = (
    "from masking import Masker\n"
    "from masking.files import read_descriptors, recogniser_names, category_names\n"
    "m = Masker('UserInfo', names='off')\n"
    "print(m.mask('电话13800138000').text, len(recogniser_names()) > 30, 'UserInfo' in category_names(), "
    "read_descriptors().named('openai.chat') is not None)\n"
    "import masking; print(masking.__file__)\n"
)
SEEN = "电话<PHONE_NUMBER_1> True True True"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    return next(built.glob("*.whl"))


def look(folder: Path, *paths: Path, code: str = LOOK) -> list[str]:
    """Run `code` in `folder` with `paths` first on the path, and nothing of the checkout."""
    search = os.pathsep.join(map(str, paths))
    # -S and -P are not used: the dependencies come from this environment, only `masking` must not.
    runner = f"import sys; sys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]\n{code}"
    environment = {**os.environ, "PYTHONPATH": search}
    done = subprocess.run(
        [sys.executable, "-c", runner], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip().split("\n")


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Path:
    """The wheel, installed by pip into a folder of its own."""
    target = tmp_path / "site"
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(target),
        str(wheel),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return target


def test_an_installed_wheel_finds_its_rules_and_providers(installed: Path, tmp_path: Path) -> None:
    seen, where = look(tmp_path, installed)

    assert seen == SEEN
    assert where.startswith(str(installed))


def test_django_rules_beside_it_and_the_users_own_modules_change_nothing(installed: Path, tmp_path: Path) -> None:
    """`rules` is an import package of django-rules; `rules.py` and `providers.py` are names that people use."""
    django_rules = installed / "rules"
    django_rules.mkdir()
    (django_rules / "__init__.py").write_text("VERSION = (3, 5, 0)\n", "utf-8")
    work = tmp_path / "work"
    work.mkdir()
    (work / "rules.py").write_text("MINE = True\n", "utf-8")
    (work / "providers.py").write_text("raise RuntimeError('imported')\n", "utf-8")

    seen, _ = look(work, work, installed)
    mine = look(work, work, installed, code="import masking, rules; print(rules.MINE)")

    assert seen == SEEN
    assert mine == ["True"]
    assert look(tmp_path, installed, code="import rules, masking; print(rules.VERSION[0])") == ["3"]


def test_the_real_django_rules_works_beside_it(installed: Path, tmp_path: Path) -> None:
    if not list(distributions(name="rules")):
        pytest.skip("django-rules is not installed: pip install rules")
    code = "import rules, masking; masking.Masker('UserInfo', names='off'); print(rules.RuleSet.__module__, rules.__file__)"
    module, where = look(tmp_path, installed, code=code)[0].split()

    assert module == "rules.rulesets"
    assert "site-packages" in where


def test_a_wheel_on_the_path_works_as_a_zip(wheel: Path, tmp_path: Path) -> None:
    seen, where = look(tmp_path, wheel)

    assert seen == SEEN
    assert ".whl" in where


def test_the_checkout_finds_its_own_folders(tmp_path: Path) -> None:
    """What `pip install -e .` puts on the path is the checkout itself."""
    code = LOOK
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.split("\n")[0] == SEEN


def test_a_damaged_installation_says_so_and_reads_nobody_elses_rules(installed: Path, tmp_path: Path) -> None:
    shutil.rmtree(installed / "masking" / "shipped")
    (installed / "rules").mkdir()
    (installed / "rules" / "UserInfo.yaml").write_text("somebody else's", "utf-8")
    code = "import masking\ntry:\n    masking.Masker('UserInfo')\nexcept masking.MaskingError as e:\n    print(e)"

    assert "lacks its rules folder" in look(tmp_path, installed, code=code)[0]


def test_the_wheel_holds_code_data_and_licence_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names}

    assert top == {"masking", f"masking_pipeline-{masking.__version__}.dist-info"}
    assert "masking/py.typed" in names
    assert "masking/shipped/rules/UserInfo.yaml" in names
    assert "masking/shipped/rules/suites/UserInfo.zh.yaml" in names
    assert "masking/shipped/rules/obligations/pipl.yaml" in names
    assert "masking/shipped/providers/openai.chat.yaml" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(name.endswith("licenses/NOTICE") for name in names)
    assert not [name for name in names if name.endswith((".pyc", ".orig"))]


def test_the_sdist_holds_what_the_tests_need(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = archive.getnames()
    inside = {name.partition("/")[2] for name in names}

    assert {
        "Makefile",
        "README.md",
        "LICENSE",
        "NOTICE",
        "CHANGELOG.md",
        "tests/conftest.py",
        "rules/UserInfo.yaml",
    } <= inside


def test_the_six_packages_that_the_project_is_built_around_are_plain_dependencies() -> None:
    import tomllib

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    names = {line.split(">")[0] for line in declared}

    assert {"presidio-analyzer", "presidio-anonymizer", "spacy", "httpx", "pydantic", "orjson"} <= names


def test_public_names_are_exactly_all() -> None:
    # pytest rewrites the modules of a package that brings it a plugin, and leaves names like `@py_builtins` in them.
    public = {name for name in vars(masking) if name.isidentifier() and not name.startswith("_")}
    modules = {module.name for module in pkgutil.iter_modules(masking.__path__)}

    assert sorted(public - modules) == sorted(masking.__all__)


def built_wheel(folder: Path, **environment: str) -> tuple[Path, str]:
    """A wheel with what this environment asks for, and what the build said."""
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (wheel,) = folder.glob("*.whl")
    return wheel, done.stdout + done.stderr


def test_a_wheel_is_the_same_for_every_machine_unless_it_is_asked_to_be_compiled(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith((".so", ".pyd"))]


def test_a_compiled_wheel_runs_streams_compiled(tmp_path: Path) -> None:
    if shutil.which(os.environ.get("CC", "cc")) is None:
        pytest.skip("no C compiler")
    wheel, _ = built_wheel(tmp_path, MASKING_COMPILED="1")
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    code = (
        "from masking.core.reader import COMPILED; from masking import Masker\n"
        "print(COMPILED, ''.join(Masker('UserInfo', names='off').session().stream(['call 139', '12345678'])))"
    )

    assert "none-any" not in wheel.name
    assert look(tmp_path, site, code=code) == ["True call <PHONE_NUMBER>"]


def test_without_a_compiler_a_wheel_stays_in_python_and_says_so(tmp_path: Path) -> None:
    wheel, said = built_wheel(tmp_path, MASKING_COMPILED="auto", CC=str(tmp_path / "no-such-compiler"))

    assert wheel.name.endswith("-py3-none-any.whl")
    assert "streams stay in Python" in said


def test_the_sdist_holds_what_compiling_takes(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}

    assert {"hatch_build.py", "masking/core/compiled.pyx", "masking/core/compiled_steps.pxi"} <= names
    assert not [name for name in names if name.endswith((".so", ".pyd"))]
