"""Routes as FastAPI's tutorial writes them, for any router."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import (
    APIRouter,
    BackgroundTasks,
    Cookie,
    Depends,
    Form,
    Header,
    HTTPException,
    UploadFile,
    WebSocket,
)
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse
from pydantic import BaseModel
from sqlalchemy import func, select

from src.api.dependencies import SessionDep
from src.core.database import transaction
from src.core.logging import get_logger
from src.models.entities import ProductEntity
from src.models.schemas import ProductCreate, TagCreate

logger = get_logger()


class Contact(BaseModel):
    name: str
    age: int


class Tick(BaseModel):
    number: int


async def get_greeting() -> str:
    return "hello"


def get_resource() -> Iterator[str]:
    logger.info("resource_opened")
    try:
        yield "resource"
    except HTTPException as error:
        logger.info("resource_failed", status=error.status_code)
        raise
    finally:
        logger.info("resource_closed")


async def store_later(name: str) -> None:
    async with transaction() as db:
        db.add(ProductEntity(name=name))
    logger.info("stored_later")


async def count_ticks(seconds: float) -> AsyncIterator[int]:
    for number in range(round(seconds * 10)):
        yield number
        await asyncio.sleep(0.1)


def add_routes(router: APIRouter) -> None:
    _add_bodies(router)
    _add_inputs(router)
    _add_outputs(router)


def _add_bodies(router: APIRouter) -> None:
    @router.post("/try/one")
    async def take_one(data: ProductCreate) -> ProductCreate:
        return data

    @router.post("/try/list")
    async def take_list(data: list[ProductCreate]) -> list[str]:
        return [item.name for item in data]

    @router.post("/try/two")
    async def take_two(product: ProductCreate, tag: TagCreate) -> list[str]:
        return [product.name, tag.word]

    @router.post("/try/form")
    async def take_form(
        name: Annotated[str, Form()], age: Annotated[int, Form()]
    ) -> str:
        return f"{name} is {age}"

    @router.post("/try/form-model")
    async def take_form_model(contact: Annotated[Contact, Form()]) -> Contact:
        return contact

    @router.post("/try/upload")
    async def take_upload(file: UploadFile, title: Annotated[str, Form()]) -> str:
        content = await file.read()
        return f"{title}: {file.filename}, {len(content)} bytes of {file.content_type}"


def _add_inputs(router: APIRouter) -> None:
    @router.get("/try/headers")
    async def take_header_and_cookie(
        x_tenant: Annotated[str, Header()], session: Annotated[str, Cookie()]
    ) -> list[str]:
        return [x_tenant, session]

    @router.get("/try/def")
    def run_in_a_thread() -> bool:
        logger.info("in_a_thread")
        return threading.current_thread() is threading.main_thread()

    @router.get("/try/yield")
    async def use_resource(
        resource: Annotated[str, Depends(get_resource)], fail: bool = False
    ) -> str:
        if fail:
            raise HTTPException(418)
        return resource

    @router.get("/try/override")
    async def greet(greeting: Annotated[str, Depends(get_greeting)]) -> str:
        return greeting

    @router.websocket("/try/ws")
    async def talk(socket: WebSocket, db: SessionDep) -> None:
        await socket.accept()
        said = await socket.receive_text()
        count = await db.scalar(select(func.count()).select_from(ProductEntity))
        await socket.send_json({"said": said, "products": count})
        await socket.close()


def _add_outputs(router: APIRouter) -> None:
    @router.post("/try/background")
    async def answer_first(tasks: BackgroundTasks, name: str) -> str:
        tasks.add_task(store_later, name)
        return "accepted"

    @router.get("/try/stream")
    async def stream(seconds: float) -> StreamingResponse:
        lines = (f"{number}\n" async for number in count_ticks(seconds))
        return StreamingResponse(lines, media_type="text/plain")

    @router.get("/try/events", response_class=EventSourceResponse)
    async def send_events(seconds: float) -> AsyncIterator[Tick]:
        async for number in count_ticks(seconds):
            yield Tick(number=number)

    @router.get("/try/crash")
    async def crash() -> None:
        raise ValueError("a bug of a person")
