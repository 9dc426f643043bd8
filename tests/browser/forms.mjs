// Signup forms in a real Chromium: the page of ours, with and without script, and the forms inside a page of a shop.
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

async function publish(more) {
  const settings = {
    name: 'Bản tin', title: 'Nhận bản tin',
    fields: [{ key: 'email', required: true }, { key: 'full_name' }, { key: 'birthday' }],
    consent: { email: { text: 'Tôi đồng ý nhận email mỗi tuần một lần.' } },
    ...more,
  };
  const { id } = await ask('POST', '/v1/forms', settings);
  await ask('POST', `/v1/forms/${id}/publish`);
  return id;
}

// A page of the shop, on another host name than the API: another site for the browser.
const pages = new Map();
const shop = createServer((request, response) => {
  const page = pages.get(request.url);
  response.writeHead(page ? 200 : 404, { 'content-type': 'text/html; charset=utf-8' });
  response.end(page ?? '');
});
await new Promise((ready) => shop.listen(0, '127.0.0.1', ready));
const shopUrl = `http://localhost:${shop.address().port}`;

async function shopPage(path, id) {
  const { script } = await ask('GET', `/v1/forms/${id}/code`);
  // The style of the shop must not reach the form.
  pages.set(path, `<!doctype html><html lang="vi"><title>Shop</title><style>input{display:none}</style>
    <h1>Shop</h1>${script}<p>Chân trang</p></html>`);
  return shopUrl + path;
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});

// A tab in which each error of the page, such as one of the content security policy, fails the test.
async function open(options) {
  const context = await browser.newContext({ locale: 'vi-VN', ...options });
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  // The icon of the page is not served, and answers with an error are part of the tests.
  page.on('console', (message) => {
    const text = message.text();
    if (message.type() === 'error' && !text.includes('Failed to load resource')) errors.push(text);
  });
  return { page, done: async () => { await context.close(); assert.deepEqual(errors, []); } };
}

async function contact(email) {
  for (let n = 0; n < 100; n += 1) {
    const found = await ask('GET', `/v1/contacts?query=${encodeURIComponent(email)}`);
    if (found.data.length) return found.data[0];
    await new Promise((wait) => setTimeout(wait, 200));
  }
  throw new Error(`no contact ${email}`);
}

// Fills in and sends the form that `at` holds: a page or a frame.
async function fill(at, email) {
  await at.getByLabel(/^Email/).fill(email);
  await at.getByLabel('Tôi đồng ý nhận email').check();
  await at.getByRole('button', { name: 'Gửi' }).click();
}

const tests = {
  async 'a page without script takes a form, and shows a fault beside its question'() {
    const id = await publish();
    const { page, done } = await open({ javaScriptEnabled: false, viewport: { width: 360, height: 640 } });
    await page.goto(`${api}/f/${id}`);
    assert.equal(await page.getByRole('checkbox').isChecked(), false, 'nothing is ticked beforehand');
    await page.getByLabel('Họ và tên').fill('Trần An');
    await page.getByRole('button', { name: 'Gửi' }).click();
    const email = page.getByLabel(/^Email/);
    assert.equal(await email.getAttribute('aria-invalid'), 'true');
    for (const named of (await email.getAttribute('aria-describedby')).split(' ')) {
      assert.equal(await page.locator(`[id="${named}"]`).count(), 1, named);
    }
    assert.match(await page.getByRole('alert').innerText(), /Vui lòng sửa/);
    assert.equal(await page.getByLabel('Họ và tên').inputValue(), 'Trần An', 'the answers stay');
    await page.getByRole('alert').getByRole('link').click();
    assert.match(page.url(), /#f-email$/);
    await fill(page, 'khong-script@example.vn');
    assert.match(await page.getByRole('status').innerText(), /đã nhận được/);
    await done();
    const saved = await contact('khong-script@example.vn');
    assert.deepEqual([saved.full_name, saved.email_status], ['Trần An', 'subscribed']);
  },

  async 'a page fits a phone, and the keyboard reaches each box'() {
    const id = await publish({ design: { background_color: '#101010', text_color: '#eeeeee', button_color: '#ffd54f' } });
    const { page, done } = await open({ viewport: { width: 320, height: 640 } });
    await page.goto(`${api}/f/${id}`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    assert.equal(wide, false, 'no scrolling to the side');
    const color = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.equal(color, 'rgb(16, 16, 16)', 'the policy lets the design through');
    const reached = [];
    for (let n = 0; n < 12; n += 1) {
      await page.keyboard.press('Tab');
      reached.push(await page.evaluate(() => document.activeElement.name || document.activeElement.type || ''));
    }
    for (const name of ['email', 'full_name', 'birthday', 'consent.email', 'submit']) {
      assert.ok(reached.includes(name), `${name} in ${reached}`);
    }
    assert.ok(!reached.includes('_homepage'), 'the box for programs is skipped');
    await done();
  },

  async 'an embedded form lives in its frame and takes its height'() {
    const id = await publish({ kind: 'embedded', allowed_hosts: ['localhost.example.vn', '*.example.vn'] });
    // The policy names the hosts that may hold the frame; this shop is not one of them.
    const refused = await open();
    await refused.page.goto(await shopPage('/khac', id));
    const frame = refused.page.frameLocator('iframe');
    await refused.page.waitForTimeout(1_000);
    assert.equal(await frame.getByRole('button', { name: 'Gửi' }).count(), 0);
    await refused.page.context().close();

    const open_ = await publish({ kind: 'embedded' });
    const { page, done } = await open();
    await page.goto(await shopPage('/trang', open_));
    const inside = page.frameLocator('iframe');
    await inside.getByLabel(/^Email/).waitFor();
    // A click while the frame still takes its height would miss its place.
    await page.waitForFunction(() => {
      const { height } = document.querySelector('iframe').style;
      if (window.seen?.height !== height) window.seen = { height, at: Date.now() };
      return parseInt(height, 10) > 100 && Date.now() - window.seen.at > 500;
    });
    await fill(inside, 'nhung@example.vn');
    assert.match(await inside.getByRole('status').innerText(), /đã nhận được/);
    await done();
    assert.equal((await contact('nhung@example.vn')).email_status, 'subscribed');
  },

  async 'a window opens, closes by the keyboard, and does not come back after the form was sent'() {
    const id = await publish({ kind: 'popup', popup: { delay_seconds: 0, frequency: 'days', every_days: 1 } });
    const { page, done } = await open();
    const address = await shopPage('/cua-so', id);
    await page.goto(address);
    const dialog = page.getByRole('dialog', { name: 'Nhận bản tin' });
    await dialog.waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await page.reload();
    await page.waitForTimeout(1_000);
    assert.equal(await dialog.count(), 0, 'once a day');
    await page.evaluate(() => { localStorage.clear(); sessionStorage.clear(); });
    await page.reload();
    await dialog.waitFor();
    await fill(page.frameLocator('dialog iframe'), 'cua-so@example.vn');
    await page.frameLocator('dialog iframe').getByRole('status').waitFor();
    await page.waitForFunction((form) => localStorage.getItem(`tanigo-form-${form}-sent`) === '1', id);
    await done();
    assert.equal((await contact('cua-so@example.vn')).email_status, 'subscribed');
  },

  async 'Turnstile runs within the policy, and a browser without script is told'() {
    const id = await publish();
    const keys = { site_key: '1x00000000000000000000AA', secret_key: '1x0000000000000000000000000000000AA' };
    await ask('PUT', `/v1/forms/${id}/turnstile`, keys);
    const { page, done } = await open();
    await page.goto(`${api}/f/${id}`);
    await page.locator('input[name="cf-turnstile-response"]').waitFor({ state: 'attached' });
    await fill(page, 'nguoi-that@example.vn');
    assert.match(await page.getByRole('status').innerText(), /đã nhận được/);
    await done();
    assert.equal((await contact('nguoi-that@example.vn')).email_status, 'subscribed');
    const plain = await open({ javaScriptEnabled: false });
    await plain.page.goto(`${api}/f/${id}`);
    assert.match(await plain.page.locator('main').innerText(), /cần JavaScript/);
    await plain.done();
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
