/* Small comforts on top of plain forms: everything works without this file. */
"use strict";

/** Let people drop files on a `.drop` area, and show what was chosen. */
function enhanceDrop(area) {
  const input = area.querySelector('input[type="file"]');
  const shown = area.querySelector(".chosen");
  if (!input) return;
  area.classList.add("ready");
  const over = (on) => area.classList.toggle("over", on);
  for (const name of ["dragenter", "dragover"]) {
    area.addEventListener(name, (event) => { event.preventDefault(); over(true); });
  }
  area.addEventListener("dragleave", (event) => { if (!area.contains(event.relatedTarget)) over(false); });
  area.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    const files = new DataTransfer();
    const limit = input.multiple ? event.dataTransfer.files.length : 1;
    for (const file of Array.from(event.dataTransfer.files).slice(0, limit)) files.items.add(file);
    if (!files.files.length) return;
    input.files = files.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
  input.addEventListener("change", () => {
    showChosen(shown, input.files);
    const large = Array.from(input.files).some((file) => file.size > Number(area.dataset.maxBytes || Infinity));
    input.setCustomValidity(large ? area.dataset.tooLarge : "");
    if (large) { input.reportValidity(); return; }
    if (area.hasAttribute("data-submit") && input.files.length) input.form.requestSubmit();
  });
}

function showChosen(shown, files) {
  if (!shown) return;
  shown.querySelectorAll("img").forEach((picture) => URL.revokeObjectURL(picture.src));
  shown.replaceChildren();
  for (const file of files) {
    if (file.type.startsWith("image/")) {
      const picture = document.createElement("img");
      picture.src = URL.createObjectURL(file);
      picture.alt = file.name;
      shown.append(picture);
    } else {
      const name = document.createElement("span");
      name.textContent = file.name;
      shown.append(name);
    }
  }
}

/** Put the text that a button names into the clipboard and say so. */
async function copyText(button) {
  const source = document.getElementById(button.dataset.copy);
  if (!source || !navigator.clipboard) return;
  await navigator.clipboard.writeText(source.textContent.trim());
  const before = button.textContent;
  button.textContent = button.dataset.done;
  setTimeout(() => { button.textContent = before; }, 1500);
}

/** A form is sent once: a second click while it travels does nothing. */
function sendOnce(event) {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented || "repeat" in form.dataset) return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "1";
  const button = event.submitter;
  if (button && button.dataset.busy) button.textContent = button.dataset.busy;
}

/** Show moments in the reader's own time zone; the title keeps the server's. */
function localTimes(root) {
  const spoken = document.documentElement.lang;
  const language = spoken === "en" ? "en-GB" : spoken; /* day before month, as the server writes it */
  const format = new Intl.DateTimeFormat(language, {
    year: "numeric", month: language.startsWith("zh") ? "long" : "short", day: "numeric",
    hour: "2-digit", minute: "2-digit", hourCycle: "h23",
  });
  for (const time of root.querySelectorAll("time[data-local]")) {
    time.textContent = format.format(new Date(time.dateTime));
    time.removeAttribute("data-local");
  }
}

localTimes(document);
document.addEventListener("htmx:afterSwap", (event) => localTimes(event.target.parentNode || document));
document.querySelectorAll(".drop").forEach(enhanceDrop);
document.addEventListener("htmx:afterSwap", (event) => event.target.querySelectorAll(".drop:not(.ready)").forEach(enhanceDrop));
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  if (button) copyText(button);
});
document.addEventListener("submit", sendOnce);
/* A page that comes back from the browser's cache may send its forms again. */
window.addEventListener("pageshow", () => {
  document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
});
