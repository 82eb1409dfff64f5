"""Write a picture of a service's page, with its answers to a photo.

The service is to be at URL. This needs Chromium.
"""

import shutil
from pathlib import Path

import click
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from bentoml_img.cli.options import FILE, NEW_FILE

WINDOW = 1280, 720  # pixels
SANDBOX = "--no-sandbox"  # which root cannot have, and which pages of ours do not need


def chromium(playwright: Playwright) -> Browser | None:
    """That of the system, or else Playwright's own; None if there is neither."""
    own = playwright.chromium.executable_path
    found = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which(own)
    return playwright.chromium.launch(executable_path=found, args=[SANDBOX]) if found else None


@click.command(help=__doc__)
@click.argument("url")
@click.argument("photo", type=FILE)
@click.argument("target", type=NEW_FILE)
def main(url: str, photo: Path, target: Path) -> None:
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        if browser is None:
            raise click.ClickException(
                "no Chromium: apt-get install chromium, or playwright install chromium"
            )
        page = browser.new_page(viewport={"width": WINDOW[0], "height": WINDOW[1]})
        page.goto(url)
        page.locator(".opblock").first.wait_for(state="attached")
        page.set_input_files("#drop input", photo)
        expect(page.locator("figure:has(pre)")).to_have_count(page.locator("figure").count() - 1)
        page.screenshot(path=target, type="jpeg", quality=85)
        browser.close()


if __name__ == "__main__":
    main()
