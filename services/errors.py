"""What a request can be refused for: one exception, one JSON shape."""

from http import HTTPStatus

from starlette.responses import JSONResponse, Response

from bentoml_img.images import DamagedImage, ImageError, ImageTooLarge, UnsupportedImage


class RequestRefused(Exception):
    """Answered with `status` and `{"error": message, "field": field}`, without a field of None."""

    def __init__(
        self,
        status: HTTPStatus,
        message: str,
        field: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.field = field
        self.headers = headers

    def response(self) -> Response:
        body = {"error": self.message} | ({"field": self.field} if self.field else {})
        return JSONResponse(body, self.status, self.headers)


class Overloaded(RequestRefused):
    """More work is waiting than the server is willing to hold: 503, try again."""

    def __init__(self) -> None:
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "the server is busy, try again in a second",
            headers={"Retry-After": "1"},
        )


def wrong_method(path: str, allowed: str) -> RequestRefused:
    """The refusal of another method than the one that a path takes."""
    return RequestRefused(
        HTTPStatus.METHOD_NOT_ALLOWED, f"{path} takes {allowed}", headers={"Allow": allowed}
    )


def not_uploaded(field: str) -> RequestRefused:
    """The refusal of what is sent in place of the file that a field takes."""
    return RequestRefused(
        HTTPStatus.BAD_REQUEST,
        f"{field} must be an uploaded file; text and URLs are not fetched",
        field,
    )


IMAGE_STATUS = {
    DamagedImage: HTTPStatus.BAD_REQUEST,
    ImageTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedImage: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}


def refuse_image(error: ImageError, field: str) -> RequestRefused:
    """The refusal that an unusable picture in `field` deserves."""
    return RequestRefused(IMAGE_STATUS[type(error)], str(error), field)
