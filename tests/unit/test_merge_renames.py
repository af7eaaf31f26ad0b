"""A rename of an entity renames what was generated, and leaves what a person wrote."""

import json
import sys
from pathlib import Path

import pytest

from scaffold.cli import main
from scaffold.merging.entity_renames import Move

PROJECT = {"name": "Project", "fields": [{"name": "title", "type": "string"}]}
TASK = {
    "name": "Task",
    "fields": [{"name": "title", "type": "string"}],
    "relations": [
        {
            "name": "project",
            "type": "many_to_one",
            "target": "Project",
            "back_populates": "tasks",
        }
    ],
}
ROUTES, NEW_ROUTES = "src/api/routes/tasks.py", "src/api/routes/jobs.py"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "entities.json").write_text(json.dumps({"entities": [PROJECT, TASK]}))
    assert main(["apply"], tmp_path) == 0
    return tmp_path


def rename(root: Path, status: int = 0) -> None:
    """Task is called Job from now on."""
    entities = [PROJECT, {**TASK, "name": "Job", "renamed_from": "Task"}]
    (root / "entities.json").write_text(json.dumps({"entities": entities}))
    assert main(["apply"], root) == status


def edit(root: Path, path: str, old: str, new: str) -> None:
    text = (root / path).read_text()
    assert text.count(old) == 1, text
    (root / path).write_text(text.replace(old, new))


def append(root: Path, path: str, text: str) -> None:
    (root / path).write_text((root / path).read_text() + text)


MINE = {
    "strings and JSON keys": (
        "\n\nKEYS = {'task_id': 1, 'Task': 2}\n"
        'NAMES = ["tasks", "task", "/{task_id}", "/api/v1/tasks"]\n'
    ),
    "comments": "\n\n# A remark on task_id and Task\nMINE = 1  # tasks\n",
    "a schema of their own": (
        "\n\nclass Import(base.Schema):\n    task_id: int\n    tasks: list[int]\n\n"
        "    def first(self) -> int:\n        return self.task_id + self.tasks[0]\n"
    ),
    "a helper and its parameters": (
        "\n\ndef helper(task_id: int, *, task: str) -> str:\n"
        '    return f"{task_id} of {task}"\n'
    ),
    "keyword arguments of other libraries": (
        '\n\nRESPONSE = fastapi.Response(headers=dict(task_id="1", Task="2"))\n'
    ),
    "a route with their own path": (
        '\n\n@router.post("/{task_id}/close")\n'
        "async def close(task_id: http.Id) -> dict[str, str]:\n"
        '    return {"task_id": str(task_id), "url": f"/tasks/{task_id}"}\n'
    ),
    "a text that is generated elsewhere, too": (
        '\n\nDOCS = """Return one task."""\nPATH = "/{task_id}"\n'
    ),
}


@pytest.mark.parametrize("case", MINE)
def test_what_a_person_added_stays(project: Path, case: str) -> None:
    append(project, ROUTES, MINE[case])
    rename(project)
    assert (project / NEW_ROUTES).read_text().endswith(MINE[case])


def test_an_attribute_that_a_person_added_to_a_generated_class_stays(
    project: Path,
) -> None:
    mine = (
        "\n    task_id = 1\n\n"
        "    def first(self) -> int:\n        self.task = 2\n"
        "        return self.task_id + self.task\n"
    )
    append(project, "src/services/task.py", mine)
    rename(project)
    assert (project / "src/services/job.py").read_text().endswith(mine)


def test_references_to_generated_code_follow(project: Path) -> None:
    mine = (
        '\n\n@router.get("/{task_id}/copy")\n'
        "async def copy(task_id: http.Id, service: deps.TaskServiceDep) -> Task:\n"
        "    task = await service.get_task(task_id)\n"
        "    return await service.create_task(TaskCreate(title=task.title))\n"
    )
    append(project, ROUTES, mine)
    rename(project)
    assert (
        (project / NEW_ROUTES)
        .read_text()
        .endswith(
            '\n\n@router.get("/{task_id}/copy")\n'
            "async def copy(task_id: http.Id, service: deps.JobServiceDep) -> Job:\n"
            "    task = await service.get_job(task_id)\n"
            "    return await service.create_job(JobCreate(title=task.title))\n"
        )
    )


def test_imports_of_renamed_modules_follow(project: Path) -> None:
    """Also those of a person, in whatever form."""
    mine = (
        "\n\ndef mine(service: TaskService) -> None:\n"
        "    import src.services.task as services\n"
        "    from src.repositories import task, base\n"
        "    from src.services.task import (\n        TaskService as Service,\n    )\n"
        "    use(service, services, task, base, Service)\n"
    )
    append(project, "src/api/dependencies.py", mine)
    append(project, "tests/cases.py", "\n\nMINE = task_repository.TaskRepository\n")
    rename(project)
    text = (project / "src/api/dependencies.py").read_text()
    assert "\nfrom src.services.job import JobService\n" in text
    assert text.endswith(
        "\n\ndef mine(service: JobService) -> None:\n"
        "    import src.services.job as services\n"
        "    from src.repositories import job as task, base\n"
        "    from src.services.job import (\n        JobService as Service,\n    )\n"
        "    use(service, services, task, base, Service)\n"
    )
    text = (project / "tests/cases.py").read_text()
    assert "\nfrom src.repositories import job as job_repository\n" in text
    assert text.endswith("\n\nMINE = job_repository.JobRepository\n")


def test_attributes_of_modules_under_names_of_a_persons_own_follow(
    project: Path,
) -> None:
    path = "src/repositories/task.py"
    text = (project / path).read_text().replace("entities.", "tables.")
    text = text.replace("import entities", "import entities as tables")
    text = text.replace("import base\n", "import base\nimport mine as lib\n")
    (project / path).write_text(f"{text}\n\nMINE = lib.TaskEntity\n")
    cases = project / "tests/cases.py"
    cases.write_text(cases.read_text().replace("task_service", "mine"))
    rename(project)
    text = (project / "src/repositories/job.py").read_text()
    assert "(base.Repository[tables.JobEntity])" in text
    assert "MINE = lib.TaskEntity\n" in text
    assert "import job as mine\n" in cases.read_text()
    assert "service=mine.JobService," in cases.read_text()


def test_a_base_that_is_no_program_is_no_obstacle() -> None:
    """It may be lines of several branches."""
    before, after = "class Task:\n    a = 1\n", "class Job:\n    a = 1\n"
    move = Move("src/services/task.py", before, after)
    yours, base = move.translated("class Task:\n    mine = 2\n", "    a = 1\n")
    assert yours == "class Job:\n    mine = 2\n"
    assert base == "    a = 1\n"


GET = """\
@router.get(
    "/{task_id}",
    response_model=Task,
    responses=entity_tags.CONDITIONAL | http.problems(404),
)
async def get_task(
    task_id: http.Id,
    service: deps.TaskServiceDep,
    include: typing.Annotated[
        queries.Include[TaskInclude], fastapi.Query(default_factory=list)
    ],
    response: fastapi.Response,
    if_none_match: entity_tags.IfNoneMatch = None,
) -> typing.Any:
    \"\"\"Return one task.\"\"\"
    found = await service.get_task(task_id, include)
    return entity_tags.unless_known(response, found, if_none_match)
"""
GET_JOB = GET.replace("task", "job").replace("Task", "Job")
# What a person makes of the generated route, and what it is after the rename.
HAND_WRITTEN = {
    "nothing": (GET, GET_JOB),
    "a line of their own": (
        GET.replace("    return", '    log(f"{task_id}", "tasks")\n    return'),
        GET_JOB.replace("    return", '    log(f"{job_id}", "tasks")\n    return'),
    ),
    "other options of the route": (
        GET.replace("problems(404)", "problems(404, 410)"),
        GET_JOB.replace("problems(404)", "problems(404, 410)"),
    ),
    "another placeholder and parameter": (
        GET.replace("{task_id}", "{id}").replace("task_id", "id"),
        GET_JOB.replace("{job_id}", "{id}").replace("job_id", "id"),
    ),
    "another path with the same placeholder": (
        GET.replace("{task_id}", "{task_id}/details"),
        GET_JOB.replace("{job_id}", "{job_id}/details").replace("job_id", "task_id"),
    ),
    "a dependency that takes the parameter": (
        GET.replace("task_id: http.Id", "task: TaskDep").replace("(task_id,", "(task,"),
        GET_JOB.replace("{job_id}", "{task_id}")
        .replace("job_id: http.Id", "task: TaskDep")
        .replace("(job_id,", "(task,"),
    ),
}


@pytest.mark.parametrize("case", HAND_WRITTEN)
def test_a_placeholder_and_its_parameter_are_renamed_together_or_not_at_all(
    project: Path, case: str
) -> None:
    mine, expected = HAND_WRITTEN[case]
    edit(project, ROUTES, GET, mine)
    rename(project)
    assert expected in (project / NEW_ROUTES).read_text()


def test_a_placeholder_in_a_prefix_keeps_its_name_in_the_file(project: Path) -> None:
    edit(project, ROUTES, '"/api/v1/tasks"', '"/api/v1/of/{task_id}/tasks"')
    rename(project)
    text = (project / NEW_ROUTES).read_text()
    assert '"/api/v1/of/{task_id}/tasks"' in text
    assert "job_id" not in text
    assert (
        "async def get_job(\n    task_id: http.Id,\n    service: deps.JobServiceDep,"
        in text
    )


def test_edited_lines_of_generated_code_keep_generated_strings_right(
    project: Path,
) -> None:
    edit(project, ROUTES, 'tags=["tasks"],', 'tags=["tasks"], deprecated=True,')
    rename(project)
    text = (project / NEW_ROUTES).read_text()
    assert 'prefix="/api/v1/jobs", tags=["jobs"], deprecated=True,' in text


# What the run says about the application. It has an environment: ours, in which a
# document stands for the service.


@pytest.fixture
def service(project: Path) -> Path:
    python = project / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    document(project)
    return project


def document(root: Path, before: str = "", **paths: dict[str, object]) -> None:
    """Let `scripts.openapi` render these paths, after some statements."""
    for package in ("scripts", "src"):  # before those of the skeleton
        (root / package).mkdir(exist_ok=True)
        (root / package / "__init__.py").touch()
    (root / "scripts" / "openapi.py").write_text(
        f"import json\nimport warnings\n\n\ndef render():\n    {before}\n"
        f"    return json.dumps({{'paths': { ({'/' + k: v for k, v in paths.items()})!r}}})\n"
    )


def get(name: str, *parameters: str) -> dict[str, object]:
    known = [{"name": one, "in": "path"} for one in parameters]
    return {"get": {"operationId": f"tasks_{name}", "parameters": known}}


def test_an_application_that_works_is_not_talked_about(
    service: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document(service, **{"api/v1/jobs/{job_id}": get("get_job", "job_id")})
    rename(service)
    assert capsys.readouterr().err == ""


def test_a_placeholder_without_a_parameter_is_named(
    service: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    route = '\n\n@router.get("/{id}/mine")\ndef mine() -> None:\n    pass\n'
    append(service, ROUTES, route)
    document(service, **{"api/v1/jobs/{id}/mine": get("mine", "task_id")})
    rename(service, status=1)
    text = (service / NEW_ROUTES).read_text()
    place = f"{NEW_ROUTES}:{text[: text.index('def mine')].count(chr(10)) + 1}"
    assert capsys.readouterr().err == (
        "The files are written, but the application does not work after the rename. "
        "Fix this,\nthen run `make entities` again:\n"
        f"  {place}: GET /api/v1/jobs/{{id}}/mine has no parameter for {{id}}; rename "
        "the placeholder or the parameter, so that both have one name\n"
        f"  {place}: the parameter task_id of GET /api/v1/jobs/{{id}}/mine is not in "
        "the path; rename it or the placeholder, so that both have one name\n"
    )
    assert main(["apply"], service) == 0


BROKEN = {
    "an import of a module that has moved": (
        "import src.services.task",
        "  scripts/openapi.py:6: ModuleNotFoundError: No module named "
        "'src.services.task'; it is src.services.job now\n",
    ),
    "an exception": (
        "raise ValueError('no such table')",
        "  scripts/openapi.py:6: ValueError: no such table\n",
    ),
    "a route that is there twice": (
        "warnings.warn('Duplicate Operation ID tasks_get_task for function get_task')",
        "  Duplicate Operation ID tasks_get_task for function get_task\n",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_breaks_the_application_is_told_with_its_place(
    service: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    statement, told = BROKEN[case]
    document(service, statement)
    rename(service, status=1)
    assert told in capsys.readouterr().err
    assert (service / NEW_ROUTES).exists()


def test_a_syntax_error_is_told_with_its_place(
    service: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (service / "src" / "mine.py").write_text("a = 1\nb = (\n")
    document(service, "import src.mine")
    rename(service, status=1)
    assert (
        "  src/mine.py:2: SyntaxError: '(' was never closed" in capsys.readouterr().err
    )


def test_an_environment_that_lacks_a_package_says_nothing(
    service: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document(service, "import a_library_that_is_not_installed")
    rename(service)
    assert capsys.readouterr().err == ""


def test_a_run_that_renames_nothing_does_not_run_the_application(
    service: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document(service, "raise ValueError")
    entities = [PROJECT, {**TASK, "fields": []}]
    (service / "entities.json").write_text(json.dumps({"entities": entities}))
    assert main(["apply"], service) == 0


def test_a_renamed_field_runs_the_application_as_well(
    service: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document(service, "raise ValueError('no')")
    field = {**PROJECT["fields"][0], "name": "label", "renamed_from": "title"}  # type: ignore[index]
    entities = [{**PROJECT, "fields": [field]}, TASK]
    (service / "entities.json").write_text(json.dumps({"entities": entities}))
    assert main(["apply"], service) == 1
    assert "ValueError: no" in capsys.readouterr().err


def test_a_name_that_is_no_longer_defined_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without an environment, too."""
    append(project, "src/models/schemas.py", "\n\nMINE = TaskTitle\n")
    entities = [
        PROJECT,
        {**TASK, "name": "Job", "renamed_from": "Task", "fields": []},
    ]
    (project / "entities.json").write_text(json.dumps({"entities": entities}))
    status = main(["apply"], project)
    said = capsys.readouterr().err
    text = (project / "src" / "models" / "schemas.py").read_text()
    assert (status, "MINE = TaskTitle" in text or "MINE = JobTitle" in text) == (
        1,
        True,
    )
    assert "src/models/schemas.py:" in said
