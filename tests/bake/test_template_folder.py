"""The hooks find the template's folder, however it was named and wherever they run."""

import json
import shutil
from pathlib import Path

import pytest

from tests.bake.conftest import Generate


def made(project: Path, template: Path) -> bool:
    """Whether a project is complete and knows which folder it came from."""
    kept = json.loads((project / ".devmatrix" / "answers.json").read_text())
    assert kept["template"] == str(template)
    return (project / "src" / "services" / "task.py").exists()


@pytest.fixture
def spaced(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "my templates" / "dev matrix"))


def test_a_folder_with_blanks_and_a_replay(
    generate: Generate, spaced: Path, tmp_path: Path
) -> None:
    shell, output = tmp_path / "shell", tmp_path / "a b" / "c d"
    output.mkdir(parents=True)
    for name, options in {"first": ["--no-input"], "second": ["--replay"]}.items():
        arguments = [*options, "-o", str(output / name)]
        done = generate("../my templates/dev matrix", *arguments, cwd=shell)
        assert done.returncode == 0, done.stdout
        assert made(output / name / "simple_task_api", spaced)


@pytest.mark.parametrize("output", [".", "one", "one/two", "../beside"])
def test_a_shell_that_does_not_say_where_it_is(
    generate: Generate, spaced: Path, output: str
) -> None:
    """Windows sets no PWD, and a program may start another one elsewhere."""
    arguments = ["dev matrix", "--no-input", "-o", output]
    done = generate(*arguments, cwd=spaced.parent, PWD="/nowhere")
    if output == "../beside":
        assert done.returncode == 1
        assert "the template's folder 'dev matrix' is not found from " in done.stdout
        assert "give its absolute path" in done.stdout
        assert list((spaced.parents[1] / "beside").iterdir()) == []
    else:
        assert done.returncode == 0, done.stdout
        assert made(spaced.parent / output / "simple_task_api", spaced)


def test_a_project_beside_is_not_taken_for_the_template(
    generate: Generate, spaced: Path, tmp_path: Path
) -> None:
    output = str(tmp_path / "out")
    done = generate(spaced, "--no-input", "-o", output)
    assert done.returncode == 0, done.stdout
    arguments = [".", "--no-input", "-o", output, "project_slug=second"]
    done = generate(*arguments, cwd=spaced, PWD="/nowhere")
    assert done.returncode == 1
    assert "the template's folder '.' is not found" in done.stdout
    assert [path.name for path in Path(output).iterdir()] == ["simple_task_api"]
