// Offers names after an "@" in groups, and writes the chosen one.

import { $, avatar, make } from "/elements.js";
import { mentionable, state, text } from "/state.js";

const BEGUN = /[@＠]([^\s@＠]*)$/u;
let offered = [], chosen = 0, written = () => {};

export function begin(write) {
  written = write;
  $("text").addEventListener("input", offer);
  $("text").addEventListener("blur", close);
  $("mention").onclick = () => {
    const field = $("text"), { selectionStart: start, selectionEnd: end, value } = field;
    const name = "@Kaiwa ";
    write(`${value.slice(0, start)}${name}${value.slice(end)}`, start + name.length);
  };
}

function offer() {
  const field = $("text"), found = BEGUN.exec(field.value.slice(0, field.selectionStart));
  const typed = found ? found[1].toLowerCase() : "";
  offered = found ? mentionable(state.chat).filter(({ name }) => name.toLowerCase().startsWith(typed)) : [];
  chosen = 0;
  draw();
}

function draw() {
  const open = offered.length > 0, field = $("text");
  $("names").hidden = !open;
  field.setAttribute("aria-expanded", String(open));
  if (open) field.setAttribute("aria-activedescendant", `name-${chosen}`); else field.removeAttribute("aria-activedescendant");
  $("names").replaceChildren(...offered.map(({ name, id }, index) => {
    const item = make("li", "", undefined, "name");
    Object.assign(item, { id: `name-${index}` });
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", String(index === chosen));
    item.append(avatar(id, true), make("span", "", name === "All" ? `All (${text().everyone})` : name));
    item.onpointerdown = (event) => { event.preventDefault(); choose(index); };
    return item;
  }));
}

function choose(index) {
  const field = $("text"), before = field.value.slice(0, field.selectionStart).replace(BEGUN, `@${offered[index].name} `);
  const after = field.value.slice(field.selectionStart);
  close();
  written(before + after, before.length);
}

export function close() {
  offered = [];
  draw();
}

// Whether the key was meant for the list of names.
export function key(event) {
  if (!offered.length) return false;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    chosen = (chosen + (event.key === "ArrowDown" ? 1 : offered.length - 1)) % offered.length;
    draw();
  } else if (event.key === "Enter" || event.key === "Tab") choose(chosen);
  else if (event.key === "Escape") close();
  else return false;
  event.preventDefault();
  return true;
}
