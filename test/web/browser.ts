// A real Chromium for tests of the page. Takes the program that the system has (or CHROMIUM); gives pages that keep what
// went wrong in them. Null if there is none: then tests are skipped.
import { existsSync } from 'node:fs';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';

const CANDIDATES = [
  process.env['CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/snap/bin/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

export const chromium: string | null = CANDIDATES.find((path) => path !== undefined && existsSync(path)) ?? null;

export const launch = (): Promise<Browser> =>
  puppeteer.launch({
    executablePath: chromium!,
    // In containers there is neither a user for the sandbox nor much shared memory.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--force-color-profile=srgb'],
    protocolTimeout: 120_000,
  });

export interface WatchedPage {
  readonly page: Page;
  /** Console errors, uncaught exceptions, and what the content security policy has stopped. */
  readonly problems: string[];
}

export interface PageOptions {
  readonly width?: number;
  readonly height?: number;
  readonly scale?: number;
  readonly dark?: boolean;
  readonly touch?: boolean;
}

export async function openPage(browser: Browser, url: string, options: PageOptions = {}): Promise<WatchedPage> {
  const { width = 1280, height = 800, scale = 1, dark = false, touch = false } = options;
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const problems: string[] = [];
  page.on('console', (message) => {
    // That the edge does not answer is the browser's own message, and what some tests bring about.
    const network = /Failed to load resource|ERR_CONNECTION/.test(message.text());
    if (message.type() === 'error' && !network) problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(String(error)));
  await page.evaluateOnNewDocument(() => {
    addEventListener('securitypolicyviolation', (event) =>
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`),
    );
  });
  await page.setViewport({ width, height, deviceScaleFactor: scale, hasTouch: touch, isMobile: touch });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }]);
  await page.goto(url, { waitUntil: 'domcontentloaded' });
  return { page, problems };
}
