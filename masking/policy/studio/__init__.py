"""A page for people who own rules and write no Python: try a category, run suites, compare versions, keep cases.

Needs the extra `studio`. Nothing here is imported until it is asked for.
"""

from __future__ import annotations

from masking.policy.studio.application import app

__all__ = ["app"]
