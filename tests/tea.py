"""Alibaba Cloud's Tea SDKs, pointed at a server of ours."""

from __future__ import annotations

from typing import Any

import pytest

__all__ = ["tea_config"]


def tea_config(url: str, key: str = "none", secret: str = "none") -> Any:
    """The configuration of a client; skips the test where the vendor's SDKs are not installed."""
    models = pytest.importorskip("alibabacloud_tea_openapi.models", reason="the vendor's SDKs are not installed")
    return models.Config(
        access_key_id=key, access_key_secret=secret, protocol="http", region_id="cn-hangzhou",
        endpoint=url.removeprefix("http://"),
    )  # fmt: skip
