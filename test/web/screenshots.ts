// `npx tsx test/web/screenshots.ts`: pictures of the page for docs/, from the real fleet of the example (built clone, see
// `npm run fleet`). Takes a Chromium; gives docs/page-{light,dark,phone}.png. Not a test: run by hand when the page changes.
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'puppeteer-core';
import { Load } from '../../scripts/fleet/load.js';
import { openStage, THING } from '../../scripts/fleet/stage.js';
import { chromium, launch, openPage } from './browser.js';
import { faulty } from './real-fleet.js';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const STATION = join(root, 'examples/fleet/station.json');
const MAX_BYTES = 200_000;
/** Seconds of history that the curves need to look like something. */
const HISTORY_S = 45;

if (chromium === null) throw new Error('there is no chromium (set CHROMIUM to the program)');

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Deploys as the page does; with a manifest for a module that does not carry its own. */
async function deploy(url: string, thing: string, place: string, wasm: Uint8Array, module?: string): Promise<void> {
  const form = new FormData();
  if (module !== undefined) {
    form.append('module', module);
    form.append('manifest', new File([readFileSync(STATION)], 'things.json'));
  }
  form.append('wasm', new File([wasm as BlobPart], `${module ?? 'module'}.wasm`));
  const target = `${url}/api/things/${thing}/modules?place=${encodeURIComponent(place)}`;
  const response = await fetch(target, { method: 'PUT', body: form });
  if (!response.ok) throw new Error(`${place}: ${response.status} ${await response.text()}`);
}

async function deployStation(url: string, module: string, place: string): Promise<void> {
  const { modules } = JSON.parse(readFileSync(STATION, 'utf8')) as { modules: { name: string; wasm: string }[] };
  const { wasm } = modules.find(({ name }) => name === module)!;
  await deploy(url, THING, place, readFileSync(join(dirname(STATION), wasm)), module);
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (await condition().catch(() => false)) return;
    await sleep(200);
  }
  throw new Error(`${what}: not in 120 s`);
}

async function shoot(page: Page, name: string): Promise<void> {
  const file = join(root, 'docs', `page-${name}.png`);
  writeFileSync(file, await page.screenshot({ type: 'png', optimizeForSpeed: false }));
  const { size } = statSync(file);
  say(`${file}: ${Math.round(size / 1000)} kB`);
  if (size > MAX_BYTES) throw new Error(`${name} has more than ${MAX_BYTES} bytes`);
}

const card = (place: string, module: string): string => `[data-place="${place}"] [data-module="${THING}.${module}"]`;

async function drag(page: Page, from: string, to: string): Promise<void> {
  const a = (await (await page.$(from))!.boundingBox())!;
  const b = (await (await page.$(to))!.boundingBox())!;
  await page.mouse.move(a.x + a.width / 2, a.y + 20);
  await page.mouse.down();
  await page.mouse.move(b.x + b.width / 2, b.y + Math.min(b.height / 2, 60), { steps: 8 });
  await page.mouse.up();
  await page.mouse.move(5, 5);
}

const stage = await openStage({ ports: { house: 0, office: 0 }, say, onLine: () => undefined });
const browser = await launch();
try {
  const { house } = stage.urls;
  await until('the devices', async () => {
    const { places } = (await (await fetch(`${house}/api/fleet`)).json()) as { places: { name: string }[] };
    return places.length === 4;
  });
  await deployStation(house, 'filter', 'edge:house');
  await deployStation(house, 'store', 'edge:office');
  await deployStation(house, 'console', 'edge:office');
  await deploy(house, 'greenhouse', 'edge:house', await faulty('climate'));
  const watched = await Promise.all([
    openPage(browser, house, { width: 1440, height: 900 }),
    openPage(browser, house, { width: 1440, height: 900, dark: true }),
    openPage(browser, house, { width: 360, height: 780, scale: 2, touch: true }),
  ]);
  const [light, dark, phone] = watched.map(({ page }) => page) as [Page, Page, Page];
  await until('weather', async () => (await fetch(`${house}/things/${THING}/weather`)).ok);
  const load = new Load(
    Object.values(stage.urls).map((url) => `${url}/things/${THING}/weather/reading`),
    25,
  );
  await fetch(`${house}/things/greenhouse/ratio`);
  await sleep(HISTORY_S * 1000);

  await light.bringToFront();
  await light.click(`[data-card="greenhouse.climate"]`);
  await light.waitForSelector('aside .backtrace');
  await sleep(1500);
  await shoot(light, 'light');

  await dark.bringToFront();
  await dark.waitForSelector(card('edge:house', 'filter'));
  await drag(dark, card('edge:house', 'filter'), '[data-place="device:porch"]');
  await dark.waitForSelector(`${card('edge:house', 'filter')} .on-its-way`);
  await dark.waitForSelector('#routes .route');
  await shoot(dark, 'dark');
  await dark.waitForSelector(`${card('device:porch', 'filter')}:not(.moving)`, { timeout: 120_000 });
  await until('the end of the move', async () => (await dark.$('.toast')) !== null);
  say(await dark.$eval('.toast', (toast) => toast.textContent?.replace(/\s+/g, ' ').trim() ?? ''));

  await phone.bringToFront();
  await sleep(3000);
  await phone.$$eval('.toast [aria-label="Dismiss notice"]', (all) => all.forEach((e) => (e as HTMLElement).click()));
  await sleep(1500);
  await shoot(phone, 'phone');
  for (const { problems } of watched) for (const problem of problems) say(`problem: ${problem}`);
  const { calls, lost, doubled } = await load.stop();
  say(`${calls} calls, ${lost} lost, ${doubled} run twice`);
} finally {
  await browser.close();
  await stage.end();
}
