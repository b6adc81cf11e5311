// Everything here is an improvement on a page that already works without it.
"use strict";
(() => {
  const root = document.documentElement;
  const $ = (s, n = document) => n.querySelector(s);
  const $$ = (s, n = document) => [...n.querySelectorAll(s)];

  // Theme: system by default; t cycles system, light, dark.
  const themes = ["", "light", "dark"];
  const store = { get: k => { try { return localStorage.getItem(k); } catch { return null; } }, set: (k, v) => { try { localStorage.setItem(k, v); } catch {} } };
  const setTheme = t => { t ? root.dataset.theme = t : delete root.dataset.theme; store.set("theme", t); };
  setTheme(store.get("theme") || "");
  const nextTheme = () => { const t = themes[(themes.indexOf(root.dataset.theme || "") + 1) % 3]; setTheme(t); say(`Theme: ${t || "same as system"}`); };

  // Toasts: one polite live region, five seconds, never for errors that need an answer.
  const say = text => {
    const box = $(".toast"); if (!box) return;
    const d = document.createElement("div"); d.textContent = text; box.append(d);
    setTimeout(() => d.remove(), 5000);
  };

  // Digest chips: click copies the whole value.
  document.addEventListener("click", async e => {
    const c = e.target.closest("[data-copy]");
    if (c) { try { await navigator.clipboard.writeText(c.dataset.copy); say("Copied"); } catch { say("Could not copy: the browser refused"); } }
    if (e.target.closest("[data-theme-next]")) nextTheme();
  });

  // Ages: <time data-age datetime> is counted on from the server's clock, not the reader's.
  const skew = root.dataset.now ? Date.parse(root.dataset.now) - Date.now() : 0;
  const age = s => s < 90 ? `${s} s ago` : s < 5400 ? `${Math.round(s / 60)} min ago` : s < 129600 ? `${Math.round(s / 3600)} h ago` : `${Math.round(s / 86400)} d ago`;
  const tick = () => {
    const now = Date.now() + skew, clock = $("#clock");
    $$("time[data-age]").forEach(t => { t.textContent = age(Math.max(0, Math.round((now - Date.parse(t.dateTime)) / 1000))); });
    if (clock) clock.textContent = new Date(now).toISOString().slice(11, 19) + " UTC";
  };
  setInterval(tick, 1000); tick();

  // Evidence: the line under the pointer or the focus marks its bytes.
  const mark = e => {
    const line = e.target.closest?.("[data-b]"), hex = $(".hex[data-at]");
    if (!hex) return;
    const [from, to] = line ? line.dataset.b.split(" ").map(n => n - hex.dataset.at) : [0, 0];
    $$("i", hex).forEach((byte, n) => byte.classList.toggle("on", n >= from && n < to));
  };
  document.addEventListener("mouseover", mark);
  document.addEventListener("focusin", mark);

  // Live updates: an event named "swap" carries HTML; each of its elements replaces the one with the same id.
  // Only ids that are on the page are touched. An element that holds the focus waits until it loses it.
  const live = $(".live");
  const waiting = new Map();
  const bare = n => {
    const c = n.cloneNode(true);
    c.classList.remove("changed");
    $$("time[data-age]", c).forEach(t => { t.textContent = ""; });
    $$("details", c).forEach(d => { d.open = false; });
    $$(".on", c).forEach(b => b.classList.remove("on"));
    return c.outerHTML.replaceAll(' class=""', "");
  };
  const put = (id, fresh) => {
    const old = document.getElementById(id);
    if (!old) return;
    if (old.contains(document.activeElement)) { waiting.set(id, fresh); return; }
    waiting.delete(id);
    if (bare(old) === bare(fresh)) return;
    fresh.classList.add("changed"); old.replaceWith(fresh);
  };
  document.addEventListener("focusout", () => setTimeout(() => waiting.forEach((fresh, id) => put(id, fresh))));
  const swap = html => {
    const t = document.createElement("template"); t.innerHTML = html;
    for (const fresh of [...t.content.children]) if (fresh.id) put(fresh.id, fresh);
    tick();
  };
  const state = (s, text) => { if (live) { live.dataset.state = s; const m = $("span", live); if (m.textContent !== text) m.textContent = text; } };
  let es;
  const open = () => {
    es?.close();
    es = new EventSource(root.dataset.live);
    es.addEventListener("swap", e => { swap(e.data); if (live) { delete live.dataset.beat; void live.offsetWidth; live.dataset.beat = ""; } });
    es.addEventListener("say", e => say(e.data));
    es.onopen = () => state("on", "Live");
    es.onerror = () => state("off", "Reconnecting");
  };
  if (root.dataset.live) {
    open();
    // A hidden tab holds no connection. On return the server first sends every block of the page as it is now.
    document.addEventListener("visibilitychange", () => { if (document.hidden) es.close(); else open(); });
  }

  // Keys: single letters, never while typing. g then a letter goes to a page of the navigation.
  let after = 0;
  document.addEventListener("keydown", e => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const typing = e.target.closest("input, textarea, select, [contenteditable]");
    if (typing) { if (e.key === "Escape") e.target.blur(); return; }
    const to = Date.now() < after && $$("[data-go]").find(a => a.dataset.go === e.key);
    after = 0;
    if (to) { to.click(); return; }
    const rows = $$("tr[data-row]"), at = rows.findIndex(r => r.contains(document.activeElement));
    const step = d => { const r = rows[Math.min(rows.length - 1, Math.max(0, at + d))]; if (r) $("a, button", r)?.focus(); };
    switch (e.key) {
      case "g": after = Date.now() + 1000; break;
      case "/": e.preventDefault(); $(".find input")?.focus(); break;
      case "j": step(1); break;
      case "k": step(-1); break;
      case "t": nextTheme(); break;
      case "?": $("#keys")?.showModal(); break;
    }
  });
})();
