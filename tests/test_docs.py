"""The documents are true: what they show runs, what they name exists, what exists is named."""

from __future__ import annotations

import inspect
import os
import re
import runpy
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import masking
from masking.core import descriptor, descriptorfile, errors, rulekeys
from masking.core.check import CHECKS
from masking.core.pattern import BOUNDARIES
from masking.core.placeholder import LONGEST, Grammar, State
from masking.files import category_names, read_category, read_descriptors, recogniser_names
from masking.models import MODELS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
ALL = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "NOTICE"]

_FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_PLACE = re.compile(r"(?<![\w.])(?:/(?:home|root|tmp|work|Users|usr|opt|var|mnt)/\S*|~/\S+|[A-Z]:\\\\?Users)")
_PRINTED = re.compile(r"^\s*print\(.*\)  +# ?(.*)$", re.MULTILINE)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def pages(paths: list[Path]) -> list[object]:
    return [pytest.param(path, id=name(path)) for path in paths]


@dataclass(frozen=True)
class Block:
    """A fenced block: its info string, its text, and the line of the page that its text begins on."""

    info: str
    text: str
    line: int


@cache
def blocks(path: Path) -> list[Block]:
    page = path.read_text("utf-8")
    return [
        Block(match[2].strip(), match[3], page.count("\n", 0, match.start()) + 2) for match in _FENCE.finditer(page)
    ]


def reference(page: str) -> str:
    return (DOCS / "reference" / page).read_text("utf-8")


def prose(path: Path) -> str:
    return _FENCE.sub("", path.read_text("utf-8"))


# What is shown


def compiled(path: Path, block: Block) -> object:
    # Blank lines before it, so that a traceback shows the page's own line.
    return compile("\n" * (block.line - 1) + block.text, str(path), "exec")


@pytest.mark.parametrize("path", pages([path for path in PAGES if any(b.info == "python" for b in blocks(path))]))
def test_the_python_of_a_page_runs_and_prints_what_it_says(
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    if any('Masker("UserInfo")' in block.text for block in blocks(path) if block.info == "python"):
        request.getfixturevalue("userinfo")  # skips where the models are not installed
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {"__name__": "__main__"}
    ran = 0
    for block in blocks(path):
        if block.info == "yaml":
            written(block, tmp_path)
        if block.info != "python":
            continue
        exec(compiled(path, block), scope)
        ran += 1
        shown = capsys.readouterr().out
        said = iter(shown.split("\n"))
        for expected in _PRINTED.findall(block.text):
            assert expected.rstrip() in (line.rstrip() for line in said), f"{name(path)}:{block.line}: {shown}"

    assert ran


def test_python_that_is_not_run_compiles() -> None:
    kept = [(path, block) for path in PAGES for block in blocks(path) if block.info.startswith("python ")]

    assert {block.info for _, block in kept} <= {"python no-run"}
    assert all(compiled(path, block) for path, block in kept)


def written(block: Block, folder: Path) -> None:
    """Write a YAML block to the file that its first line names."""
    first = re.match(r"# (\S+\.yaml)\n", block.text)
    if first:
        file = folder / first[1]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text, "utf-8")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which `masking` and `python` are those of this checkout."""
    if os.name != "posix" or shutil.which("bash") is None:
        pytest.skip("the documents show commands for bash")
    programs = tmp_path_factory.mktemp("bin")
    for program, arguments in (("masking", ' -c "from masking.cli import main; main()"'), ("python", "")):
        file = programs / program
        file.write_text(f'#!/bin/sh\nexec "{sys.executable}"{arguments} "$@"\n', "utf-8")
        file.chmod(0o755)
    path = os.pathsep.join((str(programs), os.environ.get("PATH", "")))
    python_path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, "PATH": path, "PYTHONPATH": python_path, "PYTHONUTF8": "1"}


@pytest.mark.parametrize("path", pages([path for path in PAGES if any(b.info == "console" for b in blocks(path))]))
def test_the_commands_of_a_page_print_what_it_says(
    path: Path, tmp_path: Path, shell: dict[str, str], request: pytest.FixtureRequest
) -> None:
    for block in blocks(path):
        if block.info == "yaml":
            written(block, tmp_path)
        if block.info != "console":
            continue
        for shown in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            command, _, expected = shown.partition("\n")
            if "masking mask" in command and not re.search(r"--names off|-c ", command):
                request.getfixturevalue("userinfo")
            done = subprocess.run(
                ["bash", "-c", command], cwd=tmp_path, env=shell, capture_output=True, text=True, check=False
            )

            assert done.stdout.rstrip() == expected.rstrip(), f"{name(path)}: {command}: {done.stderr}"


@pytest.mark.parametrize("path", pages(PAGES))
def test_every_relative_link_leads_to_a_page_and_a_heading(path: Path) -> None:
    for link in _LINK.findall(prose(path)):
        file, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (path.parent / file).resolve() if file else path

        assert target.exists(), f"{name(path)}: {link}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", prose(target), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{name(path)}: {link}"


# example.* are nobody's (RFC 2606); the others are named for their specification.
_DOMAINS = {
    "example.com",
    "example.org",
    "example.net",
    "crm.example.com",
    "u0040example.org",
    "echo.example",
    "keepachangelog.com",
    "semver.org",
    "github.com",
}
_DOMAINS |= {"creativecommons.org", "htmx.org"}
# The APIs that the gateway stands in front of.
_DOMAINS |= {"api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com"}
_DOMAINS |= {"dashscope.aliyuncs.com", "dms-enterprise.aliyuncs.com", "rdsai.aliyuncs.com"}


@pytest.mark.parametrize("path", pages([path for path in ALL if path.exists()]))
def test_no_page_names_a_foreign_host_or_a_place_on_somebodys_disk(path: Path) -> None:
    text = path.read_text("utf-8")
    hosts = set(re.findall(r"https?://([\w.-]+)", text))
    hosts |= set(re.findall(r"\b((?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|co|cn))\b", text))

    assert {host for host in hosts if host not in _DOMAINS and not host.startswith("127.")} == set()
    assert _PLACE.findall(text) == []


@pytest.mark.parametrize("path", pages(sorted((DOCS / "how-to").glob("*.md"))))
def test_every_how_to_ends_with_verify_and_troubleshooting(path: Path) -> None:
    headings = re.findall(r"^## (.*)$", prose(path), re.MULTILINE)

    assert headings[-2:] == ["Verify", "Troubleshooting"]


def test_every_page_is_on_the_map() -> None:
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in _LINK.findall(prose(DOCS / "index.md"))}

    assert {path for path in DOCS.rglob("*.md") if path.name != "index.md"} <= linked


# What exists


def missing(wanted: set[str], page: str) -> set[str]:
    """What a reference page does not name in code quotes."""
    quoted = set(re.findall(r"`([^`\n]+)`", _FENCE.sub("", reference(page))))
    return wanted - quoted


def test_every_public_name_and_its_members_are_in_the_reference() -> None:
    page = reference("python.md")
    members: set[str] = set()
    for public in masking.__all__:
        thing = getattr(masking, public)
        if issubclass(thing, Exception):
            continue
        members |= {member for member in vars(thing) if not member.startswith("_")}
        assert f"## `{public}`" in page
    quoted = " ".join(re.findall(r"`([^`\n]+)`", page))

    assert {member for member in members if not re.search(rf"\b{member}\b", quoted)} == set()
    assert missing({public for public in masking.__all__ if public.endswith("Error")}, "python.md") == set()


@pytest.mark.parametrize("kind", [masking.Masker, masking.Session, masking.Stream])
def test_the_reference_names_every_parameter_of_a_method(kind: type) -> None:
    page = reference("python.md")
    section = page.partition(f"## `{kind.__name__}`")[2].partition("\n## ")[0]
    for method, function in vars(kind).items():
        if method.startswith("_") or not inspect.isfunction(function):
            continue
        row = re.search(rf"^\| `{method}\(([^`]*)\)`", section, re.MULTILINE)

        signature = inspect.signature(function)
        parameters = [one.replace(annotation=one.empty) for one in list(signature.parameters.values())[1:]]
        bare = str(signature.replace(parameters=parameters, return_annotation=signature.empty))

        assert row, method
        assert f"({row[1]})" == bare, method


def test_the_command_reference_is_what_help_prints() -> None:
    """In a process of its own: click remembers how a command's help was first asked for."""
    path = ROOT / "scripts" / "cli_reference.py"
    done = subprocess.run([sys.executable, str(path), "--check"], capture_output=True, text=True, check=False)
    script = runpy.run_path(str(path))

    assert (done.returncode, done.stderr) == (0, "")
    assert {("mask",), ("rules", "check"), ("models", "install")} <= set(script["commands"]())


def keys(*models: type) -> set[str]:
    return {field.alias or key for model in models for key, field in model.model_fields.items()}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "model",
    [pytest.param(thing, id=key) for key, thing in vars(rulekeys).items() if hasattr(thing, "model_fields")],
)
def test_every_key_of_a_rule_is_in_the_reference(model: type) -> None:
    assert missing(keys(model), "rules.md") == set()


def test_every_boundary_check_and_operator_has_a_row_in_the_reference() -> None:
    from presidio_anonymizer.operators import OperatorsFactory

    rows = set(re.findall(r"^\| `([^`]+)` \|", reference("rules.md"), re.MULTILINE))
    operators = {"placeholder", *OperatorsFactory().get_anonymizers()} - {"custom", "surrogate_ahds"}

    assert {*BOUNDARIES, *CHECKS, *operators} - rows == set()


def test_every_shipped_category_with_its_entities_and_every_recogniser_is_in_the_reference() -> None:
    shipped = category_names()
    entities = {entity for one in shipped for entity in read_category(one).entities}
    recognisers = recogniser_names()
    themes = {recogniser.partition(".")[0] for recogniser in recognisers}

    assert missing({*shipped, *entities, *recognisers, *themes}, "categories.md") == set()


@pytest.mark.parametrize(
    ("model", "parent"),
    [
        pytest.param(descriptorfile.Match, "match.", id="match"),
        pytest.param(descriptorfile.Request, "request.", id="request"),
        pytest.param(descriptorfile.Query, "request.query.", id="query"),
        pytest.param(descriptorfile.Response, "response.", id="response"),
        pytest.param(descriptorfile.Stream, "stream.", id="stream"),
        pytest.param(descriptorfile.Refused, "error.", id="error"),
        pytest.param(descriptorfile.LanePlace, "", id="lane"),
        pytest.param(descriptorfile.Closing, "", id="close"),
        pytest.param(descriptorfile.Sample, "", id="sample"),
        pytest.param(descriptorfile.DescriptorFile, "", id="descriptor"),
    ],
)
def test_every_key_of_a_descriptor_is_in_the_reference(model: type, parent: str) -> None:
    nested = {"request", "response", "stream", "error"} if model is descriptorfile.DescriptorFile else set()

    assert missing({parent + key for key in keys(model) - nested}, "descriptors.md") == set()


@pytest.mark.parametrize("shipped", sorted(one.id for one in read_descriptors()))
def test_the_whole_exposure_of_a_descriptor_is_in_the_reference(shipped: str) -> None:
    raw = descriptor.load_yaml((ROOT / "providers" / f"{shipped}.yaml").read_text("utf-8"), shipped)[0]
    section = reference("descriptors.md").partition(f"### `{shipped}`\n")[2].partition("\n### ")[0]
    if "the same as in" in section.replace("\n", " "):
        other = re.findall(r"`([\w.]+)`\.\s*$", section)[0]
        section += reference("descriptors.md").partition(f"### `{other}`\n")[2].partition("\n### ")[0]
    quoted = set(re.findall(r"`([^`\n]+)`", section))
    given = [
        *raw.get("request", {}).get("opaque", []),
        *raw.get("request", {}).get("data_urls", []),
        *raw.get("response", {}).get("opaque", []),
        *raw.get("stream", {}).get("opaque", []),
        *(raw["request"]["query"]["opaque"] if isinstance(raw.get("request", {}).get("query"), dict) else []),
        *raw.get("request", {}).get("tokens", []),
    ]
    exposed = [place["path"] if isinstance(place, dict) else place for place in given]

    assert section
    assert set(exposed) - quoted == set()


def test_every_error_is_in_the_reference() -> None:
    assert missing(set(errors.__all__), "errors.md") == set()


def test_the_documented_exit_codes_are_the_real_ones(tmp_path: Path, shell: dict[str, str]) -> None:
    rule = "  - {id: a.b, entity: X, pattern: 'abc', hits: [HIT], misses: [x]}\n"
    head = 'category: Mine\nversion: "1"\nabout: {en: Mine}\nrules:\n'
    (tmp_path / "good.yaml").write_text(head + rule.replace("HIT", "abc"), "utf-8")
    (tmp_path / "failing.yaml").write_text(head + rule.replace("HIT", "zzz"), "utf-8")
    (tmp_path / "broken.yaml").write_text(head, "utf-8")
    codes = {
        file: subprocess.run(
            ["masking", "rules", "check", f"./{file}.yaml"], cwd=tmp_path, env=shell, capture_output=True, check=False
        ).returncode
        for file in ("good", "failing", "broken")
    }

    assert codes == {"good": 0, "failing": 1, "broken": 2}


def test_the_models_page_and_the_notice_say_what_the_catalogue_says() -> None:
    page = (DOCS / "explanation" / "names-and-models.md").read_text("utf-8")
    notice = " ".join((ROOT / "NOTICE").read_text("utf-8").split())
    for model in MODELS.values():
        wanted = (model.package, model.version, model.licence)

        assert all(words in page and words in notice for words in wanted)
        assert f"{model.size / 1e6:.1f} MB" in page
        assert model.attribution.rstrip(".") in notice


def _longest(entity: str) -> int:
    """The length of the longest text that the automaton can follow for one entity."""
    grammar = Grammar((entity,))
    alphabet = [chr(code) for code in range(0x20, 0x7F)]
    known: dict[State, int] = {}

    def after(state: State) -> int:
        if state not in known:
            following = (grammar.follow(state, character, bare=False) for character in alphabet)
            known[state] = max((1 + after(one) for one in {*following} if one is not None), default=0)
        return known[state]

    return max(1 + after(state) for state in map(grammar.begin, alphabet) if state is not None)


def test_the_documented_holdback_is_the_automatons_longest_path() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\d+) \|$", reference("placeholders.md"), re.MULTILINE)
    longest = "A_" * (LONGEST // 2 - 1) + "AB"

    assert len(rows) >= 3
    assert {entity: int(figure) for entity, figure in rows} == {entity: _longest(entity) for entity, _ in rows}
    assert all(int(figure) == 39 + len(entity) + 4 * entity.count("_") for entity, figure in rows)
    assert f"at most {LONGEST} characters" in reference("placeholders.md")
    assert f"no category can make {_longest(longest)} characters wait" in reference("placeholders.md")


def test_every_form_in_the_table_is_restored_and_every_other_is_kept() -> None:
    masker = masking.Masker("UserInfo", names="off")
    page = reference("placeholders.md")
    restored = page.partition("## Forms that are restored")[2].partition("## What is not")[0]
    kept = page.partition("## What is not restored")[2].partition("### In JSON")[0]
    with masker.session() as session:
        session.load({"<BANK_CARD_1>": "value-1", "<BANK_CARD_2>": "value-2"})
        for form in re.findall(r"`([^`\n]+)`", restored):
            if "PERSON" in form.upper() and form != "PERSON":
                assert "value-1" in session.restore(_as_card(form)), form
        for row in re.findall(r"^\| (`[^|]*) \|", kept, re.MULTILINE):
            for form in re.findall(r"`([^`]+)`", row):
                if form not in {"<PERSON_1>", "<PERSON_2>"} and "&" not in form:
                    assert session.restore(_as_card(form)) == _as_card(form), form


def _as_card(form: str) -> str:
    """A documented form with an entity of two words and its own separator."""
    return form.replace("PERSON", "BANK_CARD").replace("person", "bank_card").replace("Person", "Bank_Card")
