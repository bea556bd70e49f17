// Making elements. What people or the bot wrote enters the page as textContent only.

import { state } from "/state.js";

const SVG = "http://www.w3.org/2000/svg";

export const $ = (id) => document.getElementById(id);

export function make(tag, className, content, testId) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (content !== undefined) element.textContent = content;
  if (testId) element.dataset.testid = testId;
  if (tag === "button") element.type = "button";
  return element;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg"), use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

export function iconButton(className, name, label, testId) {
  const button = make("button", className, undefined, testId);
  button.append(icon(name));
  button.setAttribute("aria-label", label);
  return button;
}

export function avatar(who, small) {
  const index = state.users.findIndex((user) => user.id === who);
  const kind = index >= 0 ? `tint-${index % 3}` : who === "bot" ? "bot" : "group";
  const element = make("span", `avatar ${kind}${small ? " small" : ""}`);
  element.setAttribute("aria-hidden", "true");
  element.append(index >= 0 ? [...state.users[index].name][0] : icon(kind));
  return element;
}

// Only an address that a browser opens as a page, or nothing: never javascript: or data:.
export function webAddress(address) {
  try {
    const url = new URL(address);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : "";
  } catch {
    return "";
  }
}

export function link(address, content, className = "link") {
  const element = make("a", className, content, "link");
  Object.assign(element, { href: webAddress(address), target: "_blank", rel: "noopener noreferrer" });
  return element;
}
