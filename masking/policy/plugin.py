"""Suites as tests of pytest: `pytest policies/` collects every YAML file that has the key `suite`, one test a case.

A known gap is an expected failure, one that is closed an unexpected pass. Nothing of this package but this file is read
until a suite is met.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from masking.policy.result import CaseResult, LabelledResult
    from masking.policy.suite import Case, Labelled

__all__ = ["pytest_collect_file"]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A hook of pytest: a suite, where the file is one."""
    if file_path.suffix not in {".yaml", ".yml"}:
        return None
    from masking.policy.suite import is_suite

    if not is_suite(file_path):
        return None
    found: SuiteFile = SuiteFile.from_parent(parent, path=file_path)
    return found


class SuiteFile(pytest.File):
    """One suite."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item per case, and one per labelled file."""
        from masking.core.errors import MaskingError
        from masking.policy.suite import read_suite

        try:
            suite = read_suite(self.path)
        except MaskingError as error:
            raise self.CollectError(str(error)) from None
        for case in suite.cases:
            item: CaseItem = CaseItem.from_parent(self, name=case.id, one=case)
            if case.known_gap:
                item.add_marker(pytest.mark.xfail(reason=case.known_gap, strict=False))
            yield item
        for labelled in suite.labelled:
            yield CaseItem.from_parent(self, name=Path(labelled.file).stem, one=labelled)


class BrokenError(Exception):
    """A case that does not hold; the report tells how."""

    def __init__(self, result: CaseResult | LabelledResult) -> None:
        self.result = result
        super().__init__(result.name)


class CaseItem(pytest.Item):
    """One case, or one labelled file."""

    def __init__(self, *, one: Case | Labelled, **options: Any) -> None:
        super().__init__(**options)
        self.one = one

    def runtest(self) -> None:
        """Run it, and raise BrokenError where it does not hold."""
        from masking.policy.labelled import run_labelled
        from masking.policy.run import check_entities, run_case
        from masking.policy.runner import policy_for
        from masking.policy.suite import Labelled

        policy = policy_for(self.one.categories, self.one.names)
        if isinstance(self.one, Labelled):
            result: CaseResult | LabelledResult = run_labelled(self.one, policy)
        else:
            check_entities(self.one, policy)
            result = run_case(self.one, policy)
        if result.violations:
            raise BrokenError(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What does not hold, in place of a traceback."""
        from masking.core.errors import MaskingError
        from masking.policy.report import told

        if isinstance(excinfo.value, BrokenError):
            return "\n".join(told(excinfo.value.result))
        if isinstance(excinfo.value, MaskingError):
            return f"could not run: {excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """File, line (from 0) and name, as pytest wants them."""
        return self.path, self.one.line - 1, self.name
