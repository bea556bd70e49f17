// Draws LINE's Flex messages: https://developers.line.biz/en/reference/messaging-api/#flex-message
// Throws on a part that it does not know; then the message's altText is shown, which says the same.

import { make, webAddress } from "/elements.js";
import { text as words } from "/state.js";

const TEXT_SIZES = { xxs: 11, xs: 12, sm: 13, md: 15, lg: 17, xl: 20, xxl: 25, "3xl": 30, "4xl": 36, "5xl": 44 };
const SPACES = { none: 0, xs: 2, sm: 4, md: 8, lg: 12, xl: 16, xxl: 20 };
const WIDTHS = { nano: 120, micro: 160, deca: 220, hecto: 241, kilo: 260, mega: 300, giga: 320 };
const COLOUR = /^#([0-9a-f]{6}|[0-9a-f]{8})$/i;
const LENGTH = /^\d+(\.\d+)?(px|%)$/;

const DRAW = { box, text, button, image, separator, icon: image, span, filler: () => make("div") };

// `run(action)` does what a tapped part asks for.
export function flex(contents, run) {
  if (contents.type === "carousel") {
    const element = make("div", "flex-carousel");
    element.tabIndex = 0;
    element.append(...contents.contents.map((one) => bubble(one, run)));
    return element;
  }
  if (contents.type !== "bubble") throw new Error(contents.type);
  return bubble(contents, run);
}

function bubble(contents, run) {
  const element = make("div", "flex");
  element.style.width = `${WIDTHS[contents.size] || WIDTHS.mega}px`;
  if (contents.direction === "rtl") element.dir = "rtl";
  for (const name of ["header", "hero", "body", "footer"]) {
    if (!contents[name]) continue;
    const block = make("div", `flex-${name}`), style = (contents.styles || {})[name] || {};
    if (COLOUR.test(style.backgroundColor)) block.style.backgroundColor = style.backgroundColor;
    if (style.separator) block.classList.add("parted");
    if (contents[name].paddingAll) block.style.padding = "0";
    block.append(component(contents[name], run));
    element.append(block);
  }
  act(element, contents.action, run);
  return element;
}

function component(part, run, inRow = false) {
  if (!Object.hasOwn(DRAW, part.type)) throw new Error(part.type);
  const element = DRAW[part.type](part, run);
  place(element, part, inRow);
  if (part.type !== "button") act(element, part.action, run);
  return element;
}

function place(element, part, inRow) {
  const { style } = element;
  const share = part.flex ?? (inRow && !["icon", "separator", "span"].includes(part.type) && !part.width ? 1 : 0);
  if (part.type !== "span") style.flex = share ? `${share} 1 0` : "none";
  if (part.width) style.width = size(part.width, {});
  if (part.height && part.type === "box") style.height = size(part.height, {});
  if (part.margin) style[inRow ? "marginLeft" : "marginTop"] = size(part.margin, SPACES);
  if (COLOUR.test(part.backgroundColor)) style.backgroundColor = part.backgroundColor;
}

function box(part, run) {
  const element = make("div", `flex-box ${["horizontal", "baseline"].includes(part.layout) ? part.layout : "vertical"}`);
  const { style } = element, inRow = part.layout !== "vertical";
  if (part.spacing) style.gap = size(part.spacing, SPACES);
  for (const side of ["All", "Top", "Bottom", "Start", "End"]) {
    const length = part[`padding${side}`], where = { All: "padding", Start: "paddingInlineStart", End: "paddingInlineEnd" };
    if (length) style[where[side] || `padding${side}`] = size(length, SPACES);
  }
  if (part.cornerRadius) style.borderRadius = size(part.cornerRadius, SPACES);
  if (part.borderWidth) style.border = `${size(part.borderWidth, { light: 0.5, normal: 1, "semi-bold": 2, bold: 3 })} solid #d6dad8`;
  if (COLOUR.test(part.borderColor)) style.borderColor = part.borderColor;
  if (part.justifyContent) style.justifyContent = part.justifyContent;
  if (part.alignItems) style.alignItems = part.alignItems;
  element.append(...part.contents.map((one) => component(one, run, inRow)));
  return element;
}

function text(part, run) {
  const element = make("div", `flex-text${part.wrap ? "" : " cut"}`);
  if (part.contents && part.contents.length) element.append(...part.contents.map((one) => component(one, run, true)));
  else element.textContent = part.text ?? "";
  write(element, part);
  const { style } = element;
  style.textAlign = { center: "center", end: "right" }[part.align] || "left";
  if (part.gravity) style.alignSelf = { center: "center", bottom: "flex-end" }[part.gravity] || "auto";
  if (LENGTH.test(part.lineSpacing)) style.lineHeight = `calc(1.35em + ${part.lineSpacing})`;
  if (part.maxLines) { element.classList.add("clamped"); style.webkitLineClamp = String(Number(part.maxLines)); }
  return element;
}

function span(part) {
  const element = make("span", "", part.text ?? "");
  write(element, part);
  return element;
}

function write(element, part) {
  const { style } = element;
  if (part.size || part.type === "text") style.fontSize = size(part.size || "md", TEXT_SIZES);
  if (COLOUR.test(part.color)) style.color = part.color;
  if (part.weight === "bold") style.fontWeight = "700";
  if (part.style === "italic") style.fontStyle = "italic";
  if (part.decoration === "underline" || part.decoration === "line-through") style.textDecoration = part.decoration;
}

function button(part, run) {
  const kind = ["primary", "secondary"].includes(part.style) ? part.style : "link";
  const element = make("button", `flex-button ${kind}${part.height === "sm" ? " sm" : ""}`, part.action.label || "", "flex-button");
  if (COLOUR.test(part.color)) element.style[kind === "link" ? "color" : "backgroundColor"] = part.color;
  element.onclick = (event) => { event.stopPropagation(); run(part.action); };
  return element;
}

function image(part) {
  const element = make("img", "flex-image");
  const address = webAddress(part.url);
  if (address) element.src = address;
  element.alt = "";
  element.referrerPolicy = "no-referrer";
  const [width, height] = String(part.aspectRatio || "1:1").split(":").map(Number);
  if (width > 0 && height > 0) element.style.aspectRatio = `${width} / ${height}`;
  element.style.objectFit = part.aspectMode === "cover" ? "cover" : "contain";
  element.style.width = part.type === "icon" ? "1em" : size(part.size || "md", { xs: 60, sm: 80, md: 100, lg: 120, xl: 140, full: "100%" });
  return element;
}

function separator(part) {
  const element = make("div", "flex-separator");
  if (COLOUR.test(part.color)) element.style.backgroundColor = part.color;
  return element;
}

function act(element, action, run) {
  if (!action) return;
  element.classList.add("tappable");
  element.tabIndex = 0;
  element.setAttribute("role", action.type === "uri" ? "link" : "button");
  // An address is named by what is written on it; a sign that copies by what it does.
  if (action.type === "clipboard") element.setAttribute("aria-label", words().copy);
  element.dataset.testid = `flex-${action.type}`;
  element.onclick = (event) => { event.stopPropagation(); run(action); };
  element.onkeydown = (event) => { if (event.key === "Enter") { event.stopPropagation(); run(action); } };
}

// A keyword, or a length in pixels or percent; what is neither is left to the style sheet.
function size(value, keywords) {
  const known = Object.hasOwn(keywords, value) ? keywords[value] : "";
  if (known !== "") return typeof known === "number" ? `${known}px` : known;
  return LENGTH.test(value) ? value : "";
}
