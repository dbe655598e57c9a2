// The page in states that a real fleet is seldom in: many modules, none at all, a move that stands still or is refused, an
// edge that is away or wants a login; on a phone, in the dark. Over an edge that a test makes up.
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { axeFindings } from './axe.js';
import { chromium, launch, openPage, type PageOptions } from './browser.js';
import { FakeEdge } from './fake-edge.js';

let browser: Browser;
let edge: FakeEdge;
let problems: string[] = [];

async function open(options: PageOptions = {}): Promise<Page> {
  const watched = await openPage(browser, await edge.start(), options);
  problems = watched.problems;
  return watched.page;
}
const text = (page: Page, selector: string): Promise<string> =>
  page.$eval(selector, (element) => element.textContent ?? '');
const shows = (page: Page, selector: string, wanted: string): Promise<unknown> =>
  page.waitForFunction(
    (query, words) => document.querySelector(query)?.textContent?.includes(words),
    {},
    selector,
    wanted,
  );
const overflow = (page: Page): Promise<number> =>
  page.evaluate(() =>
    Math.max(
      ...Array.from(document.querySelectorAll('html, main, .top, .logs, aside'), (e) => e.scrollWidth - e.clientWidth),
    ),
  );

function small(): void {
  edge.place({ name: 'device:porch', kind: 'device', edge: 'hub', details: { board: 'ESP32', free_ram: 118_000 } });
  edge.add('weather', 'filter', 'edge:hub');
  edge.add('weather', 'sensor', 'device:porch');
}

describe.skipIf(chromium === null)('The page in rare states', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());
  afterEach(async () => {
    for (const context of browser.browserContexts())
      if (context !== browser.defaultBrowserContext()) await context.close();
    await edge.stop();
    expect(problems).toEqual([]);
  });

  it('fits a phone, in the dark, and moves by touch', async () => {
    edge = new FakeEdge();
    small();
    const page = await open({ width: 360, height: 740, touch: true, dark: true });
    await page.waitForSelector('[data-card="weather.filter"]');
    expect(await overflow(page)).toBeLessThanOrEqual(0);
    expect(await axeFindings(page)).toEqual([]);
    const dark = (): Promise<string> => page.$eval('body', (body) => getComputedStyle(body).backgroundColor);
    const before = await dark();
    // Automatic, then light: the switch wins over the system.
    await page.click('.theme');
    await page.waitForFunction(() => document.documentElement.dataset['theme'] === 'light');
    expect(await dark()).not.toBe(before);
    expect(await axeFindings(page)).toEqual([]);

    const grip = (await (await page.$('[data-module="weather.filter"] [data-grip]'))!.boundingBox())!;
    const place = (await (await page.$('[data-place="device:porch"]'))!.boundingBox())!;
    const touch = await page.touchscreen.touchStart(grip.x + 4, grip.y + 4);
    for (const part of [0.3, 0.7, 1])
      await touch.move(grip.x + 4 + 20 * part, grip.y + 4 + (place.y + 20 - grip.y) * part);
    await touch.end();
    await page.waitForSelector('[data-place="device:porch"] [data-module="weather.filter"]');
    await page.tap('.toast [aria-label="Dismiss notice"]');
    await page.tap('[data-card="weather.filter"]');
    await page.waitForSelector('aside.side');
    expect(await overflow(page)).toBeLessThanOrEqual(0);
    expect(await axeFindings(page)).toEqual([]);
  });

  it('shows the steps of a move, and says why one was refused', async () => {
    edge = new FakeEdge();
    small();
    let refuse: (() => void) | undefined;
    edge.onMove = (module, to, step) =>
      new Promise((resolve) => {
        step({ ...edge.moveBase(module, to), step: 'freeze', progress: 0.5 });
        refuse = () => {
          step({ ...edge.moveBase(module, to), step: 'failed', progress: 0.5, reason: 'prepare: no free slot' });
          resolve();
        };
      });
    const page = await open();
    await page.waitForSelector('[data-card="weather.filter"]');
    await page.focus('[data-card="weather.filter"]');
    await page.keyboard.press('m');
    await page.waitForSelector('[role=menuitem]:focus');
    await page.keyboard.press('p');
    await page.keyboard.press('Enter');
    await shows(page, '[data-module="weather.filter"] .on-its-way', 'stopped between calls');
    expect(await page.$eval('[data-module="weather.filter"] progress', (bar) => bar.value)).toBe(0.5);
    expect(await page.$('[data-place="device:porch"] [data-arriving="weather.filter"]')).not.toBeNull();
    expect(await page.$('#routes .route')).not.toBeNull();
    expect(await axeFindings(page)).toEqual([]);
    refuse!();
    await shows(page, '.toast', 'filter was not moved to porch. It runs on at hub.');
    expect(await text(page, '.toast')).toContain('prepare: no free slot');
    expect(await text(page, '#alerts')).toContain('no free slot');
    expect(await page.$('[data-arriving]')).toBeNull();
    expect(await page.$('[data-place="edge:hub"] [data-module="weather.filter"]:not(.moving)')).not.toBeNull();
    expect(await page.evaluate(() => document.activeElement?.getAttribute('data-menu'))).toBe('weather.filter');
  });

  it('shows a move that began before the page, until the registry says that it is over', async () => {
    edge = new FakeEdge();
    small();
    edge.add('weather', 'filter', 'edge:hub', { moving: { to: 'device:porch', since: Date.now() - 1000 } });
    const page = await open();
    await shows(page, '[data-module="weather.filter"] .on-its-way', 'to porch');
    edge.modules.delete('weather.filter');
    edge.add('weather', 'filter', 'edge:hub');
    await page.waitForSelector('[data-place="edge:hub"] [data-module="weather.filter"]:not(.moving)');
    expect(await page.$('[data-arriving]')).toBeNull();
  });

  it('asks for a token, and goes on when it has one', async () => {
    edge = new FakeEdge();
    small();
    edge.token = 'right';
    const page = await open();
    await page.waitForSelector('input[name=token]');
    expect(await page.$('[data-card]')).toBeNull();
    expect(await axeFindings(page)).toEqual([]);
    await page.type('input[name=token]', 'wrong');
    await page.keyboard.press('Enter');
    await shows(page, 'form.login', 'does not know this token');
    await page.$eval('input[name=token]', (input) => (input.value = ''));
    await page.type('input[name=token]', 'right');
    await page.keyboard.press('Enter');
    await page.waitForSelector('[data-card="weather.filter"]');
    await page.waitForSelector('button.user');
  });

  it('tells that the edge is away, keeps what was known, and catches up', async () => {
    edge = new FakeEdge();
    const page = await open();
    await shows(page, '[data-place="edge:hub"]', 'No modules');
    expect(await axeFindings(page)).toEqual([]);
    edge.add('weather', 'filter', 'edge:hub');
    await page.waitForSelector('[data-card="weather.filter"]');
    const port = Number(new URL(page.url()).port);
    await edge.stop();
    await page.waitForSelector('.notice');
    expect(await page.$('[data-card="weather.filter"]')).not.toBeNull();
    expect(await text(page, '#alerts')).toContain('does not answer');
    edge.add('weather', 'alarm', 'edge:hub');
    await edge.start(port);
    await page.waitForSelector('[data-card="weather.alarm"]');
    await page.waitForFunction(() => document.querySelector('.notice') === null);
    expect(await text(page, '#status')).toContain('back');
  });

  it('keeps hundreds of modules and places in order', async () => {
    edge = new FakeEdge();
    for (let device = 0; device < 60; device++)
      edge.place({ name: `device:board-${device}`, kind: 'device', edge: 'hub', details: {} });
    for (let i = 0; i < 400; i++) edge.add(`thing-${i % 20}`, `module-${i}`, 'edge:hub');
    for (let i = 0; i < 30; i++) edge.add('garden', `valve-${i}`, 'device:board-0');
    const page = await open();
    await page.waitForSelector('.group-head');
    expect((await page.$$('.group-head')).length).toBe(20);
    expect((await page.$$('[data-place]')).length).toBeLessThan(40);
    expect((await page.$$('article.row')).length).toBe(30);
    expect(await axeFindings(page)).toEqual([]);
    await page.click('.group-head');
    await page.waitForFunction(() => document.querySelectorAll('article.row').length === 50);
    await page.type('.search input', 'module-399');
    await page.waitForFunction(() => document.querySelectorAll('article').length === 1);
    expect(await text(page, '[data-card]')).toContain('module-399');
  });

  it('filters and pauses the log', async () => {
    edge = new FakeEdge();
    small();
    const log = (line: string, module = 'filter'): void =>
      edge.publish({ type: 'log', time: Date.now(), place: 'edge:hub', thing: 'weather', module, text: line });
    log('before the page');
    const page = await open();
    await shows(page, '.lines', 'before the page');
    await page.click('.pause');
    await shows(page, '.pause', 'Go on');
    log('while it is paused', 'alarm');
    await shows(page, '.pause', '1 new line');
    expect(await text(page, '.lines')).not.toContain('while it is paused');
    await page.click('.pause');
    await shows(page, '.lines', 'while it is paused');
    await page.type('.logs input', 'alarm');
    await page.waitForFunction(() => document.querySelectorAll('.lines .line').length === 1);
    expect(await text(page, '.lines .line')).toContain('while it is paused');
  });
});
