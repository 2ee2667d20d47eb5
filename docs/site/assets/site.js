// Search, and a button that copies. Everything else works without this file.
"use strict";
const up = document.currentScript.dataset.up;
const box = document.getElementById("search"), field = box.querySelector("input"), list = box.querySelector(".hits");
let index;

function searchIndex(all) { // called by search-index.js
  index = all;
  show();
}

function load() {
  if (load.begun) return;
  load.begun = true;
  const script = document.createElement("script");
  script.src = up + "search-index.js";
  document.head.append(script);
}

// score is 0 unless each term begins a word of the section; a term of its title counts for more, and the page's for some.
function score(hit, terms) {
  const title = " " + hit.t.toLowerCase(), page = " " + hit.p.toLowerCase(), words = " " + hit.w;
  let sum = 0;
  for (const term of terms) {
    const inWords = words.includes(" " + term) || words.includes("-" + term) || words.includes("." + term) || words.includes("/" + term);
    if (!inWords && !title.includes(term) && !page.includes(term)) return 0;
    sum += 1 + (title.includes(term) ? 10 : 0) + (page.includes(term) ? 3 : 0) + (words.includes(" " + term + " ") ? 2 : 0);
  }
  return sum;
}

function show() {
  const terms = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  list.replaceChildren();
  if (!terms.length || !index) return;
  const found = index.map((hit) => [score(hit, terms), hit]).filter(([n]) => n > 0).sort((a, b) => b[0] - a[0]).slice(0, 20);
  for (const [, hit] of found) {
    const a = document.createElement("a"), where = document.createElement("small");
    a.href = up + hit.h;
    a.textContent = hit.t === hit.p ? hit.t : hit.p + ": " + hit.t;
    where.textContent = hit.b;
    a.append(where);
    a.addEventListener("click", () => { field.value = ""; list.replaceChildren(); });
    list.append(a);
  }
  if (!found.length) {
    const none = document.createElement("p");
    none.textContent = "Nothing has all of these words.";
    list.append(none);
  }
}

box.hidden = false;
field.addEventListener("focus", load);
field.addEventListener("input", show);
document.addEventListener("keydown", (e) => {
  if (e.key === "/" && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) {
    e.preventDefault();
    field.focus();
  }
  const links = [...list.querySelectorAll("a")], at = links.indexOf(document.activeElement);
  if (e.key === "Escape") { field.value = ""; list.replaceChildren(); }
  if ((e.key === "ArrowDown" || e.key === "ArrowUp") && links.length && (at >= 0 || document.activeElement === field)) {
    e.preventDefault();
    const next = at + (e.key === "ArrowDown" ? 1 : -1);
    (links[next] || field).focus();
  }
  if (e.key === "Enter" && document.activeElement === field && links.length) links[0].click();
});

for (const pre of document.querySelectorAll("pre")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button"), code = pre.querySelector("code");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    let text = code.textContent;
    if (code.classList.contains("language-console")) { // of a terminal, what was typed
      text = text.split("\n").filter((l) => l.startsWith("$ ")).map((l) => l.slice(2)).join("\n") + "\n";
    }
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  pre.append(button);
}
