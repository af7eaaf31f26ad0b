"""The metrics for Prometheus."""

from fastapi import APIRouter, Request, Response

from src.core import metrics

router = APIRouter(prefix="/metrics", tags=["metrics"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def get_metrics(request: Request) -> Response:
    """Return the metrics; in a thread, because many series take long to render."""
    metrics.sample_pools(request.app.state.engines.items())
    page, content_type = metrics.render()
    return Response(page, media_type=content_type)
