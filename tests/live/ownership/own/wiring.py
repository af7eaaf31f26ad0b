"""What a person adds to `create_app()`."""

from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from src.api.dependencies import SessionDep
from src.api.http import StrictJSONRoute
from src.models.entities import ProductEntity
from src.own import listeners, orm, sessions, tracking
from src.own.failing import note_place
from src.own.routes import add_routes, get_greeting
from src.repositories.product import ProductRepository

__all__ = ["extend", "listeners"]


class OwnMiddleware(BaseHTTPMiddleware):
    async def dispatch(
        self, request: Request, call_next: RequestResponseEndpoint
    ) -> Response:
        response = await call_next(request)
        response.headers["X-Own"] = request.method
        return response


def extend(app: FastAPI) -> None:
    """Add routers, middlewares, a mounted application and an override."""
    tracking.start_tracker()
    for prefix, route_class in {"/strict": StrictJSONRoute, "/plain": None}.items():
        options = {"route_class": route_class} if route_class else {}
        router = APIRouter(prefix=prefix, **options)
        add_routes(router)
        app.include_router(router)
    app.include_router(orm.router, dependencies=[Depends(note_place)])
    app.include_router(sessions.router)
    app.mount("/mounted", mounted())
    app.add_middleware(OwnMiddleware)
    app.add_middleware(CORSMiddleware, allow_origins=["https://own.example"])
    app.dependency_overrides[get_greeting] = lambda: "overridden"
    tracking.start_tracer(app)


def mounted() -> FastAPI:
    sub = FastAPI()

    @sub.get("/count")
    async def count(db: SessionDep) -> int:
        return await ProductRepository(db).count()

    @sub.post("/products")
    async def create(db: SessionDep, name: str, fail: bool = False) -> str:
        product = ProductEntity(name=name)
        db.add(product)
        await db.flush()
        if fail:
            raise ValueError("a bug in a mounted application")
        return str(product.id)

    return sub
