"""Swagger UI at /docs and ReDoc at /redoc, without a CDN and inline scripts; also /.

The scripts come from the package fastapi-standalone-docs. FastAPI's own pages load them
from a CDN and need inline scripts, so the pages are defined here.
"""

import secrets
from html import escape
from importlib.resources import files
from pathlib import Path

import orjson
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse, HTMLResponse

from src.core.routing import route_path

router = APIRouter(include_in_schema=False)

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="{root}/docs/favicon.png">
<link rel="stylesheet" href="{root}{ui}/page.css">
<script src="{root}{ui}/start.js" nonce="{nonce}"></script>
<script src="{root}{ui}/bundle.js" defer></script>
</head>
<body>
<div id="docs" data-document="{root}/openapi.json"></div>
</body>
</html>
"""

START_SWAGGER = """\
addEventListener("DOMContentLoaded", () => {
  const page = document.getElementById("docs");
  SwaggerUIBundle({
    url: page.dataset.document,
    domNode: page,
    deepLinking: true,
    validatorUrl: null,
  });
});
"""

# ReDoc creates style elements. The content security policy allows only those with the
# page's nonce.
START_REDOC = """\
const { nonce } = document.currentScript;
const create = document.createElement.bind(document);
document.createElement = (name, options) => {
  const element = create(name, options);
  if (name === "style") element.setAttribute("nonce", nonce);
  return element;
};
addEventListener("DOMContentLoaded", () => {
  const page = document.getElementById("docs");
  Redoc.init(page.dataset.document, {}, page);
});
"""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; "
    "img-src 'self' data:; connect-src 'self'; worker-src blob:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

ASSETS = Path(str(files("fastapi_standalone_docs"))) / "static"
FILES = {
    "/docs/favicon.png": ASSETS / "fastapi/favicon.png",
    "/docs/page.css": ASSETS / "swagger/swagger-ui.css",
    "/docs/bundle.js": ASSETS / "swagger/swagger-ui-bundle.js",
    "/redoc/bundle.js": ASSETS / "redoc/redoc.standalone.js",
    "/redoc/logo-mini.svg": ASSETS / "redoc/logo-mini.svg",
}
TEXTS = {
    "/docs/start.js": (START_SWAGGER, "text/javascript"),
    "/redoc/start.js": (START_REDOC, "text/javascript"),
    "/redoc/page.css": ("body { margin: 0 }", "text/css"),
}


@router.get("/")
async def get_root(request: Request) -> dict[str, str]:
    """Return the name of the service, and where its documentation is."""
    root = request.scope.get("root_path", "")
    return {
        "service": request.app.title,
        "version": request.app.version,
        "docs": f"{root}/docs",
        "openapi": f"{root}/openapi.json",
    }


@router.get("/docs")
async def show_swagger(request: Request) -> HTMLResponse:
    """Show the API in Swagger UI, ready to be tried out."""
    return _page(request, "/docs")


@router.get("/redoc")
async def show_redoc(request: Request) -> HTMLResponse:
    """Show the API in ReDoc, ready to be read."""
    return _page(request, "/redoc")


@router.get("/openapi.json")
def get_openapi(request: Request) -> Response:
    """Return the OpenAPI document; in a thread, because it can take seconds."""
    document = request.app.openapi()
    root = request.scope.get("root_path")
    if root and not request.app.state.settings.servers:
        document = {**document, "servers": [{"url": root}]}
    return Response(orjson.dumps(document), media_type="application/json")


@router.get("/docs/{name}")
@router.get("/redoc/{name}")
async def get_file(request: Request) -> Response:
    """Return a script, style sheet or image of the pages."""
    path = route_path(request.scope)
    headers = {"Cache-Control": "public, max-age=3600"}
    if path in FILES:
        return FileResponse(FILES[path], headers=headers)
    if path not in TEXTS:
        raise HTTPException(404)
    text, media_type = TEXTS[path]
    return Response(text, media_type=media_type, headers=headers)


def _page(request: Request, ui: str) -> HTMLResponse:
    nonce = secrets.token_urlsafe(16)
    root = escape(request.scope.get("root_path", ""))
    title = escape(request.app.title)
    return HTMLResponse(
        PAGE.format(title=title, root=root, ui=ui, nonce=nonce),
        headers={"Content-Security-Policy": POLICY.format(nonce=nonce)},
    )
