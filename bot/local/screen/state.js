// What the page knows. The server tells it as a stream of changes, and what people do goes back to it.

import { TEXT } from "/words.js";

export const MENTION = "@Kaiwa";

export const state = {
  language: localStorage.getItem("language") || (navigator.language.startsWith("ja") ? "ja" : "en"),
  me: sessionStorage.getItem("me"), chat: sessionStorage.getItem("chat"),
  users: [], groups: [], bubbles: new Map(), absent: new Set(), loading: {}, about: null, webhook: null, connected: false,
  stickers: {}, drafts: new Map(), quoting: null, editing: null, tapped: new Set(), seen: new Map(),
};

export const text = () => TEXT[state.language];
export const nameOf = (who) => (state.users.find((user) => user.id === who) || { name: "Kaiwa" }).name;
export const groupOf = (chat) => state.groups.find((group) => group.id === chat);
export const myGroups = () => state.groups.filter((group) => group.members.includes(state.me));
export const bubblesOf = (chat) => [...(state.bubbles.get(chat) || new Map()).values()];
export const bubbleOf = (chat, id) => (state.bubbles.get(chat) || new Map()).get(id);
export const timeOf = (at) => new Date(at).toLocaleTimeString(state.language, { hour: "numeric", minute: "2-digit" });

export function mentionable(chat) {
  const group = groupOf(chat);
  if (!group) return [];
  return [
    { name: "Kaiwa", id: "bot" },
    ...group.members.filter((member) => member !== state.me).map((member) => ({ name: nameOf(member), id: member })),
    { name: "All", id: chat },
  ];
}

export function keep(bubble) {
  if (!state.bubbles.has(bubble.chat_id)) state.bubbles.set(bubble.chat_id, new Map());
  state.bubbles.get(bubble.chat_id).set(bubble.id, bubble);
}

export function apply(change) {
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
  for (const name of ["users", "groups", "loading", "about", "webhook", "stickers"]) state[name] = snapshot[name];
  if (!state.users.some((user) => user.id === state.me)) state.me = state.users[0].id;
  if (!myGroups().some((group) => group.id === state.chat)) state.chat = state.me;
}

// Asks the server for something; resolves to "" or to the code of the notice that tells what went wrong.
export async function ask(action, wish) {
  const body = JSON.stringify(wish);
  try {
    const answer = await fetch(`/api/${action}`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    return answer.ok ? "" : "wrong";
  } catch {
    return "page";
  }
}
