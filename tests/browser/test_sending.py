"""Everything that can be sent from the chat page, and what becomes of it."""

from base64 import b64encode

from tests.browser.files import document, picture, sound
from tests.browser.screen import Screen

GIVE = """([kind, name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0)), files = new DataTransfer();
  files.items.add(new File([bytes], name, { type }));
  const target = document.querySelector(kind === "paste" ? "#text" : "#phone");
  for (const step of kind === "paste" ? ["paste"] : ["dragenter", "dragover", "drop"]) {
    const about = { bubbles: true, cancelable: true };
    target.dispatchEvent(step === "paste" ? new ClipboardEvent(step, { ...about, clipboardData: files })
      : new DragEvent(step, { ...about, dataTransfer: files }));
  }
}"""


async def test_picture(screen: Screen) -> None:
    """A picture shows as one and reaches the model; a click shows it large, Escape closes it."""
    await screen.be(2)
    await screen.attach("photo", picture(7, 5))
    await screen.part("send").click()
    await screen.says("PNG 7 × 5")
    image = screen.by("me").last.locator("img")
    assert await image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 7
    await image.click()
    await screen.part("viewer").wait_for()
    await screen.page.keyboard.press("Escape")
    await screen.part("viewer").wait_for(state="hidden")


async def test_album(screen: Screen) -> None:
    """Several pictures at once are one album and, with the words under them, one question."""
    await screen.be(2)
    albums = await screen.part("album").count()
    await screen.attach("photo", picture(11, 2), picture(12, 2), picture(13, 2))
    await screen.answer_to("この三枚はどう？")
    answer = await screen.says("この三枚はどう？")
    assert all(f"PNG {width} × 2" in answer for width in (11, 12, 13))
    assert await screen.part("album").count() == albums + 1
    assert await screen.part("album").last.get_by_test_id("picture").count() == 3


async def test_taken_out(screen: Screen) -> None:
    """What was chosen by mistake can be taken out again before it is sent, and never goes to another chat."""
    await screen.attach("file", document("one.pdf"), document("two.pdf"))
    await screen.part("take").first.click()
    assert "two.pdf" in await screen.part("waiting").inner_text()
    await screen.be(1)
    assert await screen.part("attachment").count() == 0


async def test_pasted_and_dropped(screen: Screen) -> None:
    """Pictures can be pasted, and dropped on the chat."""
    await screen.be(1)
    for number, way in enumerate(("paste", "drop")):
        data = b64encode(picture(21 + number, 3)["buffer"]).decode()
        await screen.page.evaluate(GIVE, [way, f"{way}.png", "image/png", data])
        await screen.part("attachment").wait_for()
        await screen.page.keyboard.press("Enter")
        await screen.says(f"PNG {21 + number} × 3")


async def test_recorded_voice(screen: Screen) -> None:
    """A voice message is recorded, shown with its length, written down and answered."""
    await screen.be(2)
    heard = screen.by("bot").filter(has_text="KB of sound")
    before = await heard.count()
    await screen.part("record").click()
    await screen.part("recording").get_by_text("0:01").wait_for()
    await screen.part("record-send").click()
    await screen.by("me").locator(".time").last.wait_for()
    assert await screen.by("me").locator(".time").last.inner_text() != "0:00"
    await heard.nth(before).wait_for()


async def test_no_microphone(screen: Screen) -> None:
    """Without a microphone the page says what to do instead."""
    await screen.page.evaluate("() => { navigator.mediaDevices.getUserMedia = () => Promise.reject('denied'); }")
    await screen.part("record").click()
    await screen.part("toast").wait_for()
    assert await screen.part("recording").is_hidden()


async def test_sound_file(screen: Screen) -> None:
    """A sound file goes as a voice message of its length, and can be played."""
    await screen.be(1)
    await screen.attach("audio", sound(9))
    await screen.part("send").click()
    await screen.by("me").locator(".time").last.wait_for()
    assert await screen.by("me").locator(".time").last.inner_text() == "0:09"
    await screen.part("play").last.click()
    await screen.page.get_by_label("一時停止").wait_for()
    await screen.says("72 KB")


async def test_document(screen: Screen) -> None:
    """A PDF shows its name and size, reaches the model, and comes back as it was."""
    await screen.be(2)
    await screen.attach("file", document("旅行の計画.pdf"))
    await screen.part("send").click()
    assert "PDF" in await screen.says("旅行の計画.pdf")
    async with screen.page.expect_download() as downloading:
        await screen.part("file").last.click()
    download = await downloading.value
    assert download.suggested_filename == "旅行の計画.pdf"
    assert (await download.path()).read_bytes() == document()["buffer"]


async def test_markup_file(screen: Screen) -> None:
    """A file that a browser would run is never shown, only handed back."""
    await screen.be(1)
    script = b"<script>alert(1)</script>"
    await screen.attach("file", {"name": "evil.html", "mimeType": "text/html", "buffer": script})
    await screen.part("send").click()
    await screen.part("file").filter(has_text="evil.html").wait_for()
    response = await screen.fetched(await screen.part("file").last.get_attribute("href"))
    assert response.headers["content-disposition"] == "attachment"
    assert response.headers["content-type"] == "application/octet-stream"


async def test_sticker(screen: Screen) -> None:
    """A sticker is chosen with the keyboard, drawn, and understood by its keywords."""
    await screen.be(2)
    await screen.part("stickers").focus()
    await screen.page.keyboard.press("Enter")
    await screen.part("sticker-choice").nth(8).focus()
    await screen.page.keyboard.press("Enter")
    await screen.part("sticker").last.wait_for()
    await screen.says("congratulations")
    assert await screen.part("sticker-picker").is_hidden()


async def test_location(screen: Screen) -> None:
    """A place is sent with the example that the form offers; Escape closes the form."""
    await screen.be(2)
    await screen.part("add").click()
    await screen.part("add-place").click()
    await screen.part("example").click()
    await screen.part("send-place").click()
    await screen.part("location").last.wait_for()
    assert "京都駅" in await screen.part("location").last.inner_text()
    await screen.says("京都駅")
    await screen.part("add").click()
    await screen.page.keyboard.press("Escape")
    assert await screen.part("adding").is_hidden()


async def test_taken_back_picture(screen: Screen) -> None:
    """A picture that was taken back is gone from the page, and its bytes with it."""
    await screen.be(1)
    await screen.attach("photo", picture(31, 4))
    await screen.part("send").click()
    await screen.says("PNG 31 × 4")
    address = await screen.by("me").locator("img").last.get_attribute("src")
    assert (await screen.fetched(address)).status == 200
    await screen.choose(screen.by("me").last, "unsend")
    await screen.part("unsent").last.wait_for()
    assert (await screen.fetched(address)).status == 404
