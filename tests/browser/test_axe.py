"""The check for accessibility finds what is wrong, under our strict policy too."""

import pytest
from playwright.async_api import Page

from tests.browser.axe import Axe

pytestmark = pytest.mark.slow

RIGHT = "<!doctype html><html lang='en'><title>Right</title><main><h1>Right</h1><p>All may read this.</p></main>"
POLICY = "default-src 'none'; script-src 'none'; style-src 'none'"


async def opened(page: Page, body: str) -> None:
    await page.route(
        "http://page.test/", lambda route: route.fulfill(body=body, content_type="text/html", headers={"Content-Security-Policy": POLICY})
    )
    await page.goto("http://page.test/")


async def test_it_names_the_rule_and_the_place(page: Page, axe: Axe) -> None:
    await opened(page, RIGHT.replace("</main>", "<img id=planted src=x><button></button></main>"))
    with pytest.raises(AssertionError) as failure:
        await axe(page)
    for told in ("image-alt", "#planted", "button-name"):
        assert told in str(failure.value)


async def test_it_is_content_with_a_page_that_is_right_and_looks_away_where_told(page: Page, axe: Axe) -> None:
    await opened(page, RIGHT)
    await axe(page)
    await opened(page, RIGHT.replace("</main>", "<img id=planted src=x></main>"))
    await axe(page, without=("#planted",))
