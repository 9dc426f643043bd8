// The tracking script in a real Chromium, on a page of another site: nothing without consent, batches, and offline.
// Started by check.sh, which gives TANIGO_URL and CHROMIUM.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { chromium } from 'playwright-core';

const api = process.env.TANIGO_URL;
const { api_key: key } = await (await fetch(`${api}/_local/credentials`)).json();

async function ask(method, path, body) {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const answer = await fetch(api + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

const { token } = await ask('POST', '/v1/api-keys', { name: 'Website', scopes: ['track'] });
assert.match(token, /^tngp_/);

// A page of the shop, on another host name than the API: another site for the browser.
const html = (more = '') => `<!doctype html><html lang="vi"><title>Áo dài</title><h1>Shop</h1><script>
  window.tanigo = window.tanigo || { q: [] };
  ["consent", "identify", "track", "page", "reset", "push"].forEach(function (name) {
    tanigo[name] = tanigo[name] || function () { tanigo.q.push([name].concat([].slice.call(arguments))); };
  });
  tanigo.track("Before Consent", { n: 1 });
</script><script async src="${api}/t.js" data-key="${token}" ${more}></script></html>`;
const shop = createServer((request, response) => {
  // The shop's own file of the service worker.
  if (request.url === '/tanigo-sw.js') {
    response.writeHead(200, { 'content-type': 'text/javascript' });
    response.end(`importScripts("${api}/push-sw.js");`);
    return;
  }
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
  response.end(html(request.url.includes('manual') ? 'data-page="off"' : ''));
});
await new Promise((ready) => shop.listen(0, '127.0.0.1', ready));
const shopUrl = `http://localhost:${shop.address().port}`;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});

async function open() {
  const context = await browser.newContext({ locale: 'vi-VN' });
  const page = await context.newPage();
  const errors = [];
  const sent = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  context.on('request', (request) => {
    // The body of a beacon is not told.
    if (request.url() === `${api}/s/b` && request.postData()) sent.push(...JSON.parse(request.postData()).batch);
  });
  const ready = () => page.waitForFunction(() => window.tanigo.version === 1);
  return { context, page, sent, ready, done: async () => { await context.close(); assert.deepEqual(errors, []); } };
}

const stored = (page) => page.evaluate(() => [Object.keys(localStorage), document.cookie]);
const wait = (ms) => new Promise((over) => setTimeout(over, ms));

async function until(what, found) {
  for (let n = 0; n < 100; n += 1) {
    const value = await found();
    if (value) return value;
    await wait(200);
  }
  throw new Error(`never: ${what}`);
}

const tests = {
  async 'nothing is sent or stored without consent, and nothing after a no'() {
    const { page, sent, ready, done } = await open();
    await page.goto(`${shopUrl}/ao-dai`);
    await ready();
    await page.evaluate(() => { tanigo.identify('KH-1', { email: 'an@example.vn' }); });
    await wait(2500);
    assert.deepEqual([sent, await stored(page)], [[], [[], '']]);
    await page.evaluate(() => { tanigo.consent(false); tanigo.track('After No'); });
    await page.goto(`${shopUrl}/khac`);
    await wait(1500);
    assert.deepEqual([sent, await stored(page)], [[], [[], '']]);
    await done();
  },

  async 'after consent the calls that waited are sent, once each, and the contact has them'() {
    const { page, sent, ready, done } = await open();
    await page.goto(`${shopUrl}/ao-dai?utm_source=zalo&utm_campaign=tet`);
    await ready();
    await page.evaluate(() => {
      tanigo.consent(true, { text: 'Tôi đồng ý.' });
      tanigo.identify('KH-77', { email: 'kh77@example.vn', firstName: 'An' });
      tanigo.track('Signed Up', { plan: 'pro' });
    });
    await until('four calls', () => sent.length >= 4);
    assert.deepEqual(sent.map((call) => call.type).sort(), ['identify', 'page', 'track', 'track']);
    assert.equal(new Set(sent.map((call) => call.messageId)).size, 4);
    assert.equal(new Set(sent.map((call) => call.anonymousId)).size, 1);
    const view = sent.find((call) => call.type === 'page');
    assert.deepEqual(view.context.campaign, { source: 'zalo', name: 'tet' });
    assert.equal(view.context.page.title, 'Áo dài');
    const contact = await until('a contact', async () => {
      const found = await ask('GET', '/v1/contacts?query=kh77%40example.vn');
      return found.data[0];
    });
    assert.equal(contact.external_id, 'KH-77');
    const names = await until('its events', async () => {
      const { data } = await ask('GET', `/v1/contacts/${contact.id}/timeline`);
      const own = data.map((event) => event.name);
      return own.includes('Signed Up') && own.includes('page.viewed') && own.includes('Before Consent') && own;
    });
    assert.equal(names.filter((name) => name === 'page.viewed').length, 1);
    await done();
  },

  async 'nobody is asked for notifications before consent, and the service worker shows one'() {
    await ask('PUT', '/v1/channels/push/web', {
      contact_email: 'shop@example.vn',
      prompt: { delay_seconds: 0, text: 'Nhận tin khuyến mãi?', only_on: ['/push/'] },
    });
    const { context, page, ready, done } = await open();
    await context.grantPermissions(['notifications'], { origin: shopUrl });
    await page.goto(`${shopUrl}/push/1`);
    await ready();
    await page.evaluate(() => tanigo.push());
    await wait(1000);
    assert.equal(await page.locator('#tanigo-push').count(), 0);
    await page.evaluate(() => tanigo.consent(true));
    await page.locator('#tanigo-push').waitFor();
    assert.match(await page.locator('#tanigo-push').innerText(), /Nhận tin khuyến mãi\?/);
    const cdp = await context.newCDPSession(page);
    let registrationId;
    cdp.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
      for (const one of registrations) if (!one.isDeleted && one.scopeURL.startsWith(shopUrl)) registrationId = one.registrationId;
    });
    await cdp.send('ServiceWorker.enable');
    await page.locator('#tanigo-push button').first().click();
    // A message to a worker that is not yet active is lost without an error.
    await until('an active worker', () => page.evaluate(async () => (await navigator.serviceWorker.ready).active?.state === 'activated'));
    await until('a registration', () => registrationId);
    const note = { title: 'Chào', body: 'Giảm', id: 'm1', link: 'https://shop.example/', actions: [{ title: 'Xem', link: 'https://shop.example/x' }] };
    // The browser drops a message to a worker that it is just starting. A push service repeats it too, under the same name.
    const shown = await until('a notification', async () => {
      await cdp.send('ServiceWorker.deliverPushMessage', { origin: shopUrl, registrationId, data: JSON.stringify(note) });
      return page.evaluate(async () => {
        const own = await navigator.serviceWorker.ready;
        return (await own.getNotifications()).map(({ title, body, data }) => ({ title, body, link: data.link, links: data.links }))[0];
      });
    });
    assert.deepEqual(shown, { title: 'Chào', body: 'Giảm', link: 'https://shop.example/', links: ['https://shop.example/x'] });
    await done();
  },

  async 'a page of one address more is a view, and a next page remembers consent and person'() {
    const { page, sent, ready, done } = await open();
    await page.goto(`${shopUrl}/mot`);
    await ready();
    await page.evaluate(() => { tanigo.consent(true); tanigo.identify('KH-78'); history.pushState({}, '', '/hai'); });
    await until('two views', () => sent.filter((call) => call.type === 'page').length === 2);
    await page.goto(`${shopUrl}/ba`);
    await until('a third', () => sent.filter((call) => call.type === 'page').length === 3);
    assert.equal(sent.at(-1).userId, 'KH-78');
    await page.evaluate(() => { tanigo.reset(); tanigo.track('Signed Out'); });
    await until('a stranger', () => sent.some((call) => call.event === 'Signed Out' && !call.userId));
    await done();
  },

  async 'calls wait for a connection, and are sent when a page is left'() {
    const { context, page, sent, ready, done } = await open();
    await page.goto(`${shopUrl}/manual`);
    await ready();
    await page.evaluate(() => tanigo.consent(true));
    await until('the first call', () => sent.length === 1);
    await until('an empty queue', () => page.evaluate(() => !localStorage.getItem('tanigo.queue')));
    await context.setOffline(true);
    await page.evaluate(() => { for (let n = 0; n < 300; n += 1) tanigo.track('Offline', { n }); });
    await wait(1500);
    const kept = await page.evaluate(() => JSON.parse(localStorage.getItem('tanigo.queue')).length);
    assert.equal(kept, 200, 'the queue is bounded');
    await context.setOffline(false);
    await until('all that was kept', () => page.evaluate(() => !localStorage.getItem('tanigo.queue')));
    assert.ok(sent.some((call) => call.properties?.n === 299));
    await page.evaluate(() => { tanigo.identify('KH-79', { email: 'kh79@example.vn' }); tanigo.track('Left'); });
    await page.goto('about:blank');
    await until('the last call', async () => {
      const { data: [contact] } = await ask('GET', '/v1/contacts?query=kh79%40example.vn');
      const events = contact && await ask('GET', `/v1/contacts/${contact.id}/timeline`);
      return events && events.data.some((event) => event.name === 'Left');
    });
    await done();
  },
};

let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  const began = Date.now();
  try {
    await test();
    console.log(`ok      ${name} (${Date.now() - began} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n${error.stack}`);
  }
}
await browser.close();
shop.close();
process.exit(failed ? 1 : 0);
