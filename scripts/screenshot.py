"""A picture of a service's page, with its answers to a photo.

`python -m scripts.screenshot URL PHOTO TARGET`, with the service at URL; it needs
Chromium.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

WINDOW = 1280, 720  # pixels


def chromium(playwright: Playwright) -> Browser:
    """That of the system, or else Playwright's own; its Error if there is neither."""
    installed = shutil.which("chromium") or shutil.which("google-chrome")
    return playwright.chromium.launch(executable_path=installed, args=["--no-sandbox"])


def main(url: str, photo: str, target: str) -> None:
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        page = browser.new_page(viewport={"width": WINDOW[0], "height": WINDOW[1]})
        page.goto(url)
        page.locator(".opblock").first.wait_for(state="attached")
        page.set_input_files("#drop input", photo)
        page.locator("figure:last-child pre").last.wait_for()
        page.screenshot(path=Path(target), type="jpeg", quality=85)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
