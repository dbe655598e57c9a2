// Deploying by files. Takes what was dropped or chosen; opens the dialog, checks and deploys one module after the other.
// Knows no markup.
/** @import { DeployDialog, DeployFile } from './app.js' */
import * as api from './api.js';
import { announce, state, tell, update } from './app.js';
import { placeName } from './format.js';
import { isWasm, manifestOf } from './wasm-file.js';

/**
 * @param {string} place
 * @param {readonly File[]} files
 */
export async function openDeploy(place, files) {
  /** @type {DeployDialog} */
  const dialog = { kind: 'deploy', place, thing: suggestedThing(place), files: [], manifest: null, busy: false };
  state.dialog = dialog;
  update();
  await addFiles(dialog, files);
}

/** The only thing at the place, or the only one that there is. @param {string} place */
function suggestedThing(place) {
  const modules = [...state.fleet.modules.values()];
  const here = new Set(modules.filter((module) => module.place === place).map(({ thing }) => thing));
  const all = new Set(modules.map(({ thing }) => thing));
  const only = here.size === 1 ? here : all.size === 1 ? all : null;
  return only === null ? '' : ([...only][0] ?? '');
}

/**
 * @param {DeployDialog} dialog
 * @param {readonly File[]} files
 */
export async function addFiles(dialog, files) {
  for (const file of files) {
    if (/\.json$/i.test(file.name)) {
      dialog.manifest = file;
      await takeThing(dialog, file);
      continue;
    }
    const bytes = new Uint8Array(await file.arrayBuffer());
    const manifest = manifestOf(bytes);
    /** @type {DeployFile} */
    const entry = {
      wasm: file,
      name: manifest?.name ?? null,
      version: manifest?.version ?? null,
      own: manifest !== null,
      result: isWasm(bytes) ? '' : 'This does not look like a WebAssembly module.',
      tone: 'plain',
      errors: [],
    };
    dialog.files = [...dialog.files.filter(({ wasm }) => wasm.name !== file.name), entry];
  }
  update();
}

/**
 * @param {DeployDialog} dialog
 * @param {File} file
 */
async function takeThing(dialog, file) {
  if (dialog.thing !== '') return;
  const name = /"name"\s*:\s*"([a-z][a-z0-9-]*)"/.exec(await file.text())?.[1];
  if (name !== undefined) dialog.thing = name;
}

/**
 * @param {DeployDialog} dialog
 * @param {boolean} dry only check
 */
export async function deployAll(dialog, dry) {
  if (dialog.busy) return;
  dialog.busy = true;
  const { thing, place } = dialog;
  let bad = 0;
  for (const file of dialog.files) {
    if (file.tone === 'good' && !dry && file.result.startsWith('Deployed')) continue;
    file.result = dry ? 'Checking…' : 'Compiling and deploying…';
    file.tone = 'plain';
    file.errors = [];
    update();
    try {
      const manifest = file.own ? null : dialog.manifest;
      const placement = await api.deploy({ thing, place, wasm: file.wasm, manifest, dry });
      const what = `${placement.module ?? file.name ?? file.wasm.name} ${placement.version ?? ''}`.trim();
      file.result = dry ? `${what} can run at ${placeName(place)}.` : `Deployed: ${what} runs at ${placeName(place)}.`;
      file.tone = 'good';
    } catch (error) {
      bad++;
      file.tone = 'bad';
      const errors = error instanceof api.ApiError ? error.errors : [];
      const message = error instanceof Error ? error.message : String(error);
      file.errors = errors.length > 0 ? errors : [message];
      file.result = dry ? 'Refused:' : 'Not deployed. Nothing has changed at the place.';
    }
    update();
  }
  dialog.busy = false;
  const total = dialog.files.length;
  const verb = dry ? 'checked' : 'deployed';
  if (bad === 0 && !dry && state.dialog === dialog) {
    tell({ tone: 'good', text: dialog.files.map(({ result }) => result).join(' ') });
    state.dialog = null;
  }
  const errors = dialog.files.flatMap((file) => file.errors);
  announce(bad === 0 ? `${total} ${verb} without errors` : `${bad} of ${total} refused: ${errors.join('; ')}`, bad > 0);
  update();
}
