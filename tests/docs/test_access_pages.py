"""Tests of the pages that a project has with `auth`."""

import ast
import json
import re

import pytest

from scaffold.rendering.app import generate_modular_app
from scaffold.spec.loading import parse
from tests.harness.documentation import blocks
from tests.harness.project import ROOT
from tests.harness.skeleton import TREE, text_of

SPEC = parse((ROOT / "tests" / "specs" / "good" / "access.json").read_bytes())
PAGES = {
    "access.md": generate_modular_app(SPEC).files["docs/access.md"],
    "identity-providers.md": text_of("docs/identity-providers.md", auth=True),
}
SETTINGS = text_of("src/core/config.py", auth=True)


def page(name: str) -> str:
    return PAGES[name] if name in PAGES else (TREE / "docs" / name).read_text()


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")
        for heading in headings
    }


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", PAGES[name])
    for link in links:
        path, _, anchor = link.partition("#")
        if "://" not in link:
            assert not anchor or anchor in anchors(page(path or name)), link
    assert any("://" not in link for link in links)


@pytest.mark.parametrize("name", PAGES)
def test_settings_and_commands_exist(name: str) -> None:
    for setting in re.findall(r"\bAUTH_[A-Z_]+", PAGES[name]):
        assert f"    {setting.lower()}:" in SETTINGS, setting
    makefile = text_of("Makefile", auth=True)
    for target in re.findall(r"(?:`|\()make ([a-z-]+)", PAGES[name]):
        assert re.search(f"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("name", PAGES)
def test_code_can_be_read(name: str) -> None:
    for block in blocks(PAGES[name]):
        if block.language == "json":
            document = {"auth": True, "entities": [json.loads(block.text)]}
            parse(json.dumps(document).encode())
        elif block.language == "python":
            ast.parse(block.text)


def test_each_provider_says_what_its_tokens_have() -> None:
    sections = re.split(r"^## ", PAGES["identity-providers.md"], flags=re.MULTILINE)
    found = {one.partition("\n")[0]: one for one in sections[1:]}
    for provider in ("Keycloak", "Auth0", "Entra ID", "Zitadel"):
        for needed in ("AUTH_ISSUER=https://", "AUTH_AUDIENCE=", "`typ`", "https://"):
            assert needed in found[provider], (provider, needed)
    assert "opaque" in found["Google"]


def test_the_pages_exist_only_with_auth() -> None:
    without = parse(b'{"entities": [{"name": "Note"}]}')
    assert "docs/access.md" not in generate_modular_app(without).files
    assert not (TREE / "docs" / "access.md").exists()
    assert not (TREE / "docs" / "identity-providers.md").exists()
