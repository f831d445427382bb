// Looks at a page as people do: by light and in the dark, on a phone, by keyboard, and without JavaScript. Says what it saw as
// one line of JSON; what is wrong with a page for people who cannot see it well is among it, as axe-core finds it.
//
//   node look.mjs URL FOLDER-FOR-PICTURES [VIEW ...]
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

// Installed apart from this file, where NODE_PATH says.
const require = createRequire(join(process.env.NODE_PATH, "anything.js"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const [url, folder, ...wanted] = process.argv.slice(2);
const VIEWS = [
  { name: "light", colorScheme: "light", viewport: { width: 1000, height: 900 } },
  { name: "dark", colorScheme: "dark", viewport: { width: 1000, height: 900 } },
  { name: "phone", colorScheme: "light", viewport: { width: 360, height: 740 }, isMobile: true },
  { name: "no-script", colorScheme: "light", viewport: { width: 1000, height: 900 }, javaScriptEnabled: false },
];

const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args });
const seen = {};
try {
  for (const { name, ...options } of VIEWS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
    const context = await opened({ ...options, bypassCSP: false });
    const page = await context.newPage();
    const trouble = [], asked = [];
    // That a page is not there is told by its status.
    const isStatus = (message) => message.location().url === page.url() && message.text().includes("status of 404");
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && !isStatus(message) && trouble.push(message.text()));
    page.on("pageerror", (error) => trouble.push(String(error)));
    page.on("request", (request) => asked.push(request.url()));
    const answer = await page.goto(url, { waitUntil: "load" });
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
    const scripted = options.javaScriptEnabled !== false;
    seen[name] = {
      status: answer.status(),
      title: await page.title(),
      text: await page.locator("body").innerText(),
      overflows: await page.locator("html").evaluate((html) => html.scrollWidth > html.clientWidth).catch(() => null),
      trouble,
      elsewhere: asked.filter((to) => new URL(to).origin !== new URL(url).origin && !to.startsWith("data:")),
      findings: await (scripted ? judged(page) : judgedAsShown(page, options)),
      reached: scripted ? await byKeyboard(page) : [],
    };
    if (name === "light" && (await page.locator("script").count()) > 0) seen[name].after = await refreshed(page);
    await context.close();
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));

// Two busy cores may take longer for a step, a navigation too, than the half minute that Playwright gives it of itself.
async function opened(options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(120_000);
  return context;
}

// The policy of the page lets no script in; the debugger's own evaluation is none of the page.
async function judged(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }));
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
}

// Where no script runs, axe does not either. What is shown there is shown once more where it can, still without the page's own.
async function judgedAsShown(page, options) {
  const shown = await page.content();
  const context = await opened({ ...options, javaScriptEnabled: true });
  await context.route("**/*", (route) => {
    const type = route.request().resourceType();
    if (type === "script") return route.abort();
    return type === "document" ? route.fulfill({ contentType: "text/html; charset=utf-8", body: shown }) : route.continue();
  });
  const copy = await context.newPage();
  await copy.goto(page.url(), { waitUntil: "load" });
  const findings = await judged(copy);
  await context.close();
  return findings;
}

// What the tab key comes by, in its order.
async function byKeyboard(page) {
  const reached = [];
  for (let step = 0; step < 60; step += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const [at, before] = [document.activeElement, (globalThis.reached ??= new Set())];
      if (at === document.body || before.has(at)) return null;
      before.add(at);
      return at.getAttribute("href") ?? at.tagName;
    });
    if (at === null) break;
    reached.push(at);
  }
  return reached;
}

// What the page's own script puts in the place of what is shown, once it is looked at again.
async function refreshed(page) {
  await page.evaluate(() => {
    document.activeElement.blur();
    document.querySelector("#main").replaceChildren("over");
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await page.waitForFunction(() => document.querySelector("#main").textContent !== "over");
  return page.locator("#main").innerText();
}
