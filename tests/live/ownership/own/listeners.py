"""SQLAlchemy's events, as its documentation registers them."""

import os
from typing import Any

from sqlalchemy import Engine, Select, event
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria

from src.core.logging import get_logger
from src.models.entities import ProductEntity, TagEntity

logger = get_logger()
HIDDEN = "hidden%"


@event.listens_for(Engine, "before_cursor_execute")
def note_statement(_: Any, __: Any, statement: str, *___: Any) -> None:
    logger.info("before_cursor_execute", sql=statement)


@event.listens_for(Session, "after_begin")
def note_begin(session: Session, transaction: Any, connection: Any) -> None:
    logger.info("after_begin")


@event.listens_for(Session, "do_orm_execute")
def note_orm_execute(state: ORMExecuteState) -> None:
    logger.info("do_orm_execute", sql=str(state.statement))


@event.listens_for(Session, "before_flush")
def note_flush(session: Session, *_: Any) -> None:
    logger.info(
        "before_flush",
        new=len(session.new),
        dirty=len(session.dirty),
        deleted=len(session.deleted),
    )


@event.listens_for(ProductEntity, "before_insert")
def note_insert(_: Any, __: Any, product: ProductEntity) -> None:
    if product.name == "stamp":
        product.note = "inserted"


@event.listens_for(ProductEntity, "before_update")
def note_update(_: Any, __: Any, product: ProductEntity) -> None:
    if product.name == "stamp":
        product.note = "updated"


if "HIDE" in os.environ:

    @event.listens_for(Session, "do_orm_execute")
    def hide(state: ORMExecuteState) -> None:
        """Hide rows from every statement, as the documentation's soft delete does."""
        if not isinstance(state.statement, Select):
            return
        state.statement = state.statement.options(
            with_loader_criteria(ProductEntity, ProductEntity.name.not_like(HIDDEN)),
            with_loader_criteria(TagEntity, TagEntity.word.not_like(HIDDEN)),
        )
