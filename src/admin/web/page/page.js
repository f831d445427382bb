// Keeps the page fresh: asks for it again and puts its content in the place of the old one. Without this script the page is
// whole, and as old as it says.
"use strict";

const EVERY_MS = 15000;

async function refresh() {
  const fresh = document.getElementById("fresh");
  // Whoever is at something is not disturbed: only the place on a link can be found again.
  const at = document.activeElement;
  const busy = (at?.closest("main") && !at.matches("a[href]")) || !getSelection().isCollapsed;
  if (document.hidden || busy) return;
  try {
    const answer = await fetch(location.href, { signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const focused = document.activeElement?.getAttribute("href");
    document.getElementById("main").replaceChildren(...page.getElementById("main").childNodes);
    fresh.replaceChildren(...page.getElementById("fresh").childNodes);
    fresh.className = "";
    fresh.removeAttribute("role");
    document.title = page.title;
    if (focused) document.querySelector(`main a[href="${CSS.escape(focused)}"]`)?.focus();
  } catch {
    if (fresh.className === "bad") return;
    fresh.className = "bad";
    fresh.setAttribute("role", "alert");
    fresh.append(" The page cannot be had anew: what is shown may be over.");
  }
}

setInterval(refresh, EVERY_MS);
document.addEventListener("visibilitychange", refresh);
