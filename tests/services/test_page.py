"""The page at `/`, in a browser."""

import itertools
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect, sync_playwright

from bentoml_img.packaging import package
from bentoml_img.paths import ROOT, SHIPPED
from scripts.screenshot import chromium
from tests.services.live import CLASSIFIER, DETECTOR, JSON, Server, Service, serving
from tests.video.clips import write_clip, write_gif

PHOTO = ROOT / "images" / "dog.jpg"
PATIENCE = 60_000  # milliseconds
KEY = "сезам"
FAILED = {"status": "failed", "error": "no memory"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        if browser is None:
            give_up = pytest.fail if "CI" in os.environ else pytest.skip
            give_up("no Chromium: apt-get install chromium, or playwright install chromium")
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """The page, ready; it may ask nobody else for anything, break no policy, and have no errors."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    asked: list[str] = []
    errors: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: said.append(message.text))
    page.goto(server.url)
    expect(page.locator(".opblock").first).to_be_attached(timeout=PATIENCE)
    yield page
    page.close()
    outside = {urlsplit(url).netloc for url in asked if not url.startswith(("blob:", "data:"))}
    assert outside == {urlsplit(server.url).netloc}
    assert not errors
    assert not [text for text in said if "Content Security Policy" in text]


def choose(page: Page, path: Path) -> Locator:
    page.set_input_files("#drop input", path)
    return page.locator("figure")


def only(service: Service) -> pytest.MarkDecorator:
    """For what is the same code for all of them."""
    return pytest.mark.parametrize("service", [service], indirect=True, ids=lambda it: it.name)


def is_drawn(image: Locator) -> bool:
    width: int = image.evaluate("image => image.decode().then(() => image.naturalWidth)")
    return width > 1


def test_a_photo_shows_what_every_api_answers(service: Service, page: Page) -> None:
    figures = choose(page, PHOTO)
    expect(figures).to_have_count(1 + len(service.media_types))
    expect(page.locator("[aria-live] [aria-busy=false]")).to_have_count(
        len(service.media_types), timeout=PATIENCE
    )
    expect(page.locator("pre", has_text="curl")).to_have_count(
        len(service.media_types), timeout=PATIENCE
    )
    images = [kind for kind in service.media_types.values() if kind.startswith("image/")]
    expect(page.locator("figure img")).to_have_count(1 + len(images))
    assert all(is_drawn(image) for image in page.locator("figure img").all())
    for api, media_type in service.media_types.items():
        output = "" if media_type == JSON else f" -o answer.{media_type.removeprefix('image/')}"
        command = f"""curl -F 'image=@"dog.jpg"'{output} '{page.url}{api}'"""
        expect(page.get_by_text(command, exact=True)).to_be_visible()


@only(CLASSIFIER)
def test_forms_of_other_sites_are_refused(browser: Browser, server: Server) -> None:
    page = browser.new_page()
    form = """<form method="post" enctype="multipart/form-data" action="{}/predict">
      <input type="file" name="image"><button>Send</button></form>"""
    page.set_content(form.format(server.url))
    page.set_input_files("input", PHOTO)
    with page.expect_response(f"{server.url}/predict") as answer:
        page.click("button")
    assert answer.value.status == 403
    page.close()


@only(CLASSIFIER)
def test_a_photo_can_be_dropped(page: Page) -> None:
    photo = list(PHOTO.read_bytes())
    transfer = page.evaluate_handle(
        """bytes => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], "a.jpg", { type: "image/jpeg" }));
          return transfer;
        }""",
        photo,
    )
    assert page.evaluate(
        """() => {
          const over = new DragEvent("dragover", { bubbles: true, cancelable: true });
          return !document.body.dispatchEvent(over);
        }"""
    ), "the browser would open the photo instead"
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
    expect(page.locator("figcaption").first).to_have_text("a.jpg")
    expect(page.locator("figure pre").first).to_be_visible(timeout=PATIENCE)


@only(CLASSIFIER)
def test_a_refusal_is_told(service: Service, page: Page, tmp_path: Path) -> None:
    path = tmp_path / "notes.jpg"
    path.write_text("no picture")
    choose(page, path)
    errors = page.locator("figure .error")
    expect(errors).to_have_count(len(service.media_types), timeout=PATIENCE)
    expect(errors.first).to_contain_text("415 not a picture in a format that is read here")


def test_answers_in_json_can_be_read(service: Service, page: Page) -> None:
    choose(page, PHOTO)
    answers = page.locator("figure:not(:has(img)) pre:first-of-type")
    expect(answers).to_have_count(list(service.media_types.values()).count(JSON), timeout=PATIENCE)
    for answer in answers.all_inner_texts():
        assert json.loads(answer)
        assert '"dog"' in answer


@only(CLASSIFIER)
def test_the_apis_are_described(service: Service, page: Page) -> None:
    expect(page.locator(".opblock").first).not_to_be_visible()
    page.locator("summary").click()
    for api in service.media_types:
        expect(page.locator(".opblock", has_text=f"/{api}").first).to_be_visible()


@only(DETECTOR)
class TestVideo:
    def test_a_long_name_fits_a_phone(self, page: Page) -> None:
        page.set_viewport_size({"width": 320, "height": 640})
        assert page.evaluate("document.documentElement.scrollWidth") == 320

    def test_an_animation_shows_its_result_and_what_was_counted(
        self, page: Page, tmp_path: Path
    ) -> None:
        choose(page, write_gif(tmp_path / "a clip.gif", [100, 100, 100]))
        links = page.locator("figure a")
        ends = (".gif", ".summary.json", ".events.csv", ".tracks.jsonl")
        expect(links).to_have_text([f"a_clip_result{end}" for end in ends], timeout=PATIENCE)
        assert is_drawn(page.locator("figure img"))
        with page.expect_download() as download:
            links.nth(2).click()
        assert download.value.suggested_filename == "a_clip_result.events.csv"
        assert download.value.path().read_text().startswith("frame,")

    def test_a_video_can_be_played(self, page: Page, tmp_path: Path) -> None:
        choose(page, write_clip(tmp_path / "clip.mkv", 3))
        link = page.locator("figure a").first
        expect(link).to_have_text("clip_result.mp4", timeout=PATIENCE)
        expect(page.locator("figure video")).to_have_attribute("src", re.compile("^blob:"))

    def test_what_is_no_photo_by_its_type_is_tried_as_a_video(
        self, page: Page, tmp_path: Path
    ) -> None:
        choose(page, write_clip(tmp_path / "clip.mkv", 3).rename(tmp_path / "clip"))
        expect(page.locator("figure a").first).to_have_text("clip_result.mp4", timeout=PATIENCE)
        path = tmp_path / "notes.txt"
        path.write_text("no video")
        choose(page, path)
        expect(page.get_by_role("alert")).to_contain_text("415", timeout=PATIENCE)

    def test_it_can_be_stopped(self, page: Page, tmp_path: Path) -> None:
        choose(page, write_gif(tmp_path / "clip.gif", [100] * 500))
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("figure p")).to_have_text("stopped", timeout=PATIENCE)
        expect(page.get_by_role("button", name="Go on")).to_be_focused()
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("figure p")).to_have_text("stopped", timeout=PATIENCE)

    def test_a_failure_is_told_and_what_cannot_go_on_says_so(
        self, page: Page, tmp_path: Path
    ) -> None:
        page.route("**/status?*", lambda route: route.fulfill(json=FAILED))
        choose(page, write_gif(tmp_path / "clip.gif", [100]))
        expect(page.get_by_role("alert")).to_have_text("no memory", timeout=PATIENCE)
        page.route("**/retry?*", lambda route: route.fulfill(status=503, json={"error": "full"}))
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("alert")).to_have_text("503 full")
        page.unroute("**/retry?*")
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("alert")).to_have_text(re.compile("409 task .* is "))
        expect(page.get_by_role("button", name="Go on")).to_have_count(0)

    def test_another_file_stops_it(self, page: Page, server: Server, tmp_path: Path) -> None:
        choose(page, write_gif(tmp_path / "clip.gif", [100] * 500))
        task = page.locator("pre", has_text="task ").inner_text().removeprefix("task ")
        choose(page, PHOTO)
        expect(page.locator("figure pre").first).to_be_visible(timeout=PATIENCE)
        for _ in range(PATIENCE // 100):
            status = httpx.get(f"{server.url}/annotate_video/status?task_id={task}").json()
            if status["status"] == "canceled":
                break
            time.sleep(0.1)
        assert status["status"] == "canceled"

    def test_a_status_that_fails_for_now_is_asked_for_again(
        self, page: Page, tmp_path: Path
    ) -> None:
        answers = itertools.chain([502, None, 503], itertools.repeat(0))

        def route(route: Route) -> None:
            match next(answers):
                case None:
                    route.abort()
                case 0:
                    route.continue_()
                case status:
                    route.fulfill(status=status)

        page.route("**/status?*", route)
        choose(page, write_gif(tmp_path / "clip.gif", [100]))
        expect(page.locator("figure a").first).to_be_visible(timeout=PATIENCE)


def test_the_key_is_asked_for_and_sent(browser: Browser, tmp_path: Path) -> None:
    package(SHIPPED / CLASSIFIER.model)
    with serving(CLASSIFIER, tmp_path, BENTOML_IMG_API_KEY=KEY) as server:
        page = browser.new_page()
        keys = iter(["wrong", KEY])
        page.on("dialog", lambda dialog: dialog.accept(next(keys)))
        page.goto(server.url)
        expect(page.locator("h1")).to_have_text(CLASSIFIER.name, timeout=PATIENCE)
        assert next(keys, None) is None
        choose(page, PHOTO)
        command = page.locator("pre", has_text="curl -H 'X-API-Key: KEY' -F").first
        expect(command).to_be_visible(timeout=PATIENCE)
        page.close()
