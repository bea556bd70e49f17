// What the inside of a bubble looks like, for every type of message.

import { $, icon, iconButton, link, make, webAddress } from "/elements.js";
import { flex } from "/flex.js";
import { mentionable, text } from "/state.js";

const ADDRESS = /https?:\/\/[^\s<>"'「」（）、。]+/g;
const KINDS = { image, video, audio, file, location, sticker, flex: card };

export const kindOf = (bubble) => bubble.message.type || "text";
const contentOf = (bubble) => `/content/${encodeURIComponent(bubble.id)}`;

// In one line: for the list of chats and for quotations.
export function preview(bubble) {
  const kind = kindOf(bubble), named = bubble.message.fileName || bubble.message.title || bubble.text;
  return kind === "text" ? bubble.text : [text().kinds[kind], named].filter(Boolean).join(" ");
}

// `run(action)` does what a tapped part asks for. Returns the inside and the class of the bubble around it.
export function inside(bubble, run) {
  const draw = KINDS[kindOf(bubble)];
  try {
    if (draw) return draw(bubble, run);
  } catch {
    // A part that this page does not know: the words say the same.
  }
  return { className: "", parts: words(bubble) };
}

function words(bubble) {
  const parts = [], names = mentionable(bubble.chat_id).map(({ name }) => `@${name}`).sort((a, b) => b.length - a.length);
  let rest = bubble.text;
  while (rest) {
    const found = nextOf(rest, names);
    if (!found) break;
    if (found.at) parts.push(rest.slice(0, found.at));
    parts.push(found.link ? link(found.what, found.what) : make("span", "at", found.what, "at"));
    rest = rest.slice(found.at + found.what.length);
  }
  if (rest) parts.push(rest);
  return parts;
}

function nextOf(rest, names) {
  const found = names.map((what) => ({ at: rest.indexOf(what), what, link: false })).filter(({ at }) => at >= 0);
  ADDRESS.lastIndex = 0;
  const address = ADDRESS.exec(rest);
  if (address && webAddress(address[0])) found.push({ at: address.index, what: address[0], link: true });
  return found.sort((a, b) => a.at - b.at || b.what.length - a.what.length)[0];
}

function image(bubble) { return { className: "bare", parts: [picture(bubble)] }; }

function picture(bubble) {
  const { previewImageUrl, originalContentUrl } = bubble.message, address = webAddress(originalContentUrl) || contentOf(bubble);
  const button = make("button", "picture", undefined, "picture"), element = make("img");
  button.setAttribute("aria-label", text().open);
  Object.assign(element, { src: webAddress(previewImageUrl) || address, alt: text().kinds.image, referrerPolicy: "no-referrer" });
  element.onerror = () => { button.classList.add("broken"); button.textContent = text().unshown; };
  // Its size is known only now, and what is below must stay in view.
  element.onload = () => button.dispatchEvent(new Event("grown", { bubbles: true }));
  button.onclick = () => { $("large").src = address; $("viewer").showModal(); };
  button.append(element);
  return button;
}

export function album(bubbles, menu) {
  const element = make("div", `album of-${Math.min(bubbles.length, 4)}`, undefined, "album");
  element.append(...bubbles.map((bubble) => {
    const one = picture(bubble);
    one.oncontextmenu = (event) => { event.preventDefault(); event.stopPropagation(); menu(bubble, event); };
    return one;
  }));
  return element;
}

function video(bubble) {
  const element = make("video", "video", undefined, "video");
  Object.assign(element, { src: contentOf(bubble), controls: true, preload: "metadata" });
  element.setAttribute("aria-label", text().kinds.video);
  return { className: "bare", parts: [element] };
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

function audio(bubble) {
  const sound = new Audio(), total = (bubble.message.duration || 0) / 1000;
  const button = iconButton("play", "play", text().play, "play"), time = make("span", "time", clock(total)), done = make("i"), bar = make("span", "progress");
  sound.preload = "none";
  bar.append(done);
  button.onclick = () => {
    sound.src ||= contentOf(bubble);
    if (sound.paused) sound.play().catch(() => {}); else sound.pause();
  };
  const show = () => {
    button.replaceChildren(icon(sound.paused ? "play" : "pause"));
    button.setAttribute("aria-label", sound.paused ? text().play : text().pause);
  };
  Object.assign(sound, { onplay: show, onpause: show, onended: () => { done.style.width = "0"; time.textContent = clock(total); } });
  sound.ontimeupdate = () => {
    if (total) done.style.width = `${Math.min(100, sound.currentTime / total * 100)}%`;
    time.textContent = clock(sound.currentTime);
  };
  return { className: "voice", parts: [button, bar, time] };
}

export function bytes(size) {
  const steps = ["B", "KB", "MB"], step = size < 1000 ? 0 : size < 1e6 ? 1 : 2;
  return `${(size / 1000 ** step).toFixed(step === 2 ? 1 : 0)} ${steps[step]}`;
}

function file(bubble) {
  const element = make("a", "file", undefined, "file"), told = make("span", "what");
  const { fileName = "", fileSize = 0 } = bubble.message;
  Object.assign(element, { href: contentOf(bubble), download: fileName });
  told.append(make("span", "file-name", fileName), make("span", "fine", bytes(fileSize)));
  element.append(icon("file"), told);
  return { className: "", parts: [element] };
}

function location(bubble) {
  const { title, address, latitude, longitude } = bubble.message, element = make("div", "location", undefined, "location"), map = make("div", "map");
  map.append(icon("pin"));
  element.append(map, make("strong", "", title || text().kinds.location));
  if (address) element.append(make("span", "fine", address));
  element.append(make("span", "fine", `${latitude}, ${longitude}`));
  return { className: "bare", parts: [element] };
}

export function drawing(number) {
  const element = make("img", "drawing");
  Object.assign(element, { src: `/stickers.svg#s${encodeURIComponent(number)}`, alt: "" });
  return element;
}

function sticker(bubble) {
  const element = drawing(bubble.message.stickerId);
  element.alt = [text().kinds.sticker, (bubble.message.keywords || [])[0]].filter(Boolean).join(" ");
  element.dataset.testid = "sticker";
  return { className: "bare clear", parts: [element] };
}

function card(bubble, run) {
  const element = flex(bubble.message.contents, run);
  element.dataset.testid = "flex";
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", bubble.text);
  return { className: "bare clear", parts: [element] };
}
