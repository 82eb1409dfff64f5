"""Who may ask: keys, and pages of other sites."""

from typing import Any, ClassVar

import bentoml
import httpx
import pytest
from _bentoml_impl.server.app import ServiceAppFactory
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse

from bentoml_run.asgi import EXTENSIONS
from services.edge import Edge
from services.paths import HEALTH
from tests.samples import jpeg
from tests.services.asgi import exchange, run
from tests.services.echo import Echo
from tests.services.edges import (
    chunks,
    client_of,
    new_edge,
    post,
    refused_while_it_sends,
    send,
    status,
)


@pytest.fixture(autouse=True)
def instance(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the edge calls where it stands without BentoML's own application."""
    monkeypatch.setattr(bentoml, "get_current_service", Echo)


class TestKey:
    @pytest.fixture(autouse=True)
    def key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BENTOML_IMG_API_KEY", "open sesame")

    @pytest.mark.parametrize(
        "headers",
        [
            {"Authorization": "Bearer open sesame"},
            {"Authorization": "bearer open sesame"},
            {"Authorization": "Bearer   open sesame"},
            {"X-API-Key": "open sesame"},
        ],
    )
    def test_the_right_key_opens(self, headers: dict[str, str]) -> None:
        assert post("/describe", content=jpeg(), headers=headers).status_code == 200
        assert send("GET", "/metrics", headers=headers).status_code == 200

    def test_a_key_may_be_in_any_script(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BENTOML_IMG_API_KEY", "сезам")
        headers = {"Authorization": "Bearer сезам".encode()}
        assert post("/describe", content=jpeg(), headers=headers).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Authorization": "Bearer open"},
            {"Authorization": "Basic open sesame"},
            {"Authorization": "open sesame"},
            {"X-API-Key": ""},
            {"X-API-Key": b"\xff\xfe"},
        ],
    )
    @pytest.mark.parametrize("path", ["/describe", "/say", "/docs.json", "/metrics", "/nothing"])
    def test_nothing_opens_without_it(self, path: str, headers: dict[str, Any]) -> None:
        answer = post(path, content=jpeg(), headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert "open sesame" not in answer.text

    def test_a_wrong_key_is_refused_before_the_body_is_read(self) -> None:
        assert refused_while_it_sends(chunks(b"", jpeg()), 401) == (2, [0, 0, 2])

    def test_the_command_line_needs_none(self) -> None:
        async def ask(*extensions: str) -> int:
            async def app(scope: Any, receive: Any, send: Any) -> None:
                extended = {**scope, "extensions": {name: {} for name in extensions}}
                await new_edge()(extended, receive, send)

            return status(await exchange(app, "/describe", chunks(jpeg())))

        async def main() -> None:
            assert await ask("http.response.trailers") == 401
            assert await ask("http.response.trailers", *EXTENSIONS) == 200

        run(main())

    @pytest.mark.parametrize(
        "path", [*HEALTH, "/", "/page.css", "/page.js", "/static_content/a.css"]
    )
    def test_health_and_the_page_need_no_key(self, path: str) -> None:
        assert send("GET", path).status_code == 200


class TestOtherSites:
    """What a browser sends for a page of another site, without asking its reader."""

    @pytest.mark.parametrize("path", ["/describe", "/say", "/nothing"])
    @pytest.mark.parametrize("site", ["cross-site", "same-site", "?"])
    def test_they_may_not_ask_for_work(self, path: str, site: str) -> None:
        headers = {"Sec-Fetch-Site": site, "Origin": "https://b.test"}
        answer = post(path, content=jpeg(), headers=headers)
        assert answer.status_code == 403
        assert answer.json() == {"error": "pages of other sites may not ask for work here"}

    @pytest.mark.parametrize("site", ["same-origin", "none"])
    def test_its_own_page_and_its_reader_may(self, site: str) -> None:
        headers = {"Sec-Fetch-Site": site, "Origin": "http://edge"}
        assert post("/describe", content=jpeg(), headers=headers).status_code == 200

    @pytest.mark.parametrize("path", ["/", "/livez", "/docs.json"])
    def test_they_may_link_to_it(self, path: str) -> None:
        assert send("GET", path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200

    def test_they_are_refused_before_the_body_is_read(self) -> None:
        sent = chunks(b"", jpeg())
        assert refused_while_it_sends(sent, 403, sec_fetch_site="cross-site") == (2, [0, 0, 2])


class TestCors:
    """BentoML's middleware, made from `http.cors`, is what the edge is put before."""

    preflight: ClassVar = {
        "Origin": "https://a.test",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "Authorization",
    }
    options: ClassVar[dict[str, Any]] = {
        "allow_origins": ["https://a.test"],
        "allow_methods": ["POST"],
        "allow_headers": ["Authorization"],
    }

    def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        behind = CORSMiddleware(PlainTextResponse("behind the edge"), **self.options)
        return send(method, path, Edge(behind, service=Echo), **request)

    @pytest.mark.parametrize("path", ["/describe", "/say"])
    def test_a_browser_may_ask_without_a_key(
        self, path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BENTOML_IMG_API_KEY", "open sesame")
        answer = self.send("OPTIONS", path, headers=self.preflight)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://a.test"
        assert answer.headers["access-control-allow-methods"] == "POST"
        other = {**self.preflight, "Origin": "https://b.test"}
        assert self.send("OPTIONS", path, headers=other).status_code == 400

    @pytest.mark.parametrize(
        ("path", "status"), [("/describe", 200), ("/crash", 500), ("/wait?x=1", 400), ("/say", 200)]
    )
    def test_every_answer_says_who_may_read_it(self, path: str, status: int) -> None:
        answer = self.send("POST", path, content=jpeg(), headers={"Origin": "https://a.test"})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == "https://a.test"

    @pytest.mark.parametrize(("site", "status"), [("https://a.test", 200), ("https://b.test", 403)])
    def test_who_may_read_answers_may_ask_for_them(self, site: str, status: int) -> None:
        headers = {"Origin": site, "Sec-Fetch-Site": "cross-site"}
        answer = self.send("POST", "/describe", content=jpeg(), headers=headers)
        assert answer.status_code == status

    def test_without_it_no_answer_does(self) -> None:
        for method in ("OPTIONS", "POST"):
            answer = send(method, "/describe", content=jpeg(), headers=self.preflight)
            assert answer.status_code == (200 if method == "POST" else 405)
            assert not [name for name in answer.headers if name.startswith("access-control")]

    def test_bentoml_puts_it_where_the_edge_finds_it(self) -> None:
        async def main() -> None:
            service: Any = Echo
            service.inject_config()
            app = ServiceAppFactory(
                service, enable_access_control=True, access_control_options=self.options
            )()
            async with client_of(app) as client:
                answer = await client.options("/describe", headers=self.preflight)
                assert (answer.status_code, answer.text) == (200, "OK")

        run(main())
