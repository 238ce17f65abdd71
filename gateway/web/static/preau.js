// Keeps the page up to date without a reload: server-sent events say "look", the piece of the page
// is fetched again, and only the parts that changed are replaced. Without events it asks every 30 s.
"use strict";

(() => {
  const piece = document.getElementById("piece");
  const button = document.getElementById("live");
  const words = document.getElementById("live-text");
  const announce = document.getElementById("announce");
  const POLL_MS = 30000;

  let source = null;
  let poll = 0;
  let fetching = null;
  let again = false;
  let paused = false;
  let tag = "";

  function state(name) {
    button.dataset.state = name;
    words.textContent = button.dataset[name];
    button.setAttribute("aria-pressed", String(name !== "off"));
  }

  // Parts are recognised by data-key. Where the same parts stand in the same order, each that
  // differs is replaced alone; else everything is, but for what asks to be kept.
  function keyed(root) {
    return new Map([...root.querySelectorAll("[data-key]:not([data-key] [data-key])")].map((part) => [part.dataset.key, part]));
  }

  function replaceAll(fresh) {
    for (const kept of fresh.querySelectorAll("[data-keep]")) {
      const standing = kept.id && piece.querySelector("#" + CSS.escape(kept.id));
      if (standing) kept.replaceWith(standing);
    }
    for (const kept of fresh.querySelectorAll("[data-keep-open]")) {
      const standing = document.getElementById(kept.id);
      if (standing && standing.open) kept.open = true;
    }
    piece.replaceChildren(...fresh.childNodes);
  }

  // What is worth a glance: a value that changed, not an age that grew.
  function values(part) {
    return [...part.querySelectorAll("dd b")].map((value) => value.textContent).join(" ");
  }

  function replaceParts(fresh) {
    const before = keyed(piece);
    const after = keyed(fresh);
    if ([...before.keys()].join("\n") !== [...after.keys()].join("\n")) {
      replaceAll(fresh);
      return;
    }
    for (const [key, part] of after) {
      const standing = before.get(key);
      if (standing.outerHTML === part.outerHTML) continue;
      const at = [standing.scrollLeft, standing.scrollTop];
      standing.replaceWith(part);
      [part.scrollLeft, part.scrollTop] = at;
      if (values(standing) !== values(part)) part.classList.add("fresh");
    }
  }

  function spoken() {
    return [...piece.querySelectorAll("[data-announce]")].map((part) => part.innerText.trim()).join(" ");
  }

  function update(html) {
    const fresh = new DOMParser().parseFromString(`<body>${html}</body>`, "text/html").body;
    const before = spoken();
    const focused = document.activeElement && piece.contains(document.activeElement)
      ? document.activeElement.id : "";
    for (const marked of piece.querySelectorAll(".fresh")) marked.classList.remove("fresh");
    replaceParts(fresh);
    if (focused && document.activeElement === document.body) {
      const again = document.getElementById(focused);
      if (again) again.focus({ preventScroll: true });
    }
    // Said aloud only when the verdict changes, not for every degree.
    const now = spoken();
    if (now !== before) announce.textContent = now;
    document.dispatchEvent(new CustomEvent("preau:updated"));
  }

  async function look() {
    if (fetching) {
      again = true;
      return;
    }
    fetching = new AbortController();
    const stop = setTimeout(() => fetching && fetching.abort(), 15000);
    try {
      const headers = tag ? { "If-None-Match": tag } : {};
      const answer = await fetch(piece.dataset.fragment, {
        cache: "no-store", headers, signal: fetching.signal,
      });
      if (answer.status !== 304) {
        if (!answer.ok) throw new Error(String(answer.status));
        const html = await answer.text();
        tag = answer.headers.get("ETag") || "";
        if (!paused) update(html);
      }
      if (!paused) state(source && source.readyState === EventSource.OPEN ? "on" : "polling");
    } catch {
      if (!paused) state("lost");
    } finally {
      clearTimeout(stop);
      fetching = null;
    }
    if (again && !paused) {
      again = false;
      look();
    }
  }

  function listen() {
    source = new EventSource("/events");
    source.addEventListener("open", () => state("on"));
    source.addEventListener("look", look);
    source.addEventListener("error", () => {
      // A closed source does not come back by itself: the polling below opens another.
      if (!paused) state(source.readyState === EventSource.CLOSED ? "polling" : "lost");
    });
  }

  function start() {
    paused = false;
    listen();
    poll = setInterval(() => {
      if (source.readyState === EventSource.OPEN) return;
      if (source.readyState === EventSource.CLOSED) listen();
      look();
    }, POLL_MS);
  }

  function stop() {
    source.close();
    clearInterval(poll);
  }

  button.addEventListener("click", () => {
    if (paused) {
      start();
      look();
    } else {
      paused = true;
      stop();
      state("off");
    }
  });

  // A hidden page asks nothing of the server, and looks again as soon as it is seen.
  document.addEventListener("visibilitychange", () => {
    if (paused) return;
    stop();
    if (!document.hidden) {
      start();
      look();
    }
  });

  button.hidden = false;
  state("on");
  start();
})();
