// What pages do beyond links and forms, each by an attribute. Without this file they still work.
"use strict";

const background = { headers: { "X-Stackctl-Background": "1" }, redirect: "error" };

// Fetch a page, and replace one part of this one by the same part of it.
async function replace(url, selector, keep) {
  const response = await fetch(url, background);
  if (!response.ok) throw new Error(response.statusText);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const one of [selector, "#busy"]) {
    const old = document.querySelector(one), fresh = page.querySelector(one);
    if (old && fresh && !(keep && keep(old)) && old.innerHTML !== fresh.innerHTML) old.innerHTML = fresh.innerHTML;
  }
  begin(document.querySelector(selector));
}

function reachable(yes) {
  document.getElementById("ended")?.toggleAttribute("hidden", yes);
}

// data-refresh=SECONDS: keep this part current while it is looked at.
function refresh(part) {
  setInterval(async () => {
    if (document.hidden) return;
    try {
      await replace(location.href, `#${part.id}`, (old) => old.contains(document.activeElement) && document.activeElement.matches("input, select, textarea"));
      reachable(true);
    } catch { reachable(false); }
  }, part.dataset.refresh * 1000);
}

// data-live=SELECTOR: a form whose result replaces that part while its fields change.
function live(form) {
  let timer = 0;
  form.classList.add("live");
  const send = () => {
    const url = `${form.action}?${new URLSearchParams(new FormData(form))}`;
    history.replaceState(null, "", url);
    replace(url, form.dataset.live).catch(() => reachable(false));
  };
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(send, 200); });
  form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(timer); send(); });
}

// data-stream=URL: events are appended (data-top: put before), or replace the element of their id;
// data-then=reload when they end.
function stream(list) {
  const source = new EventSource(list.dataset.stream);
  const top = "top" in list.dataset, most = Number(list.dataset.most || 500);
  source.onmessage = (event) => {
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    const holder = document.createElement("template");
    holder.innerHTML = event.data;
    for (const item of [...holder.content.children]) {
      const old = item.id && document.getElementById(item.id);
      if (old) old.replaceWith(item); else if (top) list.prepend(item); else list.append(item);
    }
    while (list.children.length > most) (top ? list.lastElementChild : list.firstElementChild).remove();
    if (atEnd && !top) list.scrollTop = list.scrollHeight;
    document.getElementById("none")?.setAttribute("hidden", "");
    reachable(true);
  };
  source.addEventListener("end", () => { source.close(); if (list.dataset.then === "reload") location.reload(); });
  source.onerror = () => reachable(false);
  source.onopen = () => reachable(true);
}

// data-copy=TEXT: a button that copies it.
function copy(button) {
  if (!navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

// data-end: a list that begins at its end.
function end(list) { list.scrollTop = list.scrollHeight; }

// data-keep: a form that shows why it was refused, and keeps what was typed.
function keep(form) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const buttons = [...form.querySelectorAll("button")], data = new FormData(form);
    for (const button of buttons) button.disabled = true;
    try {
      const body = form.enctype === "multipart/form-data" ? data : new URLSearchParams(data);
      const response = await fetch(form.action, { method: "POST", body });
      if (response.ok) { location.assign(response.url); return; }
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const why = page.querySelector("[role=alert]") || page.querySelector("h1");
      form.querySelector(".why")?.remove();
      const place = document.createElement("div");
      place.className = "why";
      place.tabIndex = -1;
      place.append(document.importNode(why, true));
      form.append(place);
      place.focus();
    } catch { reachable(false); }
    for (const button of buttons) button.disabled = false;
  });
}

const kinds = { end, refresh, live, stream, copy, keep };

function begin(root) {
  for (const [name, start] of Object.entries(kinds)) {
    for (const one of root.querySelectorAll(`[data-${name}]:not([data-begun])`)) {
      one.dataset.begun = "";
      start(one);
    }
  }
}

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post" || event.defaultPrevented) return;
  setTimeout(() => { for (const button of event.target.querySelectorAll("button")) button.disabled = true; });
});
addEventListener("pageshow", (event) => {
  if (event.persisted) for (const button of document.querySelectorAll("button[disabled]")) button.disabled = false;
});
begin(document);
