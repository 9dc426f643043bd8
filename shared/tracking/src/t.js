/* Tanigo tracking: docs/tracking.md. Sends and stores nothing until consent(true). */
(function (w, d) {
  "use strict";
  var old = w.tanigo || {}, calls = Array.isArray(old) ? old : old.q || [];
  if (old.version) return;
  var tag = d.currentScript || d.querySelector("script[data-key][src*='/t.js']");
  var key = tag && tag.getAttribute("data-key");
  if (!key) return;
  var host = tag.getAttribute("data-host") || new URL(tag.src).origin;
  var autoPage = tag.getAttribute("data-page") !== "off";
  var P = "tanigo.", MOST = 100, BYTES = 48000, KEEP = 200, CALL = 32000, DAYS = 7 * 864e5;
  var agreed = false, said = null, waiting = [], sending = false, timer = 0, tries = 0, last = "", memory = {}, pushing = null, asked = false;

  function get(name) {
    try { return w.localStorage.getItem(P + name); } catch (e) { return memory[name] || null; }
  }
  function set(name, value) {
    memory[name] = value;
    try { w.localStorage.setItem(P + name, value); } catch (e) { /* kept in memory */ }
  }
  function drop(name) {
    delete memory[name];
    try { w.localStorage.removeItem(P + name); } catch (e) { /* was in memory */ }
  }
  function id() {
    if (w.crypto && w.crypto.randomUUID) return w.crypto.randomUUID();
    var bytes = w.crypto.getRandomValues(new Uint8Array(16)), text = "";
    for (var n = 0; n < 16; n++) text += (bytes[n] + 256).toString(16).slice(1);
    return text;
  }
  function size(value) { return new Blob([JSON.stringify(value)]).size; }
  function queue() {
    try {
      var all = JSON.parse(get("queue") || "[]"), since = Date.now() - DAYS;
      return Array.isArray(all) ? all.filter(function (one) { return Date.parse(one.timestamp) > since; }) : [];
    } catch (e) { return []; }
  }
  function keep(all) {
    all = all.slice(-KEEP);
    while (all.length && size(all) > 4 * BYTES) all.shift();
    if (all.length) set("queue", JSON.stringify(all)); else drop("queue");
  }
  function anonymous() {
    var own = get("anonymous");
    if (!own) set("anonymous", own = id());
    return own;
  }
  function campaign() {
    var found = {}, any = false, names = { utm_campaign: "name", utm_source: "source", utm_medium: "medium", utm_term: "term", utm_content: "content" };
    new URLSearchParams(w.location.search).forEach(function (value, name) {
      if (names[name]) { found[names[name]] = value; any = true; }
    });
    return any ? found : undefined;
  }
  /* The call as it happened: it may wait for consent in memory, without any id. */
  function call(type, fields, context) {
    var one = { type: type, messageId: id(), timestamp: new Date().toISOString(), context: {
      page: { url: w.location.href.split("#")[0], path: w.location.pathname, title: d.title, referrer: d.referrer },
      campaign: campaign()
    } };
    for (var name in fields) if (fields[name] !== undefined) one[name] = fields[name];
    for (var part in context) one.context[part] = context[part];
    if (size(one) > CALL) return;
    if (agreed) add(one);
    else if (said === null && waiting.length < MOST) waiting.push(one);
  }
  function add(one) {
    if (one.type === "identify") {
      if (one.userId) set("user", one.userId);
      if (agreed && agreed.text && !one.context.consent) one.context.consent = { tracking: true, text: agreed.text };
    }
    one.anonymousId = anonymous();
    var user = get("user");
    if (user && !one.userId) one.userId = user;
    var all = queue();
    all.push(one);
    keep(all);
    later(all.length >= 20 ? 0 : 1000);
  }
  function later(ms) {
    if (timer) { if (ms) return; clearTimeout(timer); }
    timer = setTimeout(function () { timer = 0; flush(); }, ms);
  }
  function pack() {
    var some = [], bytes = 0, all = queue();
    for (var n = 0; n < all.length && n < MOST; n++) {
      bytes += size(all[n]);
      if (some.length && bytes > BYTES) break;
      some.push(all[n]);
    }
    return some;
  }
  function body(some) {
    return JSON.stringify({ writeKey: key, sentAt: new Date().toISOString(), batch: some });
  }
  function done(some) {
    var ids = {};
    some.forEach(function (one) { ids[one.messageId] = 1; });
    keep(queue().filter(function (one) { return !ids[one.messageId]; }));
  }
  function flush() {
    if (!agreed || sending) return;
    var some = pack();
    if (!some.length) return;
    sending = true;
    /* text/plain asks for no preflight. */
    w.fetch(host + "/s/b", { method: "POST", body: body(some), keepalive: true, credentials: "omit", headers: { "Content-Type": "text/plain" } }).then(function (answer) {
      sending = false;
      if (answer.status === 429 || answer.status === 408 || answer.status >= 500) {
        return again(1000 * Math.min(300, +answer.headers.get("Retry-After") || 0));
      }
      tries = 0;
      done(some);
      if (queue().length) later(0);
    }, function () { sending = false; again(0); });
  }
  function again(ms) {
    var backoff = Math.min(300000, 1000 * Math.pow(2, tries++));
    later(Math.max(ms, backoff * (0.5 + Math.random() / 2)) + 1);
  }
  /* A page that is left: the answer is not seen, and a repetition is recognised by its messageId. */
  function leave() {
    if (!agreed || sending || !w.navigator.sendBeacon) return;
    var some = pack();
    if (some.length && w.navigator.sendBeacon(host + "/s/b", body(some))) done(some);
  }
  function page(name, properties) {
    if (typeof name === "object") { properties = name; name = undefined; }
    last = w.location.href.split("#")[0];
    call("page", { name: name, properties: properties || {} });
  }
  /* Web push: docs/push.md. Nothing is asked before consent(true). */
  function worker() {
    return w.navigator.serviceWorker.register(pushing.worker || "/tanigo-sw.js").then(function () { return w.navigator.serviceWorker.ready; });
  }
  function subscribe(site) {
    var text = atob(site.public_key.replace(/-/g, "+").replace(/_/g, "/")), bytes = new Uint8Array(text.length);
    for (var n = 0; n < text.length; n++) bytes[n] = text.charCodeAt(n);
    worker().then(function (own) {
      return own.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes });
    }).then(function (found) {
      var told = get("pushed") || "", one = found.toJSON(), day = 7 * Math.floor(Date.now() / DAYS);
      if (!agreed || told === day + " " + one.endpoint) return;
      call("identify", { traits: {} }, { device: { type: "web", token: one.endpoint, keys: one.keys }, consent: { push: true, text: site.prompt.text } });
      set("pushed", day + " " + one.endpoint);
    }).catch(function () { /* refused by the browser */ });
  }
  function ask(site) {
    var box = d.createElement("div"), words = d.createElement("p"), vi = /^vi/.test(d.documentElement.lang || "vi");
    if (!agreed || !d.body) return;
    box.setAttribute("role", "dialog");
    box.id = "tanigo-push";
    box.style.cssText = "position:fixed;z-index:2147483000;left:16px;right:16px;bottom:16px;max-width:360px;padding:16px;background:#fff;color:#222;border-radius:8px;box-shadow:0 4px 24px rgba(0,0,0,.25);font:15px sans-serif";
    words.textContent = site.prompt.text;
    box.appendChild(words);
    [[vi ? "Đồng ý" : "Allow", true], [vi ? "Để sau" : "Not now", false]].forEach(function (one) {
      var button = d.createElement("button");
      button.textContent = one[0];
      button.onclick = function () {
        box.remove();
        if (!one[1]) return set("push", "no");
        w.Notification.requestPermission().then(function (said) {
          set("push", said === "granted" ? "yes" : "no");
          if (said === "granted") subscribe(site);
        });
      };
      box.appendChild(button);
    });
    d.body.appendChild(box);
  }
  function push() {
    if (!agreed || !pushing || asked || !w.Notification || !w.PushManager || w.Notification.permission === "denied" || get("push") === "no") return;
    asked = true;
    w.fetch(host + "/s/push?key=" + encodeURIComponent(key), { credentials: "omit" }).then(function (answer) { return answer.ok && answer.json(); }).then(function (site) {
      if (!site || !agreed) return;
      if (get("push") === "yes" && w.Notification.permission === "granted") return subscribe(site);
      var here = site.prompt.only_on;
      if (here.length && !here.some(function (path) { return w.location.pathname.indexOf(path) === 0; })) { asked = false; return; }
      setTimeout(ask, 1000 * site.prompt.delay_seconds, site);
    }, function () { asked = false; });
  }
  function leavePush() {
    if (get("pushed")) worker().then(function (own) { return own.pushManager.getSubscription(); }).then(function (found) { return found && found.unsubscribe(); }).catch(function () { /* there is none */ });
  }
  var api = {
    version: 1,
    consent: function (yes, options) {
      if (yes || !arguments.length) {
        agreed = { text: (options && options.text) || get("text") };
        said = true;
        set("consent", "1");
        if (agreed.text) set("text", agreed.text);
        waiting.splice(0).forEach(add);
        later(0);
        push();
      } else {
        leavePush();
        agreed = false;
        said = false;
        waiting = [];
        clearTimeout(timer);
        timer = 0;
        ["consent", "text", "anonymous", "user", "queue", "push", "pushed"].forEach(drop);
      }
    },
    identify: function (user, traits) {
      if (typeof user === "object") { traits = user; user = undefined; }
      call("identify", { userId: user === undefined || user === null ? undefined : String(user), traits: traits || {} });
    },
    track: function (event, properties) { call("track", { event: event, properties: properties || {} }); },
    page: page,
    push: function (options) { pushing = options || {}; push(); },
    reset: function () {
      drop("user");
      drop("anonymous");
    },
    flush: flush
  };
  function run(one) {
    var args = Array.prototype.slice.call(one), name = args.shift();
    if (typeof api[name] === "function") api[name].apply(api, args);
  }
  w.tanigo = api;
  if (get("consent") === "1") { agreed = { text: get("text") }; said = true; }
  calls.forEach(run);
  if (autoPage) {
    page();
    ["pushState", "replaceState"].forEach(function (name) {
      var own = w.history[name];
      w.history[name] = function () {
        own.apply(w.history, arguments);
        if (last !== w.location.href.split("#")[0]) page();
      };
    });
    w.addEventListener("popstate", function () { if (last !== w.location.href.split("#")[0]) page(); });
  }
  w.addEventListener("online", function () { tries = 0; later(0); });
  w.addEventListener("pagehide", leave);
  d.addEventListener("visibilitychange", function () { if (d.visibilityState === "hidden") leave(); });
  if (agreed) later(0);
})(window, document);
