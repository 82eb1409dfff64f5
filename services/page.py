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

# Where the server has a key, the page asks for it, and sends it with each request.
SCRIPT = """
async function describe(headers) {
  const answer = await fetch("docs.json", { headers });
  if (answer.ok) return [await answer.json(), headers];
  const key = answer.status === 401 && prompt("The server's API key");
  if (!key) throw new Error(`docs.json: ${answer.status}`);
  return describe({ Authorization: `Bearer ${key}` });
}

describe({}).then(([spec, headers]) => {
  document.title = spec.info.title;
  SwaggerUIBundle({
    dom_id: "#page", spec, deepLinking: true, validatorUrl: null,
    requestInterceptor: request => ({ ...request, headers: { ...request.headers, ...headers } }),
  });
}).catch(error => { document.getElementById("page").textContent = error.message; });
"""

# Swagger UI sets styles on elements and draws its icons from data: URLs.
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"


async def show(request: Request) -> Response:
    return HTMLResponse(HTML, headers={"Content-Security-Policy": POLICY})


async def script(request: Request) -> Response:
    return Response(SCRIPT, media_type="text/javascript")


def is_page(path: str) -> bool:
    """Whether a path is of the page itself, which says nothing about the service."""
    return path in ("/", "/page.js") or path.startswith("/static_content/")


page = Starlette(routes=[Route("/", show), Route("/page.js", script)])
