// What is here makes pages live that are complete without it: parts of a page are looked at again, a log is followed, and a form that is
// under way is not sent twice. It makes no markup of text: parts come as a parsed document, lines as text.
"use strict";
(() => {
  const main = document.getElementById("main");
  const banner = document.getElementById("banner");
  const every = 5000, slow = 60000;

  function say(text, link) {
    const p = document.createElement("p");
    p.className = "notice";
    p.append(text);
    if (link) {
      const a = document.createElement("a");
      a.href = link;
      a.textContent = "Sign in again";
      p.append(" ", a);
    }
    banner.replaceChildren(p);
  }
  function quiet() {
    if (banner.dataset.trouble) {
      delete banner.dataset.trouble;
      banner.replaceChildren();
    }
  }

  // busy says that somebody is in a part: what they type, open or mark is left alone.
  function busy(part) {
    const at = document.activeElement;
    if (part.contains(at) && at.matches("input, textarea, select, summary, button")) return true;
    if (part.querySelector("details[open]")) return true;
    const marked = document.getSelection();
    return marked && !marked.isCollapsed && part.contains(marked.anchorNode);
  }

  // put takes the parts of a page that has changed, and keeps the keyboard where it was.
  function put(page) {
    for (const part of document.querySelectorAll("[data-part]")) {
      const fresh = page.getElementById(part.id);
      if (!fresh || busy(part) || fresh.isEqualNode(part)) continue;
      const at = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      const next = document.importNode(fresh, true);
      part.replaceWith(next);
      if (at) for (const a of next.querySelectorAll("a")) if (a.getAttribute("href") === at) { a.focus({ preventScroll: true }); break; }
    }
    const status = (t) => t.split(":")[0];
    if (status(page.title) !== status(document.title)) document.title = page.title;
  }

  let tag = "", wait = every, ended = false;
  function look() {
    if (ended) return;
    if (document.hidden) { setTimeout(look, every); return; }
    const ask = new XMLHttpRequest(); // it parses the answer; fetch would leave that to us
    ask.open("GET", location.href);
    ask.responseType = "document";
    ask.setRequestHeader("Kf-Refresh", "1");
    if (tag) ask.setRequestHeader("If-None-Match", tag);
    ask.timeout = 30000;
    ask.onload = () => {
      if (ask.status === 401) {
        ended = true;
        say("Your session has ended, or the cluster does not take your token any more; what you see is how it was.",
          "/sign-in?next=" + encodeURIComponent(location.pathname + location.search));
        return;
      }
      if (ask.status === 200 && ask.response) {
        tag = ask.getResponseHeader("ETag") || "";
        quiet();
        put(ask.response);
        wait = every;
      } else if (ask.status === 304) {
        quiet();
        wait = every;
      } else {
        trouble(ask.status === 403 || ask.status === 404 ? "This page can't be seen any more: load it again to know why." : "The cluster can't be asked now.");
      }
      setTimeout(look, wait);
    };
    ask.onerror = ask.ontimeout = () => { trouble("There is no connection."); setTimeout(look, wait); };
    ask.send();
  }
  function trouble(text) {
    banner.dataset.trouble = "1";
    say(text + " What you see may be old; it is tried again.");
    wait = Math.min(wait * 2, slow);
  }
  if (main.hasAttribute("data-live")) setTimeout(look, every);

  // The log is followed. No more than so many lines are kept: a browser lays all of them out.
  const log = document.getElementById("log");
  const mostLines = 5000, mostChars = 2000000;
  function atEnd() { return log.scrollHeight - log.scrollTop - log.clientHeight < 40; }
  function follow(since) {
    const following = document.getElementById("following");
    const url = log.dataset.stream + (since ? "?since=" + encodeURIComponent(since) : "");
    let rest = "", lines = [], chars = 0, begun = false, due = false;
    function show() {
      due = false;
      const stay = atEnd();
      const text = lines.join("\n") + (lines.length ? "\n" : "") + rest;
      log.textContent = text;
      if (stay) log.scrollTop = log.scrollHeight;
    }
    function take(text) {
      if (!begun) {
        begun = true;
        if (since) lines = log.textContent.split("\n").slice(0, -1);
        for (const l of lines) chars += l.length;
        const none = document.getElementById("nolog");
        if (none) none.remove();
      }
      const parts = (rest + text).split("\n");
      rest = parts.pop();
      for (const l of parts) { lines.push(l); chars += l.length; }
      if (rest.length > mostChars) rest = rest.slice(-mostChars);
      let drop = Math.max(0, lines.length - mostLines), gone = 0;
      for (let i = 0; i < drop; i++) gone += lines[i].length;
      while (chars - gone > mostChars && drop < lines.length) gone += lines[drop++].length;
      if (drop) { lines.splice(0, drop); chars -= gone; }
      if (!due) { due = true; setTimeout(show, 100); }
    }
    fetch(url, { headers: { Accept: "text/plain" }, cache: "no-store" }).then(async (answer) => {
      if (!answer.ok) { following.textContent = "not followed"; return; }
      following.textContent = "following";
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        take(value);
      }
      show();
      const more = /ask for \?\S*since=([^&\s]+)\s*$/.exec(log.textContent);
      if (more) { follow(decodeURIComponent(more[1])); return; }
      following.textContent = "complete";
    }).catch(() => {
      following.textContent = "interrupted; trying again";
      if (!ended) setTimeout(follow, every);
    });
  }
  if (log && log.dataset.stream) follow("");

  // A form is sent once: what comes after a second press would be for nothing.
  document.addEventListener("submit", (e) => {
    const form = e.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) { e.preventDefault(); return; }
    form.dataset.sent = "1";
    setTimeout(() => { delete form.dataset.sent; }, 10000);
  });
  addEventListener("pageshow", () => { for (const f of document.forms) delete f.dataset.sent; });
})();
