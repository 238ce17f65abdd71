"""The pages in a real Chromium: what is shown, refreshed without a reload, drawn, reachable."""

import asyncio
import re

from playwright.async_api import expect

from tests.browser.conftest import Watched
from tests.unit.web.town import NODES, NOW_MS, NURSERY, SCHOOL, TownService, air, pack

ROOM = "jules-ferry/tilleuls"
NODE = NODES[ROOM]


async def test_the_overview_shows_all_twelve_rooms(watched: Watched) -> None:
    await watched.go("/")
    cards = watched.page.locator(".card")
    await expect(cards).to_have_count(12)
    for (_, name, _), number in zip(SCHOOL + NURSERY, range(12), strict=True):
        await expect(cards.nth(number).locator("h3")).to_have_text(name)
    badges = watched.page.locator(".badge")
    # A shape beside every word: nothing hangs on colour alone.
    assert await badges.locator("svg use").count() == await badges.count() >= 12


async def test_a_reading_that_arrives_changes_the_page_without_a_reload(
    watched: Watched, town: TownService
) -> None:
    page = watched.page
    await watched.go("/")
    card = page.locator(f'[data-key="room-{ROOM}"]')
    await expect(card).to_contain_text("19,4 °C")
    await page.evaluate("window.stillTheSame = true")
    untouched = page.locator('[data-key="room-pasteur/petite"]')
    await untouched.evaluate("node => { node.stillTheSame = true }")
    watched.navigations.clear()

    town.now_ms += 5_000
    town.take([pack(NODE, NOW_MS + 4_000, air(23.7, 45, 1613))])

    await expect(card).to_contain_text("23,7 °C")
    await expect(card).to_contain_text("Aérer vite")
    await expect(page.locator(".lead")).to_have_text("4 salles sur 12 vont bien.")
    await expect(page.locator("#announce")).to_have_text("4 salles sur 12 vont bien.")
    assert watched.navigations == []
    assert await page.evaluate("window.stillTheSame") is True
    assert await untouched.evaluate("node => node.stillTheSame") is True


async def test_keyboard_focus_outlives_a_refresh(watched: Watched, town: TownService) -> None:
    page = watched.page
    await watched.go("/")
    await page.locator(f'[id="room-{ROOM}"]').focus()
    town.now_ms += 5_000
    town.take([pack(NODE, NOW_MS + 4_000, air(23.7, 45, 700))])
    await expect(page.locator(f'[data-key="room-{ROOM}"]')).to_contain_text("23,7 °C")
    assert await page.evaluate("document.activeElement.id") == f"room-{ROOM}"


async def test_the_keyboard_alone_leads_to_a_room(watched: Watched) -> None:
    page = watched.page
    await watched.go("/")
    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()
    await page.keyboard.press("Enter")
    for _ in range(20):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.id") == f"room-{ROOM}":
            break
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("Salle des Tilleuls")


async def test_the_room_page_draws_its_chart(watched: Watched) -> None:
    page = watched.page
    await watched.go(f"/salles/{ROOM}")
    await expect(page.locator("#chart[data-drawn]")).to_be_visible()
    drawn = page.locator("#chart .scatterlayer .trace path.js-line")
    await expect(drawn).to_have_count(3)
    for number in range(3):
        assert len(await drawn.nth(number).get_attribute("d") or "") > 500
    months = await page.locator("#chart .xaxislayer-above").last.text_content()
    assert "mar. 6" in (months or "").replace("\u00a0", " ")


async def test_every_period_is_drawn(watched: Watched) -> None:
    page = watched.page
    await watched.go(f"/salles/{ROOM}")
    for name in ("7 jours", "30 jours", "1 an", "24 h"):
        await page.get_by_role("link", name=name, exact=True).click()
        await expect(page.locator(".periods [aria-current]")).to_have_text(name)
        await expect(page.locator("#chart[data-drawn] .trace path.js-line").last).to_be_attached()


async def test_the_chart_follows_a_reading_that_arrives(
    watched: Watched, town: TownService
) -> None:
    page = watched.page
    await watched.go(f"/salles/{ROOM}")
    line = page.locator("#chart .scatterlayer .trace path.js-line").first
    before = await line.get_attribute("d")
    watched.navigations.clear()
    town.now_ms += 5 * 60_000
    town.take([pack(NODE, NOW_MS + 299_000, air(24.4, 45, 700))])
    await expect(page.locator(".tile.temperature")).to_contain_text("24,4")
    await expect(page.locator("#chart")).not_to_have_attribute("data-drawn", "1")
    await expect(line).not_to_have_attribute("d", before or "")
    assert watched.navigations == []


async def test_the_table_says_what_the_chart_shows_and_stays_open(
    watched: Watched, town: TownService
) -> None:
    page = watched.page
    await watched.go(f"/salles/{ROOM}")
    await page.locator("summary").focus()
    await page.keyboard.press("Enter")
    first = page.locator("#table tbody tr").first
    await expect(first.locator("th")).to_have_text("mar. 6 janvier, 10:00")
    town.now_ms += 30 * 60_000
    town.take([pack(NODE, NOW_MS + 29 * 60_000, air(24.4, 45, 700))])
    await expect(first.locator("th")).to_have_text("mar. 6 janvier, 11:00")
    await expect(first).to_contain_text("24,4")


async def test_the_language_is_switched_and_kept(watched: Watched) -> None:
    page = watched.page
    await watched.go("/")
    await expect(page.locator(".lead")).to_have_text("5 salles sur 12 vont bien.")
    await page.get_by_role("link", name="EN", exact=True).click()
    await expect(page.locator(".lead")).to_have_text("5 rooms of 12 are fine.")
    await page.locator(f'[id="room-{ROOM}"]').click()
    await expect(page.locator("#now")).to_have_text("Right now")
    await expect(page.locator("#chart[data-drawn]")).to_contain_text("Temperature (°C)")


async def test_updates_can_be_paused_and_resumed(watched: Watched, town: TownService) -> None:
    page = watched.page
    await watched.go("/")
    button = page.locator("#live")
    card = page.locator(f'[data-key="room-{ROOM}"]')
    await button.click()
    await expect(button).to_have_text("En pause")
    town.now_ms += 5_000
    town.take([pack(NODE, NOW_MS + 4_000, air(23.7, 45, 700))])
    async with page.expect_response(re.compile("/fragments/town")):
        await expect(card).to_contain_text("19,4 °C")
        await button.click()
    await expect(card).to_contain_text("23,7 °C")
    await expect(button).to_have_text("En direct")


async def test_without_events_the_page_asks_at_intervals(
    watched: Watched, town: TownService
) -> None:
    page = watched.page
    await page.route("**/events", lambda route: route.fulfill(status=503, body="full"))
    await page.clock.install()
    await watched.go("/")
    await expect(page.locator("#live")).to_have_text("Toutes les 30 s")
    town.now_ms += 5_000
    town.take([pack(NODE, NOW_MS + 4_000, air(23.7, 45, 700))])
    card = page.locator(f'[data-key="room-{ROOM}"]')
    await expect(card).to_contain_text("19,4 °C")
    async with asyncio.timeout(20):
        # What was rendered less than a second ago is not rendered again: ask until it is.
        while "23,7" not in await card.inner_text():
            async with page.expect_response(re.compile("/fragments/town")):
                await page.clock.fast_forward(31_000)
    assert all("503" in error for error in watched.errors)
    watched.errors.clear()


async def test_nothing_is_cut_off_on_a_phone(watched: Watched) -> None:
    page = watched.page
    await page.set_viewport_size({"width": 390, "height": 844})
    for path in ("/", f"/salles/{ROOM}"):
        await watched.go(path)
        if path != "/":
            await expect(page.locator("#chart[data-drawn]")).to_be_visible()
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await page.evaluate(wide) <= 0


_CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
  };
  const light = (c) => c.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const found = rgba(getComputedStyle(node).backgroundColor);
      if (found[3] > 0.99) return found;
    }
    return [255, 255, 255, 1];
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const node = text.parentElement;
    if (!text.data.trim() || !node.checkVisibility()) continue;
    if (node.closest(".hidden, script, #chart")) continue;
    const style = getComputedStyle(node);
    const [a, b] = [light(rgba(style.color)), light(ground(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${text.data.trim()}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""


async def test_text_has_the_contrast_of_wcag_aa_in_light_and_dark(watched: Watched) -> None:
    page = watched.page
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for path in ("/", "/salles/jules-ferry/chenes", "/salles/jules-ferry/maitres"):
            await watched.go(path)
            assert await page.evaluate(_CONTRAST) == [], (scheme, path)
