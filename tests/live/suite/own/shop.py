"""A router that belongs to no entity."""

import fastapi
import pydantic

router = fastapi.APIRouter(prefix="/api/v1/shop", tags=["shop"])


class Opening(pydantic.BaseModel):
    """When the shop opens."""

    hour: int


@router.get("/opening")
async def get_opening() -> Opening:
    """Return when the shop opens."""
    return Opening(hour=9)


@router.get("/motto", response_model=None)
async def get_motto() -> dict[str, str]:
    """Return an answer without a shape."""
    return {"motto": "Everything must go"}
