"""Runs `tap patch` on the patches of golden folders and compares them with the reference's.

    python3 compare_tap_golden.py TAP DIR...

TAP is the command, DIR a folder as Tests/SpeechTests/Fixtures/qwen2-audio. Needs no package.

A patch is asked for as a user would: two recordings, a site, and a window of positions. Left out, and
counted, are those that no command line names: positions joined otherwise than one to one, subspaces,
and masks. `reproduce parity` covers them. Moshi's golden run has another own voice than silence,
which only parity gives it.
"""

import itertools
import json
import re
import sys
from pathlib import Path

from compare_tap import prompt, tap

TOLERANCE = 5e-5


def tokens(inputs):
    """The prompt with one placeholder for the sound, which a source of another length fills otherwise."""
    ids = [(token, len(list(run))) for token, run in itertools.groupby(prompt(inputs, "base"))]
    return [token for token, count in ids for _ in range(1 if count > 2 else count)]


def windows(patch):
    """The ranges of positions, or None where base and source positions are not the same."""
    plain = all(a == b for a, b in patch["index_map"]) and patch["kind"] == "replace"
    if not plain or patch.get("keep_mask"):
        return None
    return patch["base_ranges"]


def compare(command, folder):
    inputs = json.loads((folder / "inputs.json").read_text())
    golden = json.loads((folder / "patches.json").read_text())
    worst, ran, left_out, problems = 0.0, 0, 0, []
    for patch in golden["patches"]:
        ranges = windows(patch)
        head = patch["head"]
        if ranges is None or isinstance(head, list):
            left_out += 1
            continue
        index = "" if head is None else f"[{head}]"
        metric = inputs["metric"]

        def patched(ends):
            sites = []
            for first, last in ranges:
                sites += ["--site", f"{patch['site']}{index}@{first}..{min(last, ends)}"]
            return tap(
                command, "patch", "--model", str(folder), "--base", str(folder / "base.wav"),
                "--source", str(folder / f"{patch['source']}.wav"), "--alignment", "identity",
                "--prompt-ids", ",".join(map(str, tokens(inputs))),
                "--answer", str(metric["a"]), "--foil", str(metric["b"]), *sites)

        try:
            found = patched(1 << 30)
        except SystemExit as refusal:
            # The reference counts the padding behind the sound, which the command knows nothing of.
            count = re.search(r"reaches past the end; the site has (\d+) positions", str(refusal))
            if count is None:
                raise
            found = patched(int(count[1]))
        difference = abs(found["patched"]["logit-difference"] - patch["metric_after"])
        worst, ran = max(worst, difference), ran + 1
        if not difference <= TOLERANCE:
            problems.append(f"{patch['id']} {patch['site']}: {difference:.2e}")
    print(f"{folder.name}: {ran} patches, {left_out} left out; worst difference {worst:.2e} "
          f"of {TOLERANCE:.0e}")
    return problems


def main(command, folders):
    problems = []
    for folder in map(Path, folders):
        problems += [f"{folder.name} {problem}" for problem in compare(command, folder)]
    for problem in problems:
        print(f"FAIL {problem}")
    print(f"{len(folders)} folders, {len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
