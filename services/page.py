"""The service's page at `/`: its APIs, to read and to try.

BentoML's own page loads a third party's script. This one shows the same
Swagger UI, which BentoML ships, and forbids the browser to load anything else.
"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

HTML = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>API</title>
<link rel="stylesheet" href="static_content/swagger-ui.css">
<link rel="icon" href="static_content/favicon-light-32x32.png">
</head>
<body>
<div id="page"></div>
<script src="static_content/swagger-ui-bundle.js"></script>
<script src="page.js"></script>
</body>
</html>
"""

SCRIPT = """
fetch("docs.json").then(answer => answer.json()).then(spec => {
  document.title = spec.info.title;
  SwaggerUIBundle({ dom_id: "#page", spec, deepLinking: true, validatorUrl: null });
});
"""

# Swagger UI sets styles on elements and draws its icons from data: URLs.
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"


async def show(request: Request) -> Response:
    return HTMLResponse(HTML, headers={"Content-Security-Policy": POLICY})


async def script(request: Request) -> Response:
    return Response(SCRIPT, media_type="text/javascript")


page = Starlette(routes=[Route("/", show), Route("/page.js", script)])
