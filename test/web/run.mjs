// Looks at the pages in Chromium. web_test.go starts it, and says where everything is; `make test-web` runs both.
import { chromium } from "playwright-core";
import axe from "@axe-core/playwright";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const plan = JSON.parse(process.env.PLAN);
const AxeBuilder = axe.default ?? axe;
const space = `/spaces/${plan.Space}`;
mkdirSync(plan.Out, { recursive: true });

let failures = 0;
const report = { axe: [], times: {} };
function check(ok, what) {
  if (!ok) { failures++; console.log("FAIL " + what); }
  return ok;
}
const has = async (page, text) => (await page.locator("body").innerText()).includes(text);
const control = async (path) => {
  const answer = await fetch(plan.Control + path);
  if (!answer.ok) throw new Error(path + ": " + (await answer.text()));
  return answer.text();
};
async function until(what, test, within = 30000) {
  const end = Date.now() + within;
  for (;;) {
    if (await test()) return true;
    if (Date.now() > end) return check(false, "not within " + within / 1000 + " s: " + what);
    await new Promise((r) => setTimeout(r, 100));
  }
}

const browser = await chromium.launch({ executablePath: plan.Chromium, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });

// person is somebody's own browser. What it complains of, a page that is refused something by its own policy among it, is a failure.
async function person(name, token, options = {}) {
  const context = await browser.newContext({ baseURL: plan.URL, viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.on("console", (m) => {
    const expected = /status of (401|403|404|422)/.test(m.text());
    if (m.type() === "error" && !expected) check(false, `${name}: the console says ${m.text()} at ${page.url()}`);
  });
  page.on("pageerror", (e) => check(false, `${name}: ${e} at ${page.url()}`));
  page.on("dialog", (d) => { check(false, `${name}: a page shows a dialog: ${d.message()}`); d.dismiss(); });
  if (token) {
    await page.goto("/");
    await signIn(page, token);
  }
  return { context, page };
}
async function signIn(page, token) {
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
}
async function shot(page, name, options = {}) {
  await page.screenshot({ path: join(plan.Out, name + ".png"), ...options });
}

const pages = {
  spaces: "/", space: space, app: `${space}/apps/shop`, "app-many": `${space}/apps/imports`, "app-none": `${space}/apps/imports?q=nothing+such`,
  task: `${space}/tasks/shop-failed`, "task-running": `${space}/tasks/shop-live`, "task-waiting": `${space}/tasks/shop-waits`,
  "task-acting": `${space}/tasks/shop-acting`, log: `${space}/tasks/shop-big/log?tail=1000`, job: `${space}/jobs/nightly`, builds: `${space}/apps/shop/builds`,
  webhooks: `${space}/webhooks`, webhook: `${space}/webhooks/pushes`, events: `${space}/events`, missing: `${space}/apps/none`,
};

const tests = {
  async "sign-in"() {
    const { context, page } = await person("nobody");
    await page.goto(`${space}/apps/shop?state=failed`);
    check(await page.title() === `Sign in · ${plan.Space} · kf`, "the title of the sign-in is " + await page.title());
    await accessible(page, "sign-in");
    await shot(page, "sign-in");
    await signIn(page, "of-nobody");
    check(await has(page, "Not signed in"), "a bad token is said to be one");
    await signIn(page, plan.Editor);
    check(page.url().endsWith("/apps/shop?state=failed"), "after the sign-in one is at " + page.url());
    const cookies = await context.cookies();
    const session = cookies.find((c) => c.name === "__Host-kf-session");
    check(session && session.secure && session.httpOnly && session.sameSite === "Strict" && !session.value.includes(plan.Editor.slice(0, 30)), "the cookie " + JSON.stringify(session));
    check(!(await page.evaluate(() => document.cookie)).includes("session"), "a script reads the session");
    await context.close();
  },

  async "every page, light and dark, wide and on a phone"() {
    for (const colorScheme of ["light", "dark"]) {
      for (const width of [1280, 360]) {
        const { context, page } = await person("jane", plan.Editor, { colorScheme, viewport: { width, height: width === 360 ? 740 : 800 } });
        for (const [name, path] of Object.entries(pages)) {
          await page.goto(path);
          await page.waitForTimeout(name.startsWith("task") || name === "log" ? 300 : 0); // for the log, which the script reads
          const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
          check(wide <= 0, `${name} at ${width} is ${wide} pixels too wide`);
          if (colorScheme === "light" || width === 1280) await accessible(page, `${name} ${colorScheme} ${width}`, colorScheme === "dark" ? ["color-contrast"] : []);
          await shot(page, `${name}-${colorScheme}-${width}`);
        }
        await context.close();
      }
    }
  },

  async "titles are each page's own"() {
    const { context, page } = await person("jane", plan.Editor);
    const titles = new Set();
    for (const path of Object.values(pages)) { await page.goto(path); titles.add(await page.title()); }
    check(titles.size >= Object.keys(pages).length - 3, "titles: " + [...titles].join(" | "));
    await context.close();
  },

  async "without a script"() {
    const { context, page } = await person("jane, no script", plan.Editor, { javaScriptEnabled: false });
    for (const path of Object.values(pages)) await page.goto(path);
    await page.goto(pages.task);
    check(await has(page, "no template for the format pdf"), "the log is in the page");
    await shot(page, "task-noscript");
    await page.goto(`${space}/tasks/shop-stoppable`);
    await page.getByText("Terminate…").click();
    await page.getByRole("button", { name: "Terminate the Task" }).click();
    check(await has(page, "The Task was asked to stop"), "terminated without a script");
    await page.goto(pages.app);
    await page.getByText("Run a Task").click();
    await page.getByLabel(/^Command/).fill("echo no script");
    await page.getByRole("button", { name: "Run", exact: true }).click();
    check(await has(page, "The Task was made") && await has(page, "echo no script"), "run without a script");
    await page.goto(pages.job);
    await page.getByRole("button", { name: "Suspend" }).click();
    check(await has(page, "The Job is suspended"), "suspended without a script");
    await page.getByRole("button", { name: "Resume" }).click();
    check(await has(page, "runs on its schedule again"), "resumed without a script");
    await page.getByRole("link", { name: "Month after" }).click();
    check(page.url().includes("month="), "the calendar goes on");
    await context.close();
  },

  async "the keyboard alone"() {
    const { context, page } = await person("jane, by keyboard", plan.Editor);
    await page.goto(pages.app);
    await page.keyboard.press("Tab");
    check(await page.evaluate(() => document.activeElement.className) === "skip", "the first stop skips to the content");
    await page.keyboard.press("Enter");
    check(await page.evaluate(() => document.activeElement.id) === "main", "and does so");
    let opened = false;
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => {
        const e = document.activeElement, r = e.getBoundingClientRect(), s = getComputedStyle(e);
        return { tag: e.tagName, text: (e.textContent || e.name || "").trim().slice(0, 40), seen: r.width > 0 && r.height > 0, outline: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2, top: r.top, bottom: r.bottom, high: innerHeight };
      });
      if (at.tag === "BODY") break;
      check(at.seen && at.outline && at.bottom > 0 && at.top < at.high, "where the keyboard is can't be seen: " + JSON.stringify(at));
      if (at.tag === "SUMMARY" && at.text === "Run a Task") {
        await page.keyboard.press("Enter");
        await page.keyboard.press("Tab");
        await page.keyboard.type("echo by keyboard");
        await shot(page, "keyboard");
        for (let k = 0; k < 4 && !opened; k++) {
          await page.keyboard.press("Tab");
          opened = await page.evaluate(() => document.activeElement.textContent === "Run");
        }
        await page.keyboard.press("Enter");
        break;
      }
    }
    await until("a Task by keyboard", async () => page.url().includes("/tasks/") && await has(page, "echo by keyboard"));
    await context.close();
  },

  async "a page that is open is live"() {
    const { context, page } = await person("jane, waiting", plan.Editor);
    await page.goto(pages["task-running"]);
    check(await has(page, "Running"), "it runs");
    await until("its log goes on", async () => (await page.locator("#log").innerText()).includes("reindexed part 8"));
    await shot(page, "task-live");
    await control("/finish");
    await until("its end is seen", async () => (await page.locator("#standing").innerText()).includes("Failed"));
    check((await page.title()).startsWith("failed:"), "the title says " + await page.title());
    // what somebody types is left alone
    await page.goto(pages.app);
    await page.getByText("Run a Task").click();
    await page.getByLabel(/^Command/).fill("half a com");
    await page.waitForTimeout(6000);
    check(await page.getByLabel(/^Command/).inputValue() === "half a com", "what was typed is still there");
    await context.close();
  },

  async "a log of 100 MB"() {
    const { context, page } = await person("jane, reading", plan.Editor);
    await page.goto(`${space}/tasks/shop-flood`);
    await until("the flood ends", async () => (await page.locator("#following").innerText()) === "complete", 120000);
    const seen = await page.evaluate(() => ({ chars: document.getElementById("log").textContent.length, heap: performance.memory ? performance.memory.usedJSHeapSize : 0, end: document.getElementById("log").textContent.slice(-300) }));
    check(seen.chars < 2100000 && seen.chars > 100000, "the page holds " + seen.chars + " characters");
    check(seen.heap < 150 << 20, "the script holds " + seen.heap);
    check(seen.end.includes("row 0819200 of 819200"), "its last line is seen: " + seen.end);
    report.times["characters kept of 100 MB that came"] = seen.chars;
    await page.goto(pages.log);
    check(await has(page, "row 0819200 of 819200") && await has(page, "Older lines"), "its end is in the page");
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Whole log as a file" }).click()]);
    const { size } = await import("node:fs").then(async (fs) => fs.statSync(await file.path()));
    check(size === 100 << 20, "the file has " + size + " bytes");
    await context.close();
  },

  async "500 Tasks"() {
    const { context, page } = await person("jane, counting", plan.Editor);
    const took = [];
    for (let i = 0; i < 10; i++) {
      const answer = await page.goto(`${space}/apps/imports?size=500`);
      took.push(parseFloat(/dur=([0-9.]+)/.exec(answer.headers()["server-timing"])[1]));
    }
    took.sort((a, b) => a - b);
    check(await page.locator("#tasks tbody tr").count() === 500, "all are there");
    report.times["server time of 500 Tasks, median, ms"] = took[5];
    report.times["server time of 500 Tasks, best, ms"] = took[0];
    await page.goto(`${space}/apps/imports`);
    check(await page.locator("#tasks tbody tr").count() === 100, "a page has 100");
    await page.getByRole("link", { name: "Older" }).click();
    check(page.url().includes("page=2"), "the address is " + page.url());
    await page.getByRole("link", { name: /Failed/ }).click();
    check(page.url().includes("state=failed") && !page.url().includes("page"), "the address is " + page.url());
    await page.getByLabel("Search").fill("part 7");
    await page.keyboard.press("Enter");
    await page.waitForURL(/q=part/);
    check(page.url().includes("state=failed"), "a search keeps the state: " + page.url());
    await context.close();
  },

  async "light and dark by hand"() {
    const { context, page } = await person("jane, at night", plan.Editor, { colorScheme: "light" });
    await page.goto(pages.space);
    const colour = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const before = await colour();
    await page.getByRole("button", { name: "Dark" }).click();
    check(page.url().endsWith(space) && await colour() !== before, "dark by hand: " + await colour());
    await page.goto(pages.app);
    check(await colour() !== before, "and it stays");
    await page.getByRole("button", { name: "Auto" }).click();
    check(await colour() === before, "and goes");
    await context.close();
  },

  async "two browsers, two users"() {
    const jane = await person("jane", plan.Editor), joe = await person("joe", plan.Viewer);
    for (const { page } of [jane, joe]) await page.goto(pages.task);
    check(await jane.page.getByRole("button", { name: "Run again" }).count() === 1, "jane may run it again");
    check(await joe.page.getByRole("button", { name: "Run again" }).count() === 0, "joe may not");
    check(await has(joe.page, ":joe") && !await has(joe.page, ":jane"), "each is who they are");
    await accessible(joe.page, "task of a viewer");
    await joe.page.goto(pages.app);
    check(await has(joe.page, "You may look, and not run"), "joe is told why");
    await jane.context.close();
    await joe.context.close();
  },

  async "what others wrote runs nothing"() {
    const { context, page } = await person("jane, attacked", plan.Editor);
    for (const path of [pages.space, `${space}/apps/odd`, pages["task-acting"], pages.webhook, pages.events]) {
      await page.goto(path);
      await page.waitForTimeout(200);
      check(await page.locator('img[src="x"]').count() === 0 && await page.locator("main script").count() === 0, "markup at " + path);
      check(!/[\u202a-\u202e\u2066-\u2069\x1b]/.test(await page.content()), "text that turns around at " + path);
    }
    await context.close();
  },

  async "a right that is taken away, and a token that ends, on an open page"() { // last: they are jane's
    const { context, page } = await person("jane, leaving", plan.Editor);
    const path = `${space}/apps/shop?state=failed`;
    await page.goto(path);
    await control("/revoke");
    await until("the page says so", async () => await has(page, "Your session has ended"));
    await shot(page, "ended");
    await page.getByRole("link", { name: "Sign in again" }).click();
    const token = await control("/token");
    await until("she is back", async () => {
      await signIn(page, token);
      return page.url().endsWith("/apps/shop?state=failed");
    }, 60000);
    await page.goto(pages.task);
    await control("/demote");
    await page.getByRole("button", { name: "Run again" }).click();
    check(await has(page, "You may not"), "she is refused");
    await accessible(page, "refused");
    await shot(page, "refused");
    await context.close();
  },
};

// accessible fails unless axe finds nothing against WCAG 2.2, levels A and AA.
// Or against some rules of it: what is dark differs in its colours alone.
async function accessible(page, name, rules = []) {
  const look = new AxeBuilder({ page });
  const found = await (rules.length ? look.withRules(rules) : look.withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"])).analyze();
  report.axe.push({ page: name, passes: found.passes.length, violations: found.violations.length, incomplete: found.incomplete.map((i) => i.id) });
  for (const v of found.violations) {
    check(false, `${name}: ${v.id}: ${v.help}: ` + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + " " + (n.any[0]?.message ?? "")).join(" | "));
  }
}

for (const [name, test] of Object.entries(tests)) {
  if (process.env.ONLY && !new RegExp(process.env.ONLY).test(name)) continue;
  const begun = Date.now(), before = failures;
  try {
    await test();
  } catch (e) {
    check(false, name + ": " + e);
  }
  console.log(`${failures === before ? "ok  " : "FAIL"} ${name} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
}
await browser.close();
writeFileSync(join(plan.Out, "..", "axe.json"), JSON.stringify(report, null, 1) + "\n");
const broken = report.axe.filter((a) => a.violations).length;
console.log(`axe: ${report.axe.length} pages, ${broken} with violations`);
for (const [what, n] of Object.entries(report.times)) console.log(`${what}: ${n}`);
process.exit(failures ? 1 : 0);
