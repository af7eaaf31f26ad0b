"""Writes the expected reports of the bad examples; run it after changing a message."""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parents[1] / "{{cookiecutter.project_slug}}"))


def refresh() -> None:
    """Write the current reports, and print the name of every file that changed."""
    from jsonschema import Draft202012Validator

    from scaffold.spec import json_schema, loading

    validator = Draft202012Validator(json_schema.build())
    beyond = []
    for path in sorted((HERE / "bad").glob("*.json")):
        data = path.read_bytes()
        try:
            loading.parse(data)
            sys.exit(f"{path.name} is accepted")
        except loading.SpecError as error:
            _write(path.with_suffix(".txt"), loading.report(error) + "\n")
        try:
            document = json.loads(data.decode(), parse_constant=_refuse)
        except (ValueError, RecursionError):
            continue
        if validator.is_valid(document):
            beyond.append(path.stem)
    _write(HERE / "beyond_schema.txt", "\n".join(beyond) + "\n")


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not valid JSON")


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8", newline="\n")
        print(path.name)


if __name__ == "__main__":
    refresh()
