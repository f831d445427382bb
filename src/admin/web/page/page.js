// Keeps the page fresh: asks for it again and puts its content in the place of the old one. Without this script the page is
// whole, and reloads itself once a minute.
"use strict";

const EVERY_MS = 15000;

async function refresh() {
  const fresh = document.getElementById("fresh");
  // Whoever is at something is not disturbed.
  const busy = document.activeElement instanceof HTMLInputElement || !getSelection().isCollapsed;
  if (document.hidden || busy) return;
  try {
    const answer = await fetch(location.href, { signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const focused = document.activeElement?.getAttribute("href");
    document.getElementById("main").replaceChildren(...page.getElementById("main").childNodes);
    fresh.replaceChildren(...page.getElementById("fresh").childNodes);
    fresh.className = "";
    document.title = page.title;
    if (focused) document.querySelector(`main a[href="${CSS.escape(focused)}"]`)?.focus();
  } catch {
    if (fresh.className !== "bad") fresh.append(" The daemon cannot be reached: what is shown may be over.");
    fresh.className = "bad";
  }
}

setInterval(refresh, EVERY_MS);
document.addEventListener("visibilitychange", refresh);
