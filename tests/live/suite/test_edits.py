"""A project's own suite stays green while its team edits the project within reason."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.harness.project import Project

pytestmark = pytest.mark.live

OWN_FILES = Path(__file__).parent / "own"
OWN_TESTS = ("tests/unit/test_product.py", "tests/integration/test_shop.py")
SEARCH = '''
    async def search(self, word: str) -> list[{entity}]:
        """Return the rows whose text contains a word."""
        if not word:
            return []
        column = {entity}.{column}
        statement = self.select().where(column.contains(word)).order_by(column)
        return list((await self.db.scalars(statement)).all())
'''


def edit(project: Project, path: str, *changes: tuple[str, str]) -> None:
    file = project.path / path
    text = file.read_text()
    for old, new in changes:
        assert text.count(old) == 1, f"{path}: {old}"
        text = text.replace(old, new)
    file.write_text(text)


def append(project: Project, path: str, text: str) -> None:
    with (project.path / path).open("a") as file:
        file.write(text)


def add_settings(project: Project) -> None:
    """Add a setting that is required, and one that is required in production."""
    edit(
        project,
        "src/core/config.py",
        ("    Field,\n", "    Field,\n    SecretStr,\n"),
        ("    field_validator,\n", "    field_validator,\n    model_validator,\n"),
        (
            "    client_timeout: float = Field(default=30, gt=0, le=DAY)\n",
            """    client_timeout: float = Field(default=30, gt=0, le=DAY)

    # Payments
    payment_key: SecretStr
    webhook_secret: SecretStr | None = None

    @model_validator(mode="after")
    def _check_webhooks(self) -> "Settings":
        if self.environment == "production" and self.webhook_secret is None:
            raise ValueError("WEBHOOK_SECRET is required in production")
        return self
""",
        ),
    )


def add_rules(project: Project) -> None:
    """Add rules to the service of coupons, and what the tests need to know of them."""
    edit(
        project,
        "src/services/coupon.py",
        (
            "        return await self._create(data)\n",
            """        if data.discount > 0.9:  # no row of the tests has such a discount
            raise InvalidError("A discount cannot be above 90 %")
        if data.valid_until and data.valid_until <= data.valid_from:
            raise InvalidError("A coupon must be valid for a while")
        return await self._create(data)
""",
        ),
        (
            "        return await self._update(coupon_id, data, precondition)\n",
            """        if data.valid_until and data.valid_until.year < 2026:
            raise InvalidError("A coupon cannot end in the past")
        return await self._update(coupon_id, data, precondition)
""",
        ),
        ("import uuid\n", "import uuid\n\nfrom src.core.errors import InvalidError\n"),
    )
    edit(
        project,
        "tests/factories.py",
        (
            """            "valid_until": dt.datetime(2026, 1, 1, n % 24, tzinfo=dt.UTC),
        }
""",
            '''            "valid_until": dt.datetime(2027, 1, 1, n % 24, tzinfo=dt.UTC),
        }

    @classmethod
    def accepts(cls, key: str, value: Any) -> bool:
        """Return whether the service accepts a valid value in an update."""
        return key != "valid_until" or value is None or str(value) >= "2026"
''',
        ),
        ("import uuid\n", "import uuid\nfrom typing import Any\n"),
    )


def add_routes(project: Project) -> None:
    """Add routes to the router of tags, and a router with routes of its own."""
    edit(
        project,
        "src/api/routes/tags.py",
        (
            '@router.get(\n    "/{tag_id}",\n',
            '''@router.get("/count")
async def count_tags(service: deps.TagServiceDep):  # type: ignore[no-untyped-def]
    """Return how many tags there are."""
    return {"count": await service.repository.count()}


@router.get("/newest")
async def list_newest_tags(service: deps.TagServiceDep) -> list[Tag]:
    """Return a few tags."""
    return [Tag.model_validate(row) for row in await service.repository.list(0, 3)]


@router.get(
    "/{tag_id}",
''',
        ),
    )
    (project.path / "src/api/routes/shop.py").write_text(
        (OWN_FILES / "shop.py").read_text()
    )
    edit(
        project,
        "src/api/routes/__init__.py",
        ("    reviews,\n", "    reviews,\n    shop,\n"),
        ("    reviews.router,\n]", "    reviews.router,\n    shop.router,\n]"),
    )


def take_a_field_out_of_creates(project: Project) -> None:
    edit(project, "src/models/schemas.py", ("    sku: ProductSku\n", ""))


def set_the_field_in_the_service(project: Project) -> None:
    edit(
        project,
        "src/models/schemas.py",
        (
            "class ProductUpdate(",
            '''class NumberedProduct(ProductCreate):
    """A new product with its number."""

    sku: ProductSku


class ProductUpdate(''',
        ),
    )
    edit(
        project,
        "src/services/product.py",
        (
            "        return await self._create(data)\n",
            "        return await self._create(_numbered(data))\n",
        ),
        (
            "        return await self._create_all(ProductBatch, batch)\n",
            """        items = [_numbered(data) for data in batch.items]
        numbered = batch.model_copy(update={"items": items})
        return await self._create_all(ProductBatch, numbered)
""",
        ),
        (
            "\n\nclass ProductService(",
            """

def _numbered(data: ProductCreate) -> NumberedProduct:
    sku = uuid.uuid4().hex[:20].upper()
    return NumberedProduct(**dict(data), sku=sku)


class ProductService(""",
        ),
        ("    Product,\n", "    NumberedProduct,\n    Product,\n"),
    )
    edit(
        project,
        "tests/factories.py",
        (
            "    schema = schemas.ProductCreate\n",
            "    schema = schemas.ProductCreate\n"
            '    set_by_service = frozenset({"sku"})\n',
        ),
    )


def take_a_verb_out(project: Project) -> None:
    path = project.path / "src/api/routes/customers.py"
    text = path.read_text()
    start = text.index("@router.delete(")
    end = text.find("\n\n\n@router", start)
    path.write_text(text[:start] + (text[end + 3 :] if end > 0 else ""))


def fails(
    project: Project, *command: str, environment: Mapping[str, str] | None = None
) -> str:
    with pytest.raises(AssertionError) as caught:
        project.run(*command, environment=environment)
    return str(caught.value)


@pytest.mark.slow
@pytest.mark.xdist_group("ecommerce_api")
def test_the_suite_passes_after_edits_of_every_kind(shop: Project) -> None:
    add_settings(shop)
    append(shop, ".env.example", "# Key\nPAYMENT_KEY=a\n# Secret\nWEBHOOK_SECRET=b\n")
    add_rules(shop)
    add_routes(shop)
    take_a_field_out_of_creates(shop)
    set_the_field_in_the_service(shop)
    take_a_verb_out(shop)
    search = SEARCH.format(entity="entities.TagEntity", column="name")
    append(shop, "src/repositories/tag.py", search)
    own = {path: (OWN_FILES / Path(path).name).read_text() for path in OWN_TESTS}
    for path, text in own.items():
        (shop.path / path).write_text(text)
    for target in ("format", "openapi", "check"):
        shop.run("make", target)
    own = {path: (shop.path / path).read_text() for path in own}
    output = fails(shop, "make", "test")
    assert re.search(r"=+ \d+ passed, \d+ skipped", output), output
    assert not re.search(r"\d+ (failed|errors?)", output), output
    report = output.rpartition("Name  ")[2]
    assert re.findall(r"^src/\S+", report, re.MULTILINE) == ["src/repositories/tag.py"]
    edit(shop, "entities.json", ('"name": "Tag",', '"name": "Tag", "indexes": [],'))
    shop.run("make", "entities")
    assert own == {path: (shop.path / path).read_text() for path in own}


@pytest.mark.xdist_group("simple_task_api")
def test_a_query_without_a_test_fails_and_names_its_file(
    copied: Callable[[str], Project],
) -> None:
    tasks = copied("simple_task_api")
    search = SEARCH.format(entity="entities.TaskEntity", column="title")
    append(tasks, "src/repositories/task.py", search)
    # They cover the team's own code, and every route.
    options = {"PYTEST_ADDOPTS": "-k 'task or test_system' --cov-fail-under=0"}
    output = fails(tasks, "make", "test", environment=options)
    assert re.search(r"=+ \d+ passed, \d+ deselected in", output), output
    report = output.rpartition("Name  ")[2]
    assert re.findall(r"^src/\S+", report, re.MULTILINE) == ["src/repositories/task.py"]
    tasks.run("make", "test", "ARGS=tests/unit/test_config.py")


@pytest.mark.xdist_group("ecommerce_api")
def test_what_turns_red_says_what_to_do(shop: Project) -> None:
    take_a_field_out_of_creates(shop)
    arguments = "ARGS=-n 2 -q -k product"
    output = fails(shop, "make", "test", arguments)
    assert re.search(r"\b1 failed", output), output
    assert "ProductCreate lacks sku" in output
    assert "`set_by_service` of ProductFactory in tests/factories.py" in output
    add_settings(shop)
    append(shop, ".env.example", "PAYMENT_KEY=a\n# WEBHOOK_SECRET=\n")
    output = fails(shop, "make", "test")
    assert "give these settings a value there" in output
    assert "WEBHOOK_SECRET is required in production" in output
    assert "Traceback" not in output
