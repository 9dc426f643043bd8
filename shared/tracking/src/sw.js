/* Tanigo web push: docs/push.md. A shop's own file loads it: importScripts(".../push-sw.js"). */
(function (w) {
  "use strict";
  w.addEventListener("push", function (event) {
    var note;
    try { note = event.data.json(); } catch (e) { note = null; }
    if (!note || typeof note.title !== "string") return;
    var actions = note.actions || [];
    event.waitUntil(w.registration.showNotification(note.title, {
      body: note.body, icon: note.icon, image: note.image, tag: note.id,
      data: { link: note.link, links: actions.map(function (one) { return one.link; }), data: note.data },
      actions: actions.map(function (one, n) { return { action: String(n), title: one.title }; })
    }));
  });
  w.addEventListener("notificationclick", function (event) {
    var data = event.notification.data || {}, link = event.action ? (data.links || [])[+event.action] : data.link;
    event.notification.close();
    if (/^https?:/.test(link || "")) event.waitUntil(w.clients.openWindow(link));
  });
  w.addEventListener("install", function () { w.skipWaiting(); });
  w.addEventListener("activate", function (event) { event.waitUntil(w.clients.claim()); });
})(self);
