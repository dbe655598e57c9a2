// The page in a real Chromium, over two real edges with real modules: what people do with it. Every test ends with a look
// at what the browser complained about.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, ElementHandle, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { axeFindings } from './axe.js';
import { chromium, launch, openPage, type WatchedPage } from './browser.js';
import { counter, faulty, hasLines, startFleet, type RealFleet } from './real-fleet.js';

if (chromium === null) console.warn('the page is not tested: no chromium (set CHROMIUM to the program)');

let browser: Browser;
let fleet: RealFleet;
let watched: WatchedPage;
let page: Page;
let folder: string;

const COUNTER = '[data-card="home.counter"]';
const at = (place: string, module: string): string => `[data-place="edge:${place}"] [data-module="home.${module}"]`;
async function count(): Promise<number> {
  const answer = (await (await fetch(`${fleet.url}/things/home/count`)).json()) as { sum: number };
  expect(answer).toEqual({ sum: expect.any(Number) });
  return answer.sum;
}
const text = (selector: string): Promise<string> => page.$eval(selector, (element) => element.textContent ?? '');
/** Text that comes at some time. */
const shows = (selector: string, wanted: string): Promise<unknown> =>
  page.waitForFunction(
    (query, words) =>
      Array.from(document.querySelectorAll(query)).some((element) => element.textContent?.includes(words)),
    {},
    selector,
    wanted,
  );
async function middle(element: ElementHandle | null): Promise<{ x: number; y: number }> {
  const box = (await element!.boundingBox())!;
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}
const closeNotices = (): Promise<void> =>
  page.$$eval('.toast [aria-label="Dismiss notice"]', (buttons) =>
    buttons.forEach((button) => (button as HTMLElement).click()),
  );

describe.skipIf(chromium === null)('The page over two edges', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'page-'));
    fleet = await startFleet();
    await fleet.hub.deploy({ thing: 'home', wasm: await counter() });
    await fleet.hub.deploy({ thing: 'home', wasm: await faulty() });
    browser = await launch();
    watched = await openPage(browser, fleet.url);
    page = watched.page;
    await page.waitForSelector(COUNTER);
  });
  afterAll(async () => {
    await browser?.close();
    await fleet?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true });
  });

  it('shows places and modules, and what they do live', async () => {
    const policy = (await fetch(fleet.url)).headers.get('content-security-policy');
    expect(policy).toMatch(/default-src 'none'.*require-trusted-types-for 'script'/);
    expect(policy).not.toContain('unsafe');
    expect(await page.$(at('hub', 'counter'))).not.toBeNull();
    expect(await page.$('[data-place="edge:cloud"]')).not.toBeNull();
    // Calls until the page shows a rate: a second without calls in between is none.
    let called = 0;
    const calling = setInterval(() => void count().then((sum) => (called = sum)), 50);
    try {
      await page.waitForFunction(
        (card) => Number(document.querySelector(`${card} .figure b`)?.textContent) > 0,
        {},
        at('hub', 'counter'),
      );
      await page.waitForSelector(`${at('hub', 'counter')} .curve .line[d^="M"]`);
    } finally {
      clearInterval(calling);
    }
    expect(called).toBeGreaterThan(0);
    expect(await axeFindings(page)).toEqual([]);
    expect(watched.problems).toEqual([]);
  });

  it('moves a module by dragging its card, with its state, and back', async () => {
    const before = await count();
    const from = await middle(await page.$(at('hub', 'counter')));
    const to = await middle(await page.$('[data-place="edge:cloud"]'));
    await page.mouse.move(from.x, from.y);
    await page.mouse.down();
    await page.mouse.move(to.x, to.y, { steps: 5 });
    expect(await page.$('[data-place="edge:cloud"].over')).not.toBeNull();
    expect(await page.$('.ghost')).not.toBeNull();
    await page.mouse.up();
    expect(await page.$('.ghost')).toBeNull();
    await page.waitForSelector(at('cloud', 'counter'));
    await shows('.toast', 'counter moved from hub to cloud, paused for');
    expect(await text('#status')).toContain('counter moved from hub to cloud');
    expect(await count()).toBe(before + 1);
    await page.locator('.toast ::-p-text(Move back)').click();
    await shows('.toast', 'counter moved from cloud to hub');
    expect(await page.$(at('hub', 'counter'))).not.toBeNull();
    expect(await count()).toBe(before + 2);
    // A drag that ends nowhere, or with Escape, moves nothing; neither opens the details.
    await page.mouse.move(from.x, from.y);
    await page.mouse.down();
    await page.mouse.move(to.x, to.y, { steps: 3 });
    await page.keyboard.press('Escape');
    await page.mouse.up();
    expect(await page.$('.ghost')).toBeNull();
    expect(await page.$('aside.side')).toBeNull();
    expect(await page.$(at('hub', 'counter'))).not.toBeNull();
    expect(watched.problems).toEqual([]);
  });

  it('moves a module by keyboard, and shows a move that somebody else began', async () => {
    const before = await count();
    await closeNotices();
    await page.focus(COUNTER);
    await page.keyboard.press('m');
    await page.waitForSelector('[role=menu] [role=menuitem]:focus');
    expect(await axeFindings(page)).toEqual([]);
    await page.keyboard.press('End');
    await page.keyboard.press('Home');
    for (let i = 0; i < 10 && !(await text('[role=menuitem]:focus')).includes('cloud'); i++)
      await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await shows('.toast', 'counter moved from hub to cloud');
    expect(await page.$(at('cloud', 'counter'))).not.toBeNull();
    expect(await count()).toBe(before + 1);
    await fleet.hub.moves.start('home', 'counter', 'edge:hub', () => undefined);
    await page.waitForSelector(at('hub', 'counter'));
    await shows('.toast', 'counter moved from cloud to hub');
    expect(watched.problems).toEqual([]);
  });

  it('deploys what is dropped on a place, and lists what the compiler has against it', async () => {
    await closeNotices();
    const drop = async (place: string, name: string, bytes: Uint8Array): Promise<void> => {
      await page.$eval(
        `[data-place="edge:${place}"]`,
        (target, file, base64) => {
          const data = new DataTransfer();
          data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], file));
          for (const type of ['dragover', 'drop'])
            target.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
        },
        name,
        Buffer.from(bytes).toString('base64'),
      );
      await page.waitForSelector('dialog[open] .file');
    };
    await drop('cloud', 'other.wasm', await counter('other', '2.1.0'));
    await shows('dialog .file', 'other 2.1.0');
    expect(await page.$eval('dialog input[name=thing]', (input) => input.value)).toBe('home');
    await page.click('dialog button[value=deploy]');
    await page.waitForSelector(at('cloud', 'other'));
    await shows('.toast', 'Deployed: other 2.1.0 runs at cloud.');
    expect(await (await fetch(`${fleet.url}/things/home/other`)).json()).toEqual({ sum: 1 });

    // By the file button, as on a phone.
    const bad = join(folder, 'bad.wasm');
    writeFileSync(bad, (await counter()).subarray(0, 60));
    writeFileSync(join(folder, 'things.json'), '{ "name": "home", "version": "1.0.0", "modules": [] }');
    const input = await page.$('[data-place="edge:hub"] input[type=file]');
    await input!.uploadFile(bad, join(folder, 'things.json'));
    await page.waitForSelector('dialog[open] .file');
    expect(await axeFindings(page)).toEqual([]);
    await page.click('dialog button[value=check]');
    await page.waitForSelector('dialog .errors li');
    expect(await text('dialog .errors')).toMatch(/W\d{3}/);
    expect(await text('#alerts')).toContain('refused');
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => document.querySelector('dialog') === null);
    expect(await page.$(at('hub', 'counter'))).not.toBeNull();
    expect(watched.problems).toEqual([]);
  });

  it('calls a service, and shows a fault with function and line', async () => {
    await page.click(COUNTER);
    await page.waitForSelector('aside .caller');
    await page.click('aside .caller button');
    await shows('aside .answer pre', '"sum"');
    const response = await fetch(`${fleet.url}/things/home/ratio`);
    expect(response.status).toBeGreaterThanOrEqual(500);
    await page.waitForSelector('[data-module="home.faulty"] .badge');
    await page.click('[data-card="home.faulty"]');
    await shows('aside .fault-where', 'divide');
    if (hasLines) await shows('aside .fault-where', 'faulty.c:3');
    await shows('aside .backtrace li', 'get_ratio');
    await shows('.line.fault', 'divide');
    expect(await text('#alerts')).toContain('Fault in faulty of home');
    expect(await axeFindings(page)).toEqual([]);
    expect(watched.problems).toEqual([]);
  });

  it('asks for a token once there is one, and knows it when it is typed in', async () => {
    const response = await fetch(`${fleet.url}/api/tokens`, {
      method: 'POST',
      body: JSON.stringify({ name: 'ada', role: 'admin' }),
      headers: { 'content-type': 'application/json' },
    });
    const { token } = (await response.json()) as { token: string };
    await page.reload({ waitUntil: 'domcontentloaded' });
    await page.waitForSelector('input[name=token]');
    await page.type('input[name=token]', token);
    await page.keyboard.press('Enter');
    await page.waitForSelector(COUNTER);
    await page.locator('button.user').click();
    await page.waitForSelector('input[name=token]');
    expect(watched.problems).toEqual([]);
  });
});
