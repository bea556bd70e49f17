// The chat page: what the server knows comes as a stream of changes; what is typed here goes back through it, signed,
// to the real webhook.

import * as attaching from "/attaching.js";
import { album, inside, kindOf, preview } from "/bubbles.js";
import { $, avatar, make, webAddress } from "/elements.js";
import * as mentioning from "/mentioning.js";
import { apply, ask, bubbleOf, bubblesOf, groupOf, keep, myGroups, nameOf, state, text, timeOf } from "/state.js";
import { TIPS } from "/words.js";

const LONG_PRESS_MS = 500;

function dayOf(at) {
  const day = new Date(at), now = new Date();
  const days = Math.round((new Date(now).setHours(0, 0, 0, 0) - new Date(day).setHours(0, 0, 0, 0)) / 86400000);
  if (days < 2) return days < 1 ? text().today : text().yesterday;
  return day.toLocaleDateString(state.language, { month: "long", day: "numeric", weekday: "short" });
}

// Talking to the server

async function act(action, wish) {
  const whole = { me: state.me, chat: state.chat, ...wish }, code = await ask(action, whole);
  if (!code) return;
  const notice = JSON.stringify({ code });
  keep({ id: `page-${Date.now()}`, chat_id: whole.chat, by: "notice", text: notice, at: Date.now(), buttons: [], message: {} });
  render();
}

function listen() {
  const changes = new EventSource("/api/changes");
  changes.onmessage = (message) => { state.connected = true; apply(JSON.parse(message.data)); render(); };
  changes.onerror = () => { state.connected = false; renderStatus(); };
}

// What a button of the bot's asks for.
function run(action) {
  if (action.type === "message") act("send", { text: action.text });
  if (action.type === "postback") act("postback", { data: action.data, display_text: action.displayText || "" });
  if (action.type === "clipboard") copy(action.clipboardText);
  if (action.type === "uri" && webAddress(action.uri)) open(webAddress(action.uri), "_blank", "noopener,noreferrer");
}

function copy(words) {
  navigator.clipboard.writeText(words).then(() => attaching.tell(text().copied), () => {});
}

// Drawing

function render() {
  if (!state.about) return;
  document.documentElement.lang = state.language;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text()[element.dataset.text];
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", text()[element.dataset.label]);
  $("language").textContent = text().other;
  $("stand-in").hidden = !state.about.stand_in;
  renderTalk();
  renderPeople();
  renderChats();
  renderBar();
  renderQuick();
  renderComposer();
  renderTips();
  renderStatus();
}

function renderPeople() {
  const focused = document.activeElement && document.activeElement.dataset.testid;
  $("people").replaceChildren(...state.users.map((user, index) => {
    const button = make("button", "person", undefined, `person-${index}`), mine = user.id === state.me;
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", String(mine));
    button.tabIndex = mine ? 0 : -1;
    button.append(avatar(user.id), make("span", "", user.name));
    button.onclick = () => become(user.id);
    return button;
  }));
  refocus($("people"), focused);
}

function become(me) {
  const group = groupOf(state.chat);
  go(me, group && group.members.includes(me) ? state.chat : me);
}

// A list is drawn anew with every change; who is in it with the keyboard stays where they are.
function refocus(list, testId) {
  const again = testId && list.querySelector(`[data-testid="${testId}"]`);
  if (again) again.focus();
}

function renderChats() {
  const focused = document.activeElement && document.activeElement.dataset.testid;
  const own = { id: state.me, name: "Kaiwa", who: "bot", testId: "chat-bot" };
  const groups = myGroups().map((group) => ({
    id: group.id, name: `${group.name} (${group.members.length + 1})`, who: group.id, testId: `chat-group-${state.groups.indexOf(group)}`,
  }));
  $("chats").replaceChildren(...[own, ...groups].map(chatItem));
  refocus($("chats"), focused);
}

function chatItem({ id, name, who, testId }) {
  const said = bubblesOf(id).filter((bubble) => bubble.by !== "notice"), last = said.at(-1);
  const unseen = said.filter((bubble) => bubble.by !== state.me && bubble.at > (state.seen.get(`${state.me} ${id}`) || 0)).length;
  const item = make("li"), button = make("button", "chat", undefined, testId), what = make("span", "what");
  what.append(make("span", "name", name), make("span", "last", last ? (last.unsent ? unsentText(last) : preview(last)) : ""));
  const note = make("span", "side-note", last ? timeOf(last.at) : "");
  if (unseen && id !== state.chat) note.append(make("span", "badge", unseen, "unseen"));
  button.append(avatar(who), what, note);
  button.setAttribute("aria-current", String(id === state.chat));
  button.onclick = () => { go(state.me, id); $("app").dataset.view = "chat"; };
  item.append(button);
  return item;
}

function renderBar() {
  const group = groupOf(state.chat), away = state.absent.has(state.chat);
  $("title").textContent = group ? group.name : "Kaiwa";
  const kind = group && group.id.startsWith("R") ? `${text().room} · ` : "";
  $("subtitle").textContent = group ? kind + text().people(group.members.length + 1) : text().private;
  $("presence").textContent = group ? (away ? text().invite : text().remove) : (away ? text().unblock : text().block);
  $("presence").classList.toggle("away", away);
  $("absent").textContent = group ? text().removed : text().blocked;
  $("absent").hidden = !away;
  $("composer").hidden = away && !group;
}

const drawn = new Map();
const drawing = { chat: null, timer: 0, quick: "", atEnd: true };

function renderTalk() {
  const talk = $("talk"), wanted = rows(), kept = new Set(wanted.map((row) => row.key));
  const atEnd = drawing.atEnd || drawing.chat !== state.chat;
  for (const key of [...drawn.keys()]) if (!kept.has(key)) { drawn.get(key).element.remove(); drawn.delete(key); }
  wanted.forEach(({ key, mark, draw }, position) => {
    let known = drawn.get(key);
    if (!known || known.mark !== mark) {
      const element = draw();
      if (!known && drawing.chat === state.chat) {
        element.classList.add("new");
        element.addEventListener("animationend", () => element.classList.remove("new"), { once: true });
      }
      if (known) known.element.remove();
      drawn.set(key, known = { mark, element });
    }
    if (talk.children[position] !== known.element) talk.insertBefore(known.element, talk.children[position] || null);
  });
  drawing.chat = state.chat;
  state.seen.set(`${state.me} ${state.chat}`, Date.now());
  if (atEnd) toEnd();
}

function toEnd() {
  drawing.atEnd = true;
  $("talk").scrollTop = $("talk").scrollHeight;
}

// What the chat shows from top to bottom: a key, a mark that changes when it must be drawn anew, and how to draw it.
function rows() {
  const result = [], all = bubblesOf(state.chat), view = `${state.language} ${state.me}`, albums = albumsIn(all);
  let day = "", before = null;
  for (const bubble of all) {
    const set = albumOf(bubble), pictures = set ? albums.get(set) : [bubble];
    if (pictures[0] !== bubble) continue;
    const today = dayOf(bubble.at);
    if (today !== day) { result.push({ key: `day ${today}`, mark: view, draw: () => make("div", "day", today) }); before = null; }
    day = today;
    const first = before !== bubble.by, quoted = bubble.quoted ? quotedText(bubble.quoted) : "";
    before = bubble.unsent || bubble.by === "notice" ? null : bubble.by;
    const marks = [view, first, ...pictures.map(({ id, read }) => `${id} ${read}`), bubble.unsent, bubble.edited && bubble.text, quoted];
    result.push({ key: `${set || bubble.id} ${bubble.chat_id}`, mark: marks.join(" "), draw: () => row(bubble, first, pictures) });
  }
  if (!all.length) {
    const hint = () => make("p", "empty", groupOf(state.chat) ? text().emptyGroup : text().emptyPrivate, "empty");
    result.push({ key: `empty ${state.chat}`, mark: view, draw: hint });
  }
  const left = (state.loading[state.chat] || 0) - Date.now();
  if (left > 0) {
    result.push({ key: "loading", mark: state.chat, draw: dots });
    clearTimeout(drawing.timer);
    drawing.timer = setTimeout(render, left + 20);
  }
  return result;
}

const albumOf = (bubble) => (bubble.message.imageSet || {}).id;

function albumsIn(bubbles) {
  const albums = new Map();
  for (const bubble of bubbles) if (albumOf(bubble)) albums.set(albumOf(bubble), [...(albums.get(albumOf(bubble)) || []), bubble]);
  for (const pictures of albums.values()) {
    const [shown] = pictures;
    pictures.sort((a, b) => a.message.imageSet.index - b.message.imageSet.index);
    // They may have come in any order; the album stands where its first came.
    pictures.splice(pictures.indexOf(shown), 1);
    pictures.unshift(shown);
  }
  return albums;
}

function row(bubble, first, pictures) {
  if (bubble.by === "notice") return make("div", "notice", noticeText(bubble), "notice");
  if (bubble.unsent) return make("div", "event", unsentText(bubble), "unsent");
  const mine = bubble.by === state.me, element = make("div", `row${mine ? " mine" : ""}${first ? " first" : ""}`);
  const body = make("div", "body"), say = make("div", "say"), more = make("button", "more", "…", "more");
  more.setAttribute("aria-label", text().menu);
  more.setAttribute("aria-haspopup", "menu");
  more.onclick = () => openMenu(bubble, more.getBoundingClientRect());
  say.append(balloon(bubble, mine, pictures), meta(bubble, mine), more);
  if (!mine) body.append(make("span", "name", nameOf(bubble.by)));
  body.append(say);
  if (!mine) element.append(avatar(bubble.by, true));
  element.append(body);
  element.dataset.id = bubble.id;
  return element;
}

function balloon(bubble, mine, pictures) {
  const element = make("div", "bubble", undefined, "bubble");
  const { className, parts } = pictures.length > 1 ? { className: "bare clear", parts: [album(pictures, openMenuAt)] } : inside(bubble, run);
  if (className) element.classList.add(...className.split(" "));
  element.dataset.by = mine ? "me" : bubble.by === "bot" ? "bot" : "other";
  element.dataset.kind = kindOf(bubble);
  if (bubble.quoted) element.append(quotation(bubble));
  element.append(...parts);
  element.oncontextmenu = (event) => {
    if (String(getSelection())) return;
    event.preventDefault();
    openMenuAt(bubble, event);
  };
  longPress(element, () => openMenu(bubble, element.getBoundingClientRect()));
  return element;
}

function quotation(bubble) {
  const button = make("button", "quote", undefined, "quoted"), quoted = bubbleOf(bubble.chat_id, bubble.quoted);
  const who = quoted && !quoted.unsent ? nameOf(quoted.by) : "";
  if (who) button.append(make("strong", "", who));
  button.append(make("span", "", who ? preview(quoted) : text().quoted));
  button.onclick = () => {
    const target = [...$("talk").children].find((one) => one.dataset.id === bubble.quoted);
    if (!target) return;
    target.scrollIntoView({ block: "center", behavior: "smooth" });
    target.classList.add("found");
    setTimeout(() => target.classList.remove("found"), 1200);
  };
  return button;
}

function meta(bubble, mine) {
  const element = make("div", "meta");
  if (bubble.edited) element.append(make("span", "", text().edited, "edited"));
  if (mine && bubble.read) element.append(make("span", "", text().read, "read"));
  if (bubble.way === "push") element.append(make("span", "", text().push));
  element.append(make("span", "", timeOf(bubble.at)));
  return element;
}

function dots() {
  const element = make("div", "row first", undefined, "loading"), body = make("div", "body"), bubble = make("div", "bubble dots");
  bubble.append(make("i"), make("i"), make("i"));
  body.append(make("span", "name", "Kaiwa"), bubble);
  element.append(avatar("bot", true), body);
  return element;
}

const unsentText = (bubble) => (bubble.by === state.me ? text().youUnsent : text().unsent(nameOf(bubble.by)));

function quotedText(id) {
  const quoted = bubbleOf(state.chat, id);
  return quoted && !quoted.unsent ? `${nameOf(quoted.by)}: ${preview(quoted)}` : text().quoted;
}

function noticeText(bubble) {
  const notice = JSON.parse(bubble.text);
  if (notice.code === "line") {
    const { message, details = [] } = JSON.parse(notice.answer);
    notice.message = [message, ...details.map((detail) => `${detail.property}: ${detail.message}`)].join(" / ");
  }
  return text()[notice.code](notice);
}

function renderQuick() {
  const last = bubblesOf(state.chat).filter((bubble) => bubble.by !== "notice").at(-1);
  const shown = last && last.by === "bot" && !state.tapped.has(last.id) && !state.absent.has(state.chat) ? last.buttons : [];
  const key = shown.length ? `${last.id} ${state.chat}` : "";
  if (drawing.quick === key) return;
  drawing.quick = key;
  $("quick").hidden = !shown.length;
  $("quick").replaceChildren(...shown.map((action) => {
    const button = make("button", "", action.label, "quick-reply");
    button.onclick = () => { state.tapped.add(last.id); renderQuick(); $("text").focus(); run(action); };
    return button;
  }));
  if (shown.length && drawing.atEnd) toEnd();
}

function renderComposer() {
  const { quoting, editing } = state, target = editing || quoting;
  $("mention").hidden = !groupOf(state.chat);
  $("text").placeholder = text().placeholder;
  $("text").setAttribute("aria-label", text().placeholder);
  $("quoting").hidden = !target;
  $("quoting-stop").setAttribute("aria-label", editing ? text().editStop : text().quoteStop);
  if (target) {
    $("quoting-who").textContent = editing ? text().editing : nameOf(target.by);
    $("quoting-text").textContent = preview(target);
  }
  renderSend();
}

// Either something can be sent, or a voice message can be recorded.
function renderSend() {
  const ready = attaching.attached() || Boolean($("text").value.trim());
  $("send").setAttribute("aria-label", state.editing ? text().save : text().send);
  $("send").disabled = !ready;
  $("send").hidden = !ready && !state.editing;
  $("record").hidden = ready || Boolean(state.editing);
}

function renderTips() {
  const kinds = state.about.stand_in ? ["words", "magic"] : ["words"];
  if ($("tips").dataset.drawn === state.language) return;
  $("tips").dataset.drawn = state.language;
  $("tips").replaceChildren(...kinds.flatMap((kind) => [
    make("p", "", kind === "words" ? text().tipsWords : text().tipsMagic),
    ...TIPS[state.language][kind].map((words) => {
      const button = make("button", "tip", words, "tip");
      button.onclick = () => { $("app").dataset.view = "chat"; setText(words); };
      return button;
    }),
  ]));
}

function renderStatus() {
  if (!state.about) return;
  const { about, webhook } = state;
  status("model", about.stand_in ? text().standInModel : about.model, about.stand_in ? "warn" : "good");
  status("store", about.store, "good");
  if (!state.connected) return status("webhook", text().lost, "bad");
  const told = webhook && `${webhook.status || "×"} · ${new Date(webhook.at).toLocaleTimeString(state.language)}`;
  return status("webhook", told || text().none, webhook ? (webhook.status === 200 ? "good" : "bad") : "");
}

function status(name, value, className) {
  $(`status-${name}`).textContent = value;
  $(`status-${name}`).className = className;
}

// Doing

function go(me, chat) {
  if (me === state.me && chat === state.chat) return;
  if (!state.editing) state.drafts.set(`${state.me} ${state.chat}`, $("text").value);
  Object.assign(state, { me, chat, quoting: null, editing: null });
  sessionStorage.setItem("me", me);
  sessionStorage.setItem("chat", chat);
  // What was chosen or is being recorded was meant for that chat, and must not land in another.
  attaching.closeTrays();
  attaching.drop();
  attaching.finish(false);
  setText(state.drafts.get(`${me} ${chat}`) || "");
  render();
}

function setText(value, caret = value.length) {
  const field = $("text");
  field.value = value;
  fit();
  if (matchMedia("(hover: hover)").matches) field.focus();
  field.setSelectionRange(caret, caret);
}

function fit() {
  const field = $("text");
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight, 132)}px`;
  renderSend();
}

async function send() {
  const said = $("text").value, { quoting, editing, me, chat } = state;
  if (!said.trim() && (editing || !attaching.attached())) return;
  Object.assign(state, { quoting: null, editing: null });
  setText("");
  mentioning.close();
  renderComposer();
  toEnd();
  if (editing) { await act("edit", { text: said, message_id: editing.id }); return; }
  if (attaching.attached()) await attaching.sendWaiting();
  if (said.trim()) await act("send", { me, chat, text: said, quoted: quoting ? quoting.id : "" });
}

// Stickers may answer a message as text does.
function sendOther(action, wish) {
  const quoted = action === "sticker" && state.quoting ? { quoted: state.quoting.id } : {};
  state.quoting = null;
  renderComposer();
  toEnd();
  return act(action, { ...wish, ...quoted });
}

function stopQuoting() {
  if (state.editing) setText("");
  Object.assign(state, { quoting: null, editing: null });
  renderComposer();
  $("text").focus();
}

let opener = null;

function openMenu(bubble, place) {
  const menu = $("menu"), items = [], own = bubble.by === state.me, isText = kindOf(bubble) === "text";
  const add = (label, testId, does, danger) => {
    const button = make("button", danger ? "danger" : "", label, testId);
    button.setAttribute("role", "menuitem");
    button.onclick = () => { closeMenu(); does(); };
    items.push(button);
  };
  add(text().quote, "quote", () => { Object.assign(state, { quoting: bubble, editing: null }); renderComposer(); $("text").focus(); });
  if (bubble.text) add(text().copy, "copy", () => copy(bubble.text));
  if (own && isText && groupOf(bubble.chat_id)) {
    add(text().edit, "edit", () => { Object.assign(state, { editing: bubble, quoting: null }); setText(bubble.text); renderComposer(); $("text").focus(); });
  }
  if (own) add(text().unsend, "unsend", () => act("unsend", { message_id: bubble.id }), true);
  opener = document.activeElement;
  menu.replaceChildren(...items);
  menu.hidden = false;
  const { width, height } = menu.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(place.left, innerWidth - width - 8))}px`;
  menu.style.top = `${place.bottom + height + 12 < innerHeight ? place.bottom + 4 : Math.max(8, place.top - height - 4)}px`;
  items[0].focus();
}

function openMenuAt(bubble, event) {
  openMenu(bubble, { left: event.clientX, bottom: event.clientY, top: event.clientY });
}

function closeMenu() { $("menu").hidden = true; }

$("menu").onkeydown = (event) => {
  const items = [...$("menu").children], step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Tab") closeMenu();
  if (!step) return;
  event.preventDefault();
  items[(items.indexOf(document.activeElement) + step + items.length) % items.length].focus();
};

function longPress(element, does) {
  let timer = 0;
  const stop = () => clearTimeout(timer);
  element.addEventListener("touchstart", () => { timer = setTimeout(does, LONG_PRESS_MS); }, { passive: true });
  for (const name of ["touchend", "touchmove", "touchcancel"]) element.addEventListener(name, stop, { passive: true });
}

$("people").onkeydown = (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const position = state.users.findIndex((user) => user.id === state.me);
  const next = (position + step + state.users.length) % state.users.length;
  become(state.users[next].id);
  $("people").children[next].focus();
};
$("composer").onsubmit = (event) => { event.preventDefault(); send(); };
$("text").oninput = fit;
$("text").onkeydown = (event) => {
  // While a Japanese word is being converted Enter chooses it; keyCode 229 is how Safari says so.
  if (event.isComposing || event.keyCode === 229 || mentioning.key(event)) return;
  if (event.key !== "Enter" || event.shiftKey) return;
  event.preventDefault();
  send();
};
$("talk").onscroll = () => {
  const { scrollHeight, scrollTop, clientHeight } = $("talk");
  drawing.atEnd = scrollHeight - scrollTop - clientHeight < 80;
};
$("talk").addEventListener("grown", () => { if (drawing.atEnd) toEnd(); });
new ResizeObserver(() => { if (drawing.atEnd) toEnd(); }).observe($("talk"));
$("presence").onclick = () => act("presence", { present: state.absent.has(state.chat) });
$("quoting-stop").onclick = stopQuoting;
$("language").onclick = () => {
  state.language = state.language === "ja" ? "en" : "ja";
  localStorage.setItem("language", state.language);
  render();
  attaching.drawWaiting();
};
$("back").onclick = () => { $("app").dataset.view = "list"; };
$("viewer").onclick = () => $("viewer").close();
document.addEventListener("pointerdown", (event) => { if (!$("menu").contains(event.target)) closeMenu(); });
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented) return;
  if (!$("menu").hidden) { closeMenu(); if (opener) opener.focus(); }
  else if (!attaching.closeTrays(true) && (state.quoting || state.editing)) stopQuoting();
});
attaching.begin(sendOther, renderSend);
mentioning.begin(setText);
listen();
