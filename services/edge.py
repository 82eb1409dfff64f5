"""The edge: what stands between HTTP and a service's image APIs.

A BentoML API takes a form or a raw body, not both; has no size limit; and
answers 500 to many a damaged upload. This ASGI middleware takes over the POST
requests to the APIs that have an image field: it bounds the body, reads either
form, opens the picture, validates the parameters with the API's own input
model, calls the API and renders its answer. All else passes through.
"""

import asyncio
import hmac
import io
import logging
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

import bentoml
from bentoml.exceptions import BentoMLConfigException
from PIL import Image
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bentoml_img.images import ImageError, open_image
from services.body import Body, ClientDisconnected, TooLarge, answer
from services.budget import Budget
from services.decoding import INLINE_BYTES
from services.endpoints import Endpoint, image_endpoints
from services.errors import RequestRefused, refuse_image, wrong_method
from services.fields import Fields
from services.page import is_page, page
from services.paths import HEALTH
from services.ranges import without_odd_ranges
from services.settings import MAX_UPLOAD_VARIABLE, Settings
from services.sites import is_for_another_site
from services.uploads import Upload

logger = logging.getLogger("bentoml_img.edge")

PLAIN = (400, 404, 405, 416)  # what the routes behind answer in plain text
KEPT = ("allow", "content-range")  # headers that belong to such an answer
UPLOAD_SECONDS = 60  # for a picture: what has come until then is in memory
COMMAND_LINE = "bentoml_run"  # the extension of ASGI by which `bentoml run` says who asks


def guard(service: Any, *inner: Callable[[ASGIApp, Any], ASGIApp]) -> None:
    """Put the edge in front of a BentoML service, and the page of its APIs at `/`.

    What `inner` middleware makes of the application and the service stands right
    behind the edge, and may raise RequestRefused and ClientDisconnected.
    BentoMLConfigException if the service has a path_prefix: the edge, the image's
    health check and what we print know the APIs without one.
    """
    if service.path_prefix:
        raise BentoMLConfigException(
            f"{service.name} has the path_prefix {service.path_prefix!r}, under which its pictures "
            "would be taken unguarded: leave it out, and let a proxy add it"
        )
    service.mount_asgi_app(page)
    service.add_asgi_middleware(Edge, service=service, inner=inner)


class Edge:
    """The middleware; `guard` adds it to a service.

    BentoML puts its CORS middleware, where `http.cors` is enabled, behind all
    others. It changes places with this one: the browser's question before a
    request carries no key, and answers from here need its headers, too.
    """

    def __init__(
        self, app: ASGIApp, service: Any, inner: Sequence[Callable[[ASGIApp, Any], ASGIApp]] = ()
    ) -> None:
        self.cors: CORSMiddleware | None = None
        if isinstance(app, CORSMiddleware):
            self.cors, app = app, app.app
            self.cors.app = self._respond
        for middleware in inner:
            app = middleware(app, service)
        self.app = app
        self.settings = Settings.from_environment()
        self.endpoints = image_endpoints(service)
        self.budget = Budget(self.settings.max_upload_in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = (self.cors or self._respond) if scope["type"] == "http" else self.app
        await app(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        endpoint = self.endpoints.get(scope["path"])
        limit = self.settings.max_upload if endpoint else self.settings.max_video
        body = Body(receive)
        try:
            if COMMAND_LINE not in scope.get("extensions", ()):
                self._check_site(scope["method"], headers)
                self._authenticate(scope["path"], headers)
            if not scope["path"].isprintable():
                # The routes behind match a line feed at the end, too: a way around the edge.
                raise RequestRefused(HTTPStatus.NOT_FOUND, "not found")
            if endpoint is None:
                sender = _JsonErrors(send)
                await self.app(without_odd_ranges(scope), body, sender)
                if sender.refusal:
                    raise sender.refusal
                return
            if scope["method"] != "POST":
                raise wrong_method(scope["path"], "POST")
            response = await self._call(endpoint, Request(scope, body))
        except RequestRefused as refused:
            response = refused.response()
        except ClientDisconnected:
            # Nobody reads it; but until an answer begins BentoML counts the request as in progress.
            response = Response(status_code=HTTPStatus.BAD_REQUEST)
        except Exception:
            logger.exception("unexpected error in %s", scope["path"])
            response = RequestRefused(
                HTTPStatus.INTERNAL_SERVER_ERROR, "an unexpected error, see the server's log"
            ).response()
        await answer(response, scope, body, send, 2 * limit)

    def _check_site(self, method: str, headers: Headers) -> None:
        if not is_for_another_site(method, headers):
            return
        if self.cors is None or not self.cors.is_allowed_origin(headers.get("origin", "")):
            raise RequestRefused(
                HTTPStatus.FORBIDDEN, "pages of other sites may not ask for work here"
            )

    def _authenticate(self, path: str, headers: Headers) -> None:
        key = self.settings.api_key
        if key is None or path in HEALTH or is_page(path):
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = headers.get("x-api-key") or (token.lstrip() if scheme.lower() == "bearer" else "")
        if not hmac.compare_digest(given.encode("latin-1"), key.encode()):  # as headers are read
            raise RequestRefused(
                HTTPStatus.UNAUTHORIZED,
                "missing or wrong API key: send it as 'Authorization: Bearer KEY'",
                headers={"WWW-Authenticate": "Bearer"},
            )

    async def _call(self, endpoint: Endpoint, request: Request) -> Response:
        fields = endpoint.fields
        with self.budget.share() as take:
            values = await self._read_values(fields, request, take)
            values[fields.file] = await self._open(values[fields.file], fields.file)
            arguments = fields.validate(values)
            try:
                result = await endpoint.function(bentoml.get_current_service(), **arguments)
            except ImageError as error:
                raise refuse_image(error, fields.file) from None
        return endpoint.render(result)

    async def _read_values(
        self, fields: Fields, request: Request, take: Callable[[int], None]
    ) -> dict[str, Any]:
        """The values as sent; of a form nothing else is kept, as an answer may take long."""
        limit = self.settings.max_upload
        upload = Upload(request, fields.file)
        spool = io.BytesIO()  # it gives its bytes away without a copy
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                parts = await upload.receive(spool, limit, MAX_UPLOAD_VARIABLE, take)
        except TimeoutError:
            raise RequestRefused(
                HTTPStatus.REQUEST_TIMEOUT,
                f"the upload took longer than {UPLOAD_SECONDS} seconds",
                headers={"Connection": "close"},
            ) from None
        return fields.values(parts, request.scope["query_string"], spool.getvalue())

    async def _open(self, upload: bytes, field: str) -> Image.Image:
        if len(upload) > self.settings.max_upload:
            raise TooLarge(self.settings.max_upload, MAX_UPLOAD_VARIABLE)
        try:
            if len(upload) <= INLINE_BYTES:
                return open_image(upload, self.settings.max_pixels)
            return await asyncio.to_thread(open_image, upload, self.settings.max_pixels)
        except ImageError as error:
            raise refuse_image(error, field) from None


class _JsonErrors:
    """ASGI's `send` for the routes behind; a plain-text error of theirs stays here, a `refusal`."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.refusal: RequestRefused | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] in PLAIN:
            headers = Headers(raw=message["headers"])
            if headers.get("content-type", "").startswith("text/plain"):
                status = HTTPStatus(message["status"])
                kept = {name: headers[name] for name in KEPT if name in headers}
                self.refusal = RequestRefused(status, status.phrase.lower(), headers=kept)
        if self.refusal is None:
            await self._send(message)
