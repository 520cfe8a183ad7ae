"""Names: found in batches, in every text of a row, the same by one worker and by two."""

from __future__ import annotations

import json
from pathlib import Path

from test_batch import KEY, write

from masking import Masker
from masking.batch import Job, run
from masking.batch.rows import Settings


def test_a_name_is_one_placeholder_in_all_texts_of_a_row_whoever_masks_it(tmp_path: Path, userinfo: Masker) -> None:
    assert userinfo.category.name == "UserInfo"  # the models are here
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"帮我改一下王建国的预约，第{number}号。"},
                {"role": "assistant", "content": "好的，请问王建国的电话是多少？"},
                {"role": "user", "content": "我叫王建国，电话13800138000。"},
            ]
        }
        for number in range(12)
    ]
    source = write(tmp_path / "x.jsonl", rows)
    outputs = []
    for workers in (1, 2):
        output = tmp_path / f"out{workers}"
        run(Job((str(source),), output, Settings(("UserInfo",), key=KEY), workers=workers, block=700))
        outputs.append((output / "x.jsonl").read_text("utf-8"))
    assert outputs[0] == outputs[1]
    assert "王建国" not in outputs[0]
    people = {
        part.partition(">")[0]
        for line in outputs[0].splitlines()
        for turn in json.loads(line)["messages"]
        for part in turn["content"].split("<PERSON_")[1:]
    }
    assert len(people) == 1
