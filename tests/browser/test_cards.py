"""How the bot's answers look on the chat page: cards, buttons and links."""

from typing import Any

from tests.browser.screen import Screen

DRAWN = """async (contents) => {
  const { inside } = await import("/bubbles.js"), tapped = [];
  const bubble = { id: "1", chat_id: "U1", text: "in words", message: { type: "flex", contents } };
  const { className, parts } = inside(bubble, (action) => tapped.push(action.type));
  const element = document.createElement("div");
  element.append(...parts);
  document.body.append(element);
  for (const one of element.querySelectorAll("button, [role=link], [role=button]")) one.click();
  const found = { text: element.innerText, tapped, className, images: element.querySelectorAll("img").length };
  found.addresses = [...element.querySelectorAll("[src], [href]")].map((one) => one.src || one.href);
  element.remove();
  return found;
}"""


async def test_table(screen: Screen) -> None:
    """A table is a card with its cells, and reads in words where a card has no room."""
    await screen.be(0)
    await screen.say("表")
    card = screen.part("flex").filter(has_text="清水寺").last
    await card.wait_for()
    assert "出発" in str(await card.get_attribute("aria-label"))
    assert "清水寺" in await screen.part("chat-bot").inner_text()


async def test_code(screen: Screen) -> None:
    """Code is a card that can be copied."""
    await screen.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await screen.be(1)
    await screen.say("code")
    card = screen.part("flex").filter(has_text="def greet").last
    await card.get_by_label("コピー").click()
    await screen.part("toast").wait_for()
    assert "def greet" in await screen.page.evaluate("navigator.clipboard.readText()")


async def test_again_and_shorter(screen: Screen) -> None:
    """Under an answer are buttons that make it anew, or shorter."""
    await screen.be(2)
    await screen.answer_to("同じことをもう一度どうぞ")
    before = await screen.by("bot").count()
    await screen.part("quick-reply").get_by_text("もう一度").click()
    await screen.by("bot").nth(before).wait_for()
    await screen.part("quick-reply").get_by_text("短く").click()
    await screen.by("bot").nth(before + 1).wait_for()
    assert await screen.part("notice").count() == 0


async def test_export(screen: Screen) -> None:
    """The link that an export comes with can be followed, and leads to the conversation."""
    await screen.be(1)
    await screen.answer_to("Please keep the word marmalade.")
    await screen.say("/export")
    link = screen.by("bot").last.get_by_test_id("link")
    await link.wait_for()
    answer = await screen.fetched(await link.get_attribute("href"))
    assert "marmalade" in await answer.text()
    assert str(await link.get_attribute("rel")).startswith("noopener")


def bubble(*contents: Any) -> dict[str, Any]:
    return {"type": "bubble", "body": {"type": "box", "layout": "vertical", "contents": list(contents)}}


async def test_any_flex(screen: Screen) -> None:
    """Every part that LINE's cards are made of is drawn, in a carousel, too; what is tapped acts once."""
    button = {"type": "button", "action": {"type": "postback", "label": "押す", "data": "x"}}
    link = {"type": "text", "text": "開く", "action": {"type": "uri", "uri": "https://example.com"}}
    spans = {"type": "text", "contents": [{"type": "span", "text": "太"}, {"type": "span", "text": "字"}]}
    others = [{"type": "separator"}, {"type": "filler"}, {"type": "image", "url": "https://example.com/a.png"}]
    carousel = {"type": "carousel", "contents": [bubble(button, spans), bubble(link, *others)]}
    drawn = await screen.page.evaluate(DRAWN, carousel)
    assert all(word in drawn["text"] for word in ("押す", "太字", "開く"))
    assert drawn["tapped"] == ["postback", "uri"]
    assert drawn["images"] == 1


async def test_unknown_part(screen: Screen) -> None:
    """A card with a part that the page does not know is told by its altText."""
    drawn = await screen.page.evaluate(DRAWN, bubble({"type": "hologram"}))
    assert drawn["text"] == "in words"


async def test_harmful_card(screen: Screen) -> None:
    """A card brings neither script nor markup nor an address that runs."""
    markup = {"type": "text", "text": "<img src=x onerror=alert(1)>", "color": "red;background:url(https://x)"}
    image = {"type": "image", "url": "javascript:alert(1)"}
    link = {"type": "text", "text": "x", "action": {"type": "uri", "uri": "javascript:alert(1)"}}
    drawn = await screen.page.evaluate(DRAWN, bubble(markup, image, link))
    assert "<img src=x" in drawn["text"]
    assert not any(drawn["addresses"])
