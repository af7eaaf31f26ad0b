"""The data provider of docs/react-admin.md, as printed there, with react-admin's types."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.documentation import blocks
from tests.harness.issuer import issuing, token_of
from tests.harness.postgres_server import Server
from tests.harness.project import HOST, Project
from tests.harness.service_process import replica
from tests.live.clients.test_clients import HERE, ask_to_install, need, run

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.xdist_group("ecommerce_api"),
]

# react-admin exports all of ra-core; the rest of it is components.
PACKAGES = ["react-admin@npm:ra-core@5.15.4", "typescript@5.9.3", "@types/node@22"]
OPTIONS = {
    "strict": True,
    "module": "nodenext",
    "target": "es2022",
    "types": ["node"],
    "skipLibCheck": True,  # of the packages: the files here are checked
}


def test_the_page_serves_react_admin(
    baked: Callable[[str], Project], server: Server, tmp_path: Path
) -> None:
    node, npm = need("node", "nodejs"), need("npm")
    ask_to_install("react-admin")
    project = baked("ecommerce_api")
    page = (project.path / "docs" / "react-admin.md").read_text()
    (provider,) = [one.text for one in blocks(page) if one.language == "ts"]
    (tmp_path / "dataProvider.ts").write_text(provider)
    shutil.copy(HERE / "react_admin.ts", tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    config = {"compilerOptions": OPTIONS, "include": ["*.ts"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(config))
    options = ["--no-audit", "--no-fund", "--ignore-scripts"]
    run(npm, "install", *options, *PACKAGES, folder=tmp_path)
    run(tmp_path / "node_modules" / ".bin" / "tsc", folder=tmp_path)
    settings = {"DATABASE_URL": server.create("react_admin"), "ENVIRONMENT": "test"}
    project.run(project.python, "-m", "src.migrate", environment=settings)
    with (
        issuing(project) as accepted,
        replica(project, tmp_path / "service.log", {**settings, **accepted}) as service,
    ):
        api = f"http://{HOST}:{service.port}/api/v1"
        token = token_of(project) or ""
        said = run(node, "react_admin.js", api, token, folder=tmp_path)
    assert said == "done\n"
