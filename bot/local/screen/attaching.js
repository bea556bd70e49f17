// Everything but text: pictures, files, voice, stickers and places, chosen, pasted, dropped or recorded.

import { $, icon, iconButton, make } from "/elements.js";
import { bytes, drawing } from "/bubbles.js";
import { state, text } from "/state.js";
import { EXAMPLE } from "/words.js";

const LARGEST = 30_000_000;
const MOST = 20;
const LONGEST_RECORDING_MS = 5 * 60_000;
const PICTURES = ["image/jpeg", "image/png", "image/gif", "image/webp"];
const RECORDINGS = ["audio/mp4", "audio/webm;codecs=opus", "audio/ogg;codecs=opus"];
const DURATION_PATIENCE_MS = 3000;

const waiting = [];
let send = () => {}, changed = () => {}, recording = null;

export const attached = () => waiting.length > 0;

// `act(action, wish)` sends; `update()` is called when what waits to be sent has changed.
export function begin(act, update) {
  send = act;
  changed = update;
  $("add").onclick = () => toggle("adding");
  $("stickers").onclick = () => toggle("sticker-picker");
  $("record").onclick = record;
  $("record-cancel").onclick = () => finish(false);
  $("record-send").onclick = () => finish(true);
  for (const input of document.querySelectorAll("input[type=file]")) input.onchange = () => { add([...input.files]); input.value = ""; };
  for (const button of document.querySelectorAll("[data-picks]")) button.onclick = () => { closeTrays(); $(button.dataset.picks).click(); };
  $("add-place").onclick = () => toggle("place");
  $("place").onsubmit = sendPlace;
  $("example").onclick = () => { for (const [name, value] of Object.entries(EXAMPLE[state.language])) $("place").elements[name].value = value; };
  $("place-close").onclick = () => closeTrays(true);
  $("text").addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    if (files.length) { event.preventDefault(); add(files); }
  });
  takeDrops($("phone"));
}

function takeDrops(area) {
  const hasFiles = (event) => [...event.dataTransfer.types].includes("Files") && !$("composer").hidden;
  const over = (event) => { if (hasFiles(event)) { event.preventDefault(); area.classList.add("dropping"); } };
  area.addEventListener("dragenter", over);
  area.addEventListener("dragover", over);
  area.addEventListener("dragleave", (event) => { if (!area.contains(event.relatedTarget)) area.classList.remove("dropping"); });
  area.addEventListener("drop", (event) => {
    area.classList.remove("dropping");
    if (!hasFiles(event)) return;
    event.preventDefault();
    add([...event.dataTransfer.files]);
  });
}

// Trays: the menu behind "+", the stickers, the place

const TRAYS = { adding: "add", "sticker-picker": "stickers", place: "add" };

function toggle(name) {
  const open = $(name).hidden;
  closeTrays();
  if (!open) return $(TRAYS[name]).focus();
  if (name === "sticker-picker") drawStickers();
  $(name).hidden = false;
  $(TRAYS[name]).setAttribute("aria-expanded", "true");
  $(name).querySelector("button, input").focus();
  return $(name).scrollIntoView({ block: "nearest" });
}

export function closeTrays(refocus = false) {
  const open = Object.keys(TRAYS).find((name) => !$(name).hidden);
  for (const [name, opener] of Object.entries(TRAYS)) { $(name).hidden = true; $(opener).setAttribute("aria-expanded", "false"); }
  if (open && refocus) $(TRAYS[open]).focus();
  return Boolean(open);
}

function drawStickers() {
  $("sticker-picker").replaceChildren(...Object.entries(state.stickers).map(([number, keywords]) => {
    const button = make("button", "", undefined, "sticker-choice");
    button.setAttribute("aria-label", keywords[0]);
    button.title = keywords[0];
    button.append(drawing(number));
    button.onclick = () => { closeTrays(); send("sticker", { sticker: number }); };
    return button;
  }));
}

function sendPlace(event) {
  event.preventDefault();
  const fields = $("place").elements, wish = {};
  for (const name of ["title", "address", "latitude", "longitude"]) wish[name] = fields[name].value.trim();
  closeTrays();
  $("place").reset();
  send("location", wish);
}

// Files that wait to be sent

export function add(files) {
  const tooLarge = files.find((file) => file.size > LARGEST), empty = files.find((file) => !file.size);
  if (tooLarge) tell(text().tooLarge(tooLarge.name));
  else if (empty) tell(text().empty(empty.name));
  const fits = files.filter((file) => file.size && file.size <= LARGEST);
  if (waiting.length + fits.length > MOST) tell(text().tooMany);
  waiting.push(...fits.slice(0, MOST - waiting.length).map((file) => ({ file, kind: kindOf(file), address: URL.createObjectURL(file) })));
  drawWaiting();
  $("text").focus();
}

const kindOf = ({ type }) => (PICTURES.includes(type) ? "image" : ["audio", "video"].find((kind) => type.startsWith(`${kind}/`)) || "file");

export function drop() {
  for (const { address } of waiting.splice(0)) URL.revokeObjectURL(address);
  drawWaiting();
}

export function drawWaiting() {
  $("waiting").hidden = !waiting.length;
  $("waiting").replaceChildren(...waiting.map((one, index) => {
    const item = make("li", one.kind, undefined, "attachment"), take = iconButton("take", "close", `${text().take}: ${one.file.name}`, "take");
    const shown = one.kind === "image" ? make("img") : make("span", "file-name", one.file.name);
    if (one.kind === "image") Object.assign(shown, { src: one.address, alt: one.file.name });
    else item.append(icon(one.kind === "file" ? "file" : "play"));
    item.append(shown, ...(one.kind === "image" ? [] : [make("span", "fine", bytes(one.file.size))]), take);
    take.onclick = () => { URL.revokeObjectURL(one.address); waiting.splice(index, 1); drawWaiting(); $("text").focus(); };
    return item;
  }));
  changed();
}

// Sends all that waits, as one album where it is pictures. Returns once the server has it.
export async function sendWaiting() {
  const all = waiting.splice(0), chosen = { me: state.me, chat: state.chat };
  drawWaiting();
  const files = await Promise.all(all.map(async ({ file, kind, address }) => {
    const duration = kind === "audio" || kind === "video" ? file.duration ?? await durationOf(kind, address) : 0;
    URL.revokeObjectURL(address);
    return { kind, name: file.name, type: file.type, duration, data: await base64(file) };
  }));
  await send("media", { files, ...chosen });
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

// Milliseconds; 0 when the browser cannot tell.
function durationOf(kind, address) {
  return new Promise((resolve) => {
    const media = document.createElement(kind), done = () => resolve(Number.isFinite(media.duration) ? Math.round(media.duration * 1000) : 0);
    Object.assign(media, { preload: "metadata", onloadedmetadata: done, onerror: done, src: address });
    setTimeout(done, DURATION_PATIENCE_MS);
  });
}

// A voice message

async function record() {
  closeTrays();
  if (recording) return;
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const type = RECORDINGS.find((one) => MediaRecorder.isTypeSupported(one)), recorder = new MediaRecorder(stream, type ? { mimeType: type } : {});
    const parts = [], begun = Date.now(), whose = { me: state.me, chat: state.chat };
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.onstop = () => { for (const track of stream.getTracks()) track.stop(); };
    recording = { recorder, parts, begun, whose, timer: setInterval(tick, 250) };
    recorder.start();
    showRecording();
    $("record-send").focus();
  } catch {
    tell(text().noMicrophone);
  }
}

function tick() {
  const passed = Date.now() - recording.begun;
  $("record-time").textContent = `${Math.floor(passed / 60000)}:${String(Math.floor(passed / 1000) % 60).padStart(2, "0")}`;
  if (passed > LONGEST_RECORDING_MS) finish(true);
}

function showRecording() {
  $("recording").hidden = !recording;
  $("composer").classList.toggle("records", Boolean(recording));
  $("record-time").textContent = "0:00";
}

export function finish(wanted) {
  if (!recording) return;
  const { recorder, parts, begun, whose, timer } = recording, duration = Date.now() - begun;
  recording = null;
  clearInterval(timer);
  showRecording();
  $("text").focus();
  recorder.addEventListener("stop", async () => {
    const [type] = recorder.mimeType.split(";"), voice = new Blob(parts, { type });
    if (wanted && voice.size) await send("media", { files: [{ kind: "audio", name: "voice", type, duration, data: await base64(voice) }], ...whose });
  });
  recorder.stop();
}

let telling = 0;

export function tell(words) {
  $("toast").textContent = words;
  $("toast").hidden = false;
  clearTimeout(telling);
  telling = setTimeout(() => { $("toast").hidden = true; }, 6000);
}
