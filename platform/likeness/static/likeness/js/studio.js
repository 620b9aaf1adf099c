/* The studio: marks in the script, a picture while typing pauses, sound on request. Forms work without it. */
"use strict";

const form = document.getElementById("composer");
const script = form.querySelector("textarea");
const ink = form.querySelector(".ink");
const monitor = form.querySelector(".monitor");
const told = { caption: monitor.querySelector("figcaption"), picture: monitor.querySelector("img") };
const hearing = document.getElementById("hear");
const player = form.querySelector("audio");
const idle = told.caption.textContent;
let seen = "";
let looking = null;

/** Places count characters as the server does, not UTF-16 units. */
const signs = (text) => Array.from(text);
const units = (text, count) => signs(text).slice(0, count).join("").length;

function drawInk(marks) {
  const text = signs(script.value);
  const tones = new Array(text.length).fill("");
  for (const tone of ["info", "warn", "bad"]) {
    for (const mark of marks) if (mark.tone === tone) tones.fill(tone, mark.start, mark.end);
  }
  ink.replaceChildren();
  for (let at = 0; at < text.length;) {
    let end = at;
    while (end < text.length && tones[end] === tones[at]) end += 1;
    const part = document.createElement(tones[at] ? "mark" : "span");
    part.className = tones[at];
    part.textContent = text.slice(at, end).join("");
    ink.append(part);
    at = end;
  }
  ink.append("\n");
  ink.scrollTop = script.scrollTop;
}

/** Ask for a preview of what stands in the form; gives the blob, or the words that stand against it. */
async function ask(address, signal) {
  const answer = await fetch(address, { method: "POST", body: new FormData(form), signal });
  if (answer.ok) return { blob: await answer.blob() };
  const words = (answer.headers.get("Content-Type") || "").includes("json") ? await answer.json() : null;
  return { words: words ? `${words.sentence} ${words.hint}` : monitor.dataset.lost };
}

function stateOf() {
  const data = new FormData(form);
  data.delete("client_id");
  return JSON.stringify(Array.from(data.entries()));
}

async function see() {
  const now = stateOf();
  if (now === seen) return;
  if (looking) looking.abort();
  looking = new AbortController();
  monitor.classList.add("busy");
  try {
    const { blob, words } = await ask(monitor.dataset.see, looking.signal);
    if (words) { hide(words); return; }
    seen = now;
    URL.revokeObjectURL(told.picture.src);
    told.picture.src = URL.createObjectURL(blob);
    told.picture.hidden = false;
    told.caption.textContent = "";
  } catch (error) {
    if (error.name === "AbortError") return;
    hide(monitor.dataset.lost);
  }
  monitor.classList.remove("busy");
}

function hide(words) {
  seen = "";
  told.picture.hidden = true;
  told.caption.textContent = words;
  monitor.classList.remove("busy");
}

async function hear() {
  const words = hearing.querySelector("span");
  const before = words.textContent;
  hearing.disabled = true;
  words.textContent = hearing.dataset.busy;
  try {
    const found = await ask(monitor.dataset.hear);
    if (found.words) {
      told.caption.textContent = found.words;
    } else {
      URL.revokeObjectURL(player.src);
      player.src = URL.createObjectURL(found.blob);
      player.hidden = false;
      await player.play().catch(() => {}); /* the person presses play where the browser wants that */
    }
  } catch (error) {
    told.caption.textContent = monitor.dataset.lost;
  }
  words.textContent = before;
  hearing.disabled = false;
}

/** What the panel learned: draw it into the script, and look only when nothing stands against it. */
function learned() {
  const found = document.querySelector("#reading .told");
  if (!found) return;
  drawInk(JSON.parse(found.dataset.marks || "[]"));
  const clean = "clean" in found.dataset;
  const cast = form.elements.identity.value && form.elements.performer.value;
  hearing.disabled = !(clean && cast) || Boolean(form.elements.recording?.value); /* it is heard as it is */
  document.getElementById("render").disabled = !clean;
  if (clean && cast) see();
  else { if (looking) looking.abort(); hide(idle); }
}

function shape() {
  const look = form.querySelector(".chosen-look"); /* a template decides about the format */
  const chosen = form.querySelector('[name="format"]:checked');
  monitor.dataset.format = look ? look.dataset.format : chosen ? chosen.value : "landscape";
}

/** Send a chosen file at once, so that the form names it: a preview needs it, and no preview sends it again. */
async function takeIn(input) {
  const field = input.closest(".taken");
  const value = field.querySelector('input[type="hidden"]');
  const words = field.querySelector("[data-told]");
  const file = input.files[0];
  if (!file) return;
  const data = new FormData();
  data.append("file", file);
  data.append("kind", field.dataset.kind);
  data.append("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  field.classList.remove("bad");
  words.textContent = form.dataset.sending;
  try {
    const answer = await fetch(form.dataset.uploadTo, { method: "POST", body: data });
    const isJson = (answer.headers.get("Content-Type") || "").includes("json");
    const told = isJson ? await answer.json() : null;
    if (!answer.ok) throw new Error(told ? `${told.sentence} ${told.hint}` : monitor.dataset.lost);
    value.value = told.value;
    words.textContent = `${file.name} – ${form.dataset.taken}`;
  } catch (error) {
    value.value = "";
    field.classList.add("bad");
    words.textContent = error.message;
  }
  input.value = "";
  field.querySelector(".chosen").replaceChildren();
  value.dispatchEvent(new Event("input", { bubbles: true }));
}

script.addEventListener("scroll", () => { ink.scrollTop = script.scrollTop; });
script.addEventListener("input", () => drawInk([]));
form.addEventListener("change", (event) => {
  shape();
  if (event.target.matches(".taken input[type='file']")) takeIn(event.target);
});
hearing.addEventListener("click", hear);
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id === "reading") learned();
  if (event.target.id === "look") {
    shape();
    script.dispatchEvent(new Event("input", { bubbles: true })); /* the script is read anew in this look */
  }
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-from]");
  if (!button) return;
  script.focus();
  script.setSelectionRange(units(script.value, +button.dataset.from), units(script.value, +button.dataset.to));
});
shape();
