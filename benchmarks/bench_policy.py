"""How long suites take: 10,000 generated cases, through every lane, beside masking their texts once.

    python benchmarks/bench_policy.py [--cases N] [--cuts all|near|none] [--names on|off] [--workers N]

The floor is the CPU time of masking every text once; the ratio says what the proof costs beside it. Processes that
are started load the category first, which counts.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import tempfile
import time
from pathlib import Path

_ZH = (
    "我的手机号是{phone}，请明天上午联系我。",
    "订单 2{phone}01 已发货，预计 {day} 日送达。",
    "收件人邮箱 {mail}，附言：第 {day} 批。",
    "身份证号{ric}，户籍不变。",
)
_EN = (
    "Please write to {mail} about ticket {day}.",
    "Call {phone} before noon; build 3.{day}.1 is out.",
    "My card is 4111 1111 1111 1111, my order {day}{day}.",
    "Version 10.{day}.2 fixes the crash in module {day}.",
)


def cases(count: int) -> list[str]:
    """The cases of a suite, as YAML."""
    draw = random.Random(7)
    rows = []
    for number in range(count):
        phone, day = f"138001{draw.randrange(100000):05}", str(draw.randrange(1, 29))
        values = {"phone": phone, "day": day, "mail": f"user{number}@example.com", "ric": "11010519491231002X"}
        form = draw.choice(_ZH + _EN)
        claims = [
            f'"{values[key]}"' for key in ("phone", "mail", "ric") if f"{{{key}}}" in form and "2{phone}01" not in form
        ]
        rows.append(f'- {{id: c{number}, text: "{form.format(**values)}", must_mask: [{", ".join(claims)}]}}')
        if "4111" in form:
            rows[-1] = rows[-1].replace("must_mask: []", 'must_mask: ["4111 1111 1111 1111"]')
    return rows


def cpu() -> float:
    """CPU seconds of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--cases", type=int, default=10_000)
    arguments.add_argument("--cuts", action="append", choices=("all", "near", "none"))
    arguments.add_argument("--names", choices=("on", "off"), default="off")
    arguments.add_argument("--workers", type=int, default=0)
    given = arguments.parse_args()

    from masking import Masker
    from masking.policy.runner import run_suites
    from masking.policy.suite import read_suites

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.yaml"
        head = f"suite: bench\ncategory: UserInfo\nnames: {given.names}\ncases:\n"
        path.write_text(head + "\n".join(cases(given.cases)), "utf-8")
        started = time.perf_counter()
        suites = read_suites([path])
        print(f"{given.cases} cases read in {time.perf_counter() - started:.2f} s; {os.cpu_count()} cores")

        masker = Masker("UserInfo", names=given.names)
        texts = [case.texts[0] for case in suites[0].cases]
        masker.mask(texts[0])
        started = cpu()
        for text in texts:
            masker.mask(text)
        floor = cpu() - started
        print(f"floor: the texts masked once: {floor:.2f} CPU s")
        print("| cuts | processes | seconds | CPU seconds | cases a CPU second | comparisons | times the floor |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
        for cuts in given.cuts or ("none", "near", "all"):
            started = cpu()
            report = run_suites(suites, workers=given.workers, cuts=cuts)
            assert not report.exit_code, report.summary
            checks = sum(case.checks for case in report.suites[0].cases)
            spent = cpu() - started
            print(
                f"| {cuts} | {report.workers} | {report.seconds:.1f} | {spent:.1f} | {given.cases / spent:.0f} | "
                f"{checks} | {spent / floor:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
