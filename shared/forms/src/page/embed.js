  var me = document.currentScript;
  var origin = new URL(me.src).origin;
  var key = 'tanigo-form-' + S.id;
  function store(where, name, value) {
    try { if (value === undefined) return where().getItem(name); where().setItem(name, value); } catch (e) { return null; }
  }
  function local() { return localStorage; }
  function session() { return sessionStorage; }
  function frame() {
    var f = document.createElement('iframe');
    f.src = origin + '/f/' + S.id + '?lang=' + S.lang + '&frame=1';
    f.title = S.title;
    f.style.cssText = 'border:0;width:100%;min-height:20rem;background:#fff';
    addEventListener('message', function (e) {
      if (e.origin !== origin || e.source !== f.contentWindow || !e.data || !e.data.tanigo) return;
      f.style.height = Math.min(Math.max(Number(e.data.tanigo.height) || 0, 100), 5000) + 'px';
      if (e.data.tanigo.sent) store(local, key + '-sent', '1');
    });
    return f;
  }
  if (S.kind === 'inline') {
    me.parentNode.insertBefore(frame(), me.nextSibling);
    return;
  }
  var P = S.popup || { frequency: 'once', include: [], exclude: [], devices: [] };
  var first = store(local, key + '-met');
  if (!first) { store(local, key + '-met', String(Date.now())); store(session, key + '-new', '1'); }
  var isNew = !first || store(session, key + '-new');
  if (P.visitors === 'new' && !isNew || P.visitors === 'returning' && isNew) return;
  if (P.from && Date.now() < Date.parse(P.from) || P.until && Date.now() >= Date.parse(P.until)) return;
  var device = innerWidth >= 1024 ? 'desktop' : innerWidth >= 600 ? 'tablet' : 'phone';
  if (P.devices.length && P.devices.indexOf(device) < 0) return;
  function matches(rule) {
    var parts = rule.split('*').map(function (t) { return t.replace(/[.+?^${}()|[\]\\]/g, '\\$&'); });
    return new RegExp('^' + parts.join('.*') + '$').test(location.pathname);
  }
  if (P.include.length && !P.include.some(matches)) return;
  if (P.exclude.some(matches)) return;
  if (P.on_click) document.addEventListener('click', function (e) {
    if (!e.target.closest || !e.target.closest('[data-tanigo-form="' + S.id + '"]')) return;
    e.preventDefault();
    shown = false;
    open();
  });
  if (store(local, key + '-sent')) return;
  var last = Number(store(local, key + '-seen')) || 0;
  if (P.frequency === 'once' && last) return;
  if (P.frequency === 'session' && store(session, key + '-seen')) return;
  if (P.frequency === 'days' && Date.now() - last < P.every_days * 864e5) return;
  var shown = false;
  function open() {
    if (shown) return;
    shown = true;
    store(local, key + '-seen', String(Date.now()));
    store(session, key + '-seen', '1');
    var d = document.createElement('dialog');
    d.setAttribute('aria-label', S.title);
    d.style.cssText = 'border:1px solid #767676;border-radius:.5rem;padding:.5rem;width:min(36rem,92vw);max-height:92vh;overflow:auto'
      + (S.kind === 'slide_in' ? ';position:fixed;inset:auto 1rem 1rem auto;margin:0;z-index:2147483647' : '');
    var b = document.createElement('button');
    b.type = 'button';
    b.textContent = S.close + ' \u00d7';
    b.style.cssText = 'display:block;margin-left:auto;min-height:2.75rem;min-width:2.75rem;font:inherit';
    b.onclick = function () { d.close(); };
    d.appendChild(b);
    d.appendChild(frame());
    document.body.appendChild(d);
    d.addEventListener('close', function () { d.remove(); });
    if (S.kind === 'popup') d.showModal(); else d.show();
  }
  function start() {
    var rules = 0;
    if (P.delay_seconds !== null && P.delay_seconds !== undefined) { rules++; setTimeout(open, P.delay_seconds * 1000); }
    if (P.scroll_percent) {
      rules++;
      addEventListener('scroll', function () {
        var room = document.documentElement.scrollHeight - innerHeight;
        if (room <= 0 || scrollY / room * 100 >= P.scroll_percent) open();
      }, { passive: true });
    }
    if (P.on_exit) { rules++; document.addEventListener('mouseout', function (e) { if (!e.relatedTarget && e.clientY <= 0) open(); }); }
    if (P.on_click) rules++;
    if (!rules) open();
  }
  if (document.body) start(); else addEventListener('DOMContentLoaded', start);
