"use strict";

// What the server knows comes as a stream of changes; what is typed here goes back through it to the real webhook.
// Everything people or the bot wrote enters the page as textContent only.

const TEXT = {
  ja: {
    tagline: "手元で動くトーク画面", you: "あなたは", chats: "トーク", tips: "試してみる", model: "モデル", store: "保存先",
    other: "English", standIn: "代役のモデルが答えています（AI ではありません）", standInModel: "代役（AI ではありません）",
    none: "まだありません", lost: "この画面のサーバーにつながりません", placeholder: "メッセージを入力",
    read: "既読", today: "今日", yesterday: "昨日", push: "プッシュ", send: "送信", back: "戻る",
    block: "ブロック", unblock: "ブロック解除", remove: "退会させる", invite: "招待する",
    blocked: "Kaiwa をブロックしています", removed: "Kaiwa はこのグループにいません", private: "1対1のトーク",
    unsend: "送信取消", copy: "コピー", quote: "リプライ", menu: "メニュー", quoteStop: "リプライをやめる",
    youUnsent: "メッセージの送信を取り消しました", unsent: (who) => `${who}がメッセージの送信を取り消しました`,
    people: (count) => `メンバー ${count} 人`, quoted: "返信先のメッセージ",
    emptyPrivate: "Kaiwa に話しかけてみましょう。\nメッセージは署名されて、本物の関数に届きます。",
    emptyGroup: "グループでは、@Kaiwa とメンションしたとき\nだけ Kaiwa が答えます。",
    tipsWords: "話しかける・コマンド", tipsMagic: "代役のモデルを困らせる（この一語だけを送る）",
    webhook: (n) => `関数が ${n.status} を返しました。メッセージは受け取られていません。`,
    unreachable: () => "関数につながりません。ターミナルの表示を確かめてください。",
    line: (n) => `LINE がボットの ${n.path} を断りました（${n.status}）: ${n.message}`,
    page: () => "この画面のサーバーにつながりません。まだ動いていますか。",
  },
  en: {
    tagline: "A chat screen on your machine", you: "You are", chats: "Chats", tips: "Things to try", model: "Model", store: "Store",
    other: "日本語", standIn: "A stand-in model is answering (not an AI)", standInModel: "stand-in (not an AI)",
    none: "none yet", lost: "This page has lost its server", placeholder: "Enter a message",
    read: "Read", today: "Today", yesterday: "Yesterday", push: "push", send: "Send", back: "Back",
    block: "Block", unblock: "Unblock", remove: "Remove", invite: "Invite",
    blocked: "You have blocked Kaiwa", removed: "Kaiwa is not in this group", private: "One-to-one chat",
    unsend: "Unsend", copy: "Copy", quote: "Reply", menu: "Menu", quoteStop: "Stop replying",
    youUnsent: "You unsent a message", unsent: (who) => `${who} unsent a message`,
    people: (count) => `${count} members`, quoted: "the message replied to",
    emptyPrivate: "Say something to Kaiwa.\nYour message goes, signed, to the real function.",
    emptyGroup: "In a group Kaiwa answers only\nwhen it is mentioned: @Kaiwa",
    tipsWords: "Talk, or type a command", tipsMagic: "Make the stand-in model misbehave (send the word alone)",
    webhook: (n) => `The function answered ${n.status}. The message was not taken.`,
    unreachable: () => "The function cannot be reached. See the messages in your terminal.",
    line: (n) => `LINE refused the bot's ${n.path} (${n.status}): ${n.message}`,
    page: () => "This page has lost its server. Is it still running?",
  },
};
const TIPS = {
  ja: { words: ["こんにちは！", "/ヘルプ", "/履歴", "/リセット", "/消去"], magic: ["長い", "遅い", "エラー"] },
  en: { words: ["Hello!", "/help", "/history", "/reset", "/forget"], magic: ["long", "slow", "error"] },
};
const MENTION = "@Kaiwa";
const LONG_PRESS_MS = 500;

const $ = (id) => document.getElementById(id);
const state = {
  language: localStorage.getItem("language") || (navigator.language.startsWith("ja") ? "ja" : "en"),
  me: sessionStorage.getItem("me"), chat: sessionStorage.getItem("chat"),
  users: [], groups: [], bubbles: new Map(), absent: new Set(), loading: {}, about: null, webhook: null, connected: false,
  drafts: new Map(), quoting: null, tapped: new Set(), seen: new Map(),
};
const text = () => TEXT[state.language];

function make(tag, className, content, testId) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (content !== undefined) element.textContent = content;
  if (testId) element.dataset.testid = testId;
  if (tag === "button") element.type = "button";
  return element;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

function avatar(who, small) {
  const index = state.users.findIndex((user) => user.id === who);
  const kind = index >= 0 ? `tint-${index % 3}` : who === "bot" ? "bot" : "group";
  const element = make("span", `avatar ${kind}${small ? " small" : ""}`);
  element.setAttribute("aria-hidden", "true");
  element.append(index >= 0 ? [...state.users[index].name][0] : icon(kind));
  return element;
}

const nameOf = (who) => (state.users.find((user) => user.id === who) || { name: "Kaiwa" }).name;
const groupOf = (chat) => state.groups.find((group) => group.id === chat);
const bubblesOf = (chat) => [...(state.bubbles.get(chat) || new Map()).values()];
const timeOf = (at) => new Date(at).toLocaleTimeString(state.language, { hour: "numeric", minute: "2-digit" });

function dayOf(at) {
  const day = new Date(at), now = new Date();
  const days = Math.round((new Date(now).setHours(0, 0, 0, 0) - new Date(day).setHours(0, 0, 0, 0)) / 86400000);
  if (days < 2) return days < 1 ? text().today : text().yesterday;
  return day.toLocaleDateString(state.language, { month: "long", day: "numeric", weekday: "short" });
}

// Talking to the server

async function act(action, wish, chat = state.chat) {
  const body = JSON.stringify({ me: state.me, chat, ...wish });
  try {
    const answer = await fetch(`/api/${action}`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    if (!answer.ok) throw new Error(String(answer.status));
  } catch {
    const notice = JSON.stringify({ code: "page" });
    keep({ id: `page-${Date.now()}`, chat_id: chat, by: "notice", text: notice, at: Date.now(), buttons: [] });
    render();
  }
}

function listen() {
  const changes = new EventSource("/api/changes");
  changes.onmessage = (message) => { state.connected = true; apply(JSON.parse(message.data)); render(); };
  changes.onerror = () => { state.connected = false; renderStatus(); };
}

function keep(bubble) {
  if (!state.bubbles.has(bubble.chat_id)) state.bubbles.set(bubble.chat_id, new Map());
  state.bubbles.get(bubble.chat_id).set(bubble.id, bubble);
}

function apply(change) {
  if (change.type === "snapshot") begin(change);
  if (change.type === "bubble") {
    keep(change.bubble);
    if (change.bubble.by === "bot") delete state.loading[change.bubble.chat_id];
  }
  if (change.type === "loading") state.loading[change.chat_id] = change.until;
  if (change.type === "absent") state.absent[change.absent ? "add" : "delete"](change.chat_id);
  if (change.type === "webhook") state.webhook = change.webhook;
}

function begin(snapshot) {
  state.bubbles = new Map();
  snapshot.bubbles.forEach(keep);
  state.absent = new Set(snapshot.absent);
  for (const name of ["users", "groups", "loading", "about", "webhook"]) state[name] = snapshot[name];
  if (!state.users.some((user) => user.id === state.me)) state.me = state.users[0].id;
  if (state.chat !== state.me && !groupOf(state.chat)) state.chat = state.me;
}

// Drawing

function render() {
  if (!state.about) return;
  document.documentElement.lang = state.language;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text()[element.dataset.text];
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
  $("people").replaceChildren(...state.users.map((user, index) => {
    const button = make("button", "person", undefined, `person-${index}`);
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", String(user.id === state.me));
    button.append(avatar(user.id), make("span", "", user.name));
    button.onclick = () => go(user.id, state.chat === state.me ? user.id : state.chat);
    return button;
  }));
}

function renderChats() {
  const own = { id: state.me, name: "Kaiwa", who: "bot", testId: "chat-bot" };
  const groups = state.groups.map((group, index) => (
    { id: group.id, name: `${group.name} (${group.members.length + 1})`, who: group.id, testId: `chat-group-${index}` }));
  $("chats").replaceChildren(...[own, ...groups].map(chatItem));
}

function chatItem({ id, name, who, testId }) {
  const said = bubblesOf(id).filter((bubble) => bubble.by !== "notice"), last = said.at(-1);
  const unseen = said.filter((bubble) => bubble.by !== state.me && bubble.at > (state.seen.get(`${state.me} ${id}`) || 0)).length;
  const item = make("li"), button = make("button", "chat", undefined, testId), what = make("span", "what");
  what.append(make("span", "name", name), make("span", "last", last ? (last.unsent ? unsentText(last) : last.text) : ""));
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
  $("subtitle").textContent = group ? text().people(group.members.length + 1) : text().private;
  $("back").setAttribute("aria-label", text().back);
  $("presence").textContent = group ? (away ? text().invite : text().remove) : (away ? text().unblock : text().block);
  $("presence").classList.toggle("away", away);
  $("absent").textContent = group ? text().removed : text().blocked;
  $("absent").hidden = !away;
  $("composer").hidden = away && !group;
}

const drawn = new Map();
const drawing = { chat: null, timer: 0, quick: "" };

function renderTalk() {
  const talk = $("talk"), wanted = rows(), kept = new Set(wanted.map((row) => row.key));
  const atEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 80 || drawing.chat !== state.chat;
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
  if (atEnd) talk.scrollTop = talk.scrollHeight;
}

// What the chat shows from top to bottom: a key, a mark that changes when it must be drawn anew, and how to draw it.
function rows() {
  const result = [], all = bubblesOf(state.chat), view = `${state.language} ${state.me}`;
  let day = "", before = null;
  for (const bubble of all) {
    const today = dayOf(bubble.at);
    if (today !== day) { result.push({ key: `day ${today}`, mark: view, draw: () => make("div", "day", today) }); before = null; }
    day = today;
    const first = before !== bubble.by;
    before = bubble.unsent || bubble.by === "notice" ? null : bubble.by;
    result.push({ key: `${bubble.id} ${bubble.chat_id}`, mark: `${view} ${first} ${bubble.read} ${bubble.unsent} ${bubble.quoted && quotedText(bubble.quoted)}`,
      draw: () => row(bubble, first) });
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

function row(bubble, first) {
  if (bubble.by === "notice") return make("div", "notice", noticeText(bubble), "notice");
  if (bubble.unsent) return make("div", "event", unsentText(bubble), "unsent");
  const mine = bubble.by === state.me, element = make("div", `row${mine ? " mine" : ""}${first ? " first" : ""}`);
  const body = make("div", "body"), say = make("div", "say"), more = make("button", "more", "…", "more");
  more.setAttribute("aria-label", text().menu);
  more.onclick = () => openMenu(bubble, more.getBoundingClientRect());
  say.append(balloon(bubble, mine), meta(bubble, mine), more);
  if (!mine) body.append(make("span", "name", nameOf(bubble.by)));
  body.append(say);
  if (!mine) element.append(avatar(bubble.by, true));
  element.append(body);
  return element;
}

function balloon(bubble, mine) {
  const element = make("div", "bubble", undefined, "bubble");
  element.dataset.by = mine ? "me" : bubble.by === "bot" ? "bot" : "other";
  if (bubble.quoted) element.append(make("span", "quote", quotedText(bubble.quoted)));
  const parts = groupOf(bubble.chat_id) ? bubble.text.split(MENTION) : [bubble.text];
  parts.forEach((part, index) => element.append(...(index ? [make("span", "at", MENTION), part] : [part])));
  element.oncontextmenu = (event) => {
    if (String(getSelection())) return;
    event.preventDefault();
    openMenu(bubble, { left: event.clientX, bottom: event.clientY, top: event.clientY });
  };
  longPress(element, () => openMenu(bubble, element.getBoundingClientRect()));
  return element;
}

function meta(bubble, mine) {
  const element = make("div", "meta");
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
  const quoted = (state.bubbles.get(state.chat) || new Map()).get(id);
  return quoted && !quoted.unsent ? `${nameOf(quoted.by)}: ${quoted.text}` : text().quoted;
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
  $("quick").hidden = !shown.length;
  $("quick").replaceChildren(...shown.map((action) => {
    const button = make("button", "", action.label, "quick-reply");
    button.onclick = () => { state.tapped.add(last.id); renderQuick(); tap(action); };
    return button;
  }));
  if (shown.length && drawing.quick !== last.id) { drawing.quick = last.id; $("talk").scrollTop = $("talk").scrollHeight; }
}

function tap(action) {
  if (action.type === "message") act("send", { text: action.text });
  else act("postback", { data: action.data, display_text: action.displayText || "" });
}

function renderComposer() {
  $("mention").hidden = !groupOf(state.chat);
  $("text").placeholder = text().placeholder;
  $("text").setAttribute("aria-label", text().placeholder);
  $("send").setAttribute("aria-label", text().send);
  $("send").disabled = !$("text").value.trim();
  $("quoting").hidden = !state.quoting;
  $("quoting-stop").setAttribute("aria-label", text().quoteStop);
  if (state.quoting) {
    $("quoting-who").textContent = nameOf(state.quoting.by);
    $("quoting-text").textContent = state.quoting.text;
  }
}

function renderTips() {
  const kinds = state.about.stand_in ? ["words", "magic"] : ["words"];
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
  state.drafts.set(`${state.me} ${state.chat}`, $("text").value);
  Object.assign(state, { me, chat, quoting: null });
  sessionStorage.setItem("me", me);
  sessionStorage.setItem("chat", chat);
  setText(state.drafts.get(`${me} ${chat}`) || "");
  render();
}

function setText(value) {
  const field = $("text");
  field.value = value;
  fit();
  if (matchMedia("(hover: hover)").matches) field.focus();
  field.setSelectionRange(value.length, value.length);
}

function fit() {
  const field = $("text");
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight, 132)}px`;
  $("send").disabled = !field.value.trim();
}

function send() {
  const said = $("text").value;
  if (!said.trim()) return;
  const quoted = state.quoting ? state.quoting.id : "";
  state.quoting = null;
  setText("");
  renderComposer();
  $("talk").scrollTop = $("talk").scrollHeight;
  act("send", { text: said, quoted });
}

function openMenu(bubble, place) {
  const menu = $("menu"), items = [];
  const add = (label, testId, run, danger) => {
    const button = make("button", danger ? "danger" : "", label, testId);
    button.setAttribute("role", "menuitem");
    button.onclick = () => { closeMenu(); run(); };
    items.push(button);
  };
  add(text().quote, "quote", () => { state.quoting = bubble; renderComposer(); $("text").focus(); });
  add(text().copy, "copy", () => navigator.clipboard.writeText(bubble.text));
  if (bubble.by === state.me) add(text().unsend, "unsend", () => act("unsend", { message_id: bubble.id }), true);
  menu.replaceChildren(...items);
  menu.hidden = false;
  const { width, height } = menu.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(place.left, innerWidth - width - 8))}px`;
  menu.style.top = `${place.bottom + height + 12 < innerHeight ? place.bottom + 4 : Math.max(8, place.top - height - 4)}px`;
  items[0].focus();
}

function closeMenu() { $("menu").hidden = true; }

function longPress(element, run) {
  let timer = 0;
  const stop = () => clearTimeout(timer);
  element.addEventListener("touchstart", () => { timer = setTimeout(run, LONG_PRESS_MS); }, { passive: true });
  for (const name of ["touchend", "touchmove", "touchcancel"]) element.addEventListener(name, stop, { passive: true });
}

$("composer").onsubmit = (event) => { event.preventDefault(); send(); };
$("text").oninput = fit;
$("text").onkeydown = (event) => {
  // While a Japanese word is being converted Enter chooses it; keyCode 229 is how Safari says so.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  send();
};
$("mention").onclick = () => {
  const field = $("text"), { selectionStart: start, selectionEnd: end, value } = field;
  setText(`${value.slice(0, start)}${MENTION} ${value.slice(end)}`);
};
$("presence").onclick = () => act("presence", { present: state.absent.has(state.chat) });
$("quoting-stop").onclick = () => { state.quoting = null; renderComposer(); };
$("language").onclick = () => {
  state.language = state.language === "ja" ? "en" : "ja";
  localStorage.setItem("language", state.language);
  render();
};
$("back").onclick = () => { $("app").dataset.view = "list"; };
document.addEventListener("pointerdown", (event) => { if (!$("menu").contains(event.target)) closeMenu(); });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") closeMenu(); });
listen();
