// A device as a place that modules move to and from: its slots hold packages that the edge compiles, signs and uploads;
// states travel as the blocks that differ. Takes lines as they come and go; gives what router and migration ask of a place.
// Knows no registry.
import { randomBytes, type KeyObject } from 'node:crypto';
import { METHOD_NUMBERS, ResponseCode } from '../../compiler/abi/os-layout.js';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import type { FirmwareDescription } from '../../manifest/firmware.js';
import { rawPublicKey } from '../../manifest/keys.js';
import { FREEZE_LEASE_MS, modelOfPackage } from '../fleet/edge-place.js';
import { messageOf } from '../fleet/message-of.js';
import { RecentAnswers } from '../fleet/recent-answers.js';
import {
  NOT_HERE,
  type ModulePackage,
  type ModulePlace,
  type PlaceAnswer,
  type PlaceLink,
  type Residence,
  type RunAction,
  Unsettled,
} from '../fleet/types.js';
import type { ModuleState, ServiceRequest } from '../host/types.js';
import { RouteTable, segmentsOf } from '../imc/routes.js';
import { Unreachable } from '../router/unreachable.js';
import type { CompiledSlot } from './compile-job.js';
import { DeviceApi, Refused, runState, type DeviceImage } from './device-api.js';
import type { DeviceLink } from './device-link.js';
import { Observations } from './observations.js';
import { Resident, type Package } from './resident.js';
import { DRAIN_MS, hold, isHeld, journalHash, Slots } from './slots.js';
import type { SlotCompiler } from './slot-compiler.js';
import { fetchState, storeState } from './state-transfer.js';
import { fromDevice, readHeader, toDevice } from './state-translation.js';

export interface DevicePlaceOptions {
  /** Of the device. */
  readonly name: string;
  /** Whose modules it runs. */
  readonly thing: string;
  /** Null: unknown; then modules do not move. */
  readonly firmware: FirmwareDescription | null;
  /** Private key of who may sign packages for it. */
  readonly key: KeyObject | null;
  readonly compiler: SlotCompiler;
  /** The .wasm of a module that is in a slot of the device, if this edge can find it. */
  readonly packageOf: (thing: string, module: string) => Promise<Uint8Array | null>;
}

/** As at an edge: so long a module stays prepared for a mover that does not come back. */
const PREPARE_LEASE_MS = 600_000;
/** A waiting request whose caller does not say how long. */
const PARK_MS = 60_000;

export class DevicePlace implements PlaceLink, ModulePlace {
  readonly kind = 'device';
  readonly name: string;
  readonly api: DeviceApi;
  private link: DeviceLink | null = null;
  private image: DeviceImage | null = null;
  private readonly residents = new Map<string, Resident>();
  private readonly recent = new RecentAnswers();
  private readonly observations: Observations;
  private readonly slots: Slots;
  private routes = new RouteTable<Resident>();

  constructor(private readonly options: DevicePlaceOptions) {
    this.name = `device:${options.name}`;
    this.api = new DeviceApi(() => this.current());
    this.slots = new Slots(this.api, this.residents);
    this.observations = new Observations(() => this.current());
  }

  /** Frames that came damaged on the present line. */
  get badFrames(): number {
    return this.link?.counts.bad ?? 0;
  }

  /** Why modules cannot move here, or null. */
  get unmovable(): string | null {
    const { firmware, key, name } = this.options;
    if (firmware === null) return `the firmware of ${name} is not known: start the edge with its .elf`;
    if (this.image !== null && this.image.identity !== firmware.image.id)
      return `${name} runs another image than the .elf says`;
    if (firmware.publicKey === null) return `the firmware of ${name} takes no packages: it has no public key`;
    if (key === null) return `packages for ${name} need a key to sign them with`;
    if (!Buffer.from(rawPublicKey(key)).equals(firmware.publicKey)) return `${name} takes packages of another key`;
    return null;
  }

  /** A line is there. Looks at what the device runs; whatever was left half-done before is done. */
  async attach(link: DeviceLink): Promise<void> {
    this.link = link;
    try {
      // A new word each time: what the device observed through an older line is void.
      await link.send({ method: METHOD_NUMBERS.PUT, uri: '/sys/edge', payload: randomBytes(8) });
      await this.look();
      this.observations.lost();
      this.observations.resume();
    } catch (error) {
      this.detach(link);
      throw error;
    }
  }

  /** The line has gone. What waits for the device goes on waiting. */
  detach(link: DeviceLink): void {
    if (this.link === link) this.link = null;
  }

  /** True if the device has begun anew since the last look. @throws if it does not answer */
  async hasReset(): Promise<boolean> {
    const before = this.image?.uptimeMs ?? 0;
    this.image = await this.api.imageOrNone();
    // The clock of the device counts in 32 bits.
    return this.image.uptimeMs < before && before - this.image.uptimeMs < 2 ** 31;
  }

  request(thing: string, request: ServiceRequest, id: string): Promise<PlaceAnswer> {
    return this.recent.once(id, async () => {
      const resident = this.residentOf(thing, request);
      if (resident === null) return this.current().request(thing, request, id);
      const within = request.withinMs ?? PARK_MS;
      const since = performance.now();
      if (!(await resident.arrived(within))) return NOT_HERE;
      const left = Math.max(1, within - (performance.now() - since));
      return resident.during(() => this.current().request(thing, { ...request, withinMs: left }, id));
    });
  }

  observe(_thing: string, uri: string, changed: () => void): () => void {
    return this.observations.add(uri, changed);
  }

  async prepare(input: ModulePackage, epoch: number, progress: (fraction: number) => void = () => {}): Promise<void> {
    const { thing, wasm } = input;
    const model = modelOfPackage(input);
    const reason =
      this.unmovable ??
      (thing === this.options.thing ? null : `${this.options.name} runs modules of ${this.options.thing}`);
    if (reason !== null) throw new DiagnosticError('W904', reason);
    const builtIn = this.options.firmware!.modules.some(({ name }) => name === model.name);
    if (builtIn) throw new DiagnosticError('W904', `${model.name} is built into the image of ${this.options.name}`);
    const there = this.residents.get(model.name);
    if (there?.phase === 'frozen') throw new DiagnosticError('W904', `${model.name} is moving`);
    if (there?.phase === 'running') return this.stage(there, { model, wasm }, progress);
    const reasons: string[] = [];
    for (const slot of await this.slots.candidates(model.name)) {
      try {
        const compiled = await this.compile(wasm, slot.slot, model.name);
        await this.slots.install(slot, compiled, this.options.key!, epoch, progress);
        const resident = new Resident(model.name, slot.slot, epoch, 'prepared', { model, wasm });
        if (there?.slot === slot.slot) resident.known = there.known;
        this.residents.set(model.name, resident);
        this.rebuildRoutes();
        return;
      } catch (error) {
        if (!(error instanceof DiagnosticError)) throw error;
        reasons.push(`slot ${slot.slot}: ${error.message.split('\n')[0]}`);
      }
    }
    throw new DiagnosticError('W904', reasons.length === 0 ? 'no slot is free' : reasons.join('; '));
  }

  async preload(_thing: string, module: string, state: ModuleState): Promise<void> {
    await this.store(this.resident(module), state);
  }

  async activate(_thing: string, module: string, epoch: number, state: ModuleState | null): Promise<void> {
    const resident = this.resident(module);
    if (resident.successor !== null) return this.succeed(resident, epoch);
    if (resident.phase === 'running' && resident.epoch === epoch) return;
    // Begun before, and only the answer was lost.
    const begun = resident.started && (await isHeld(this.api, module)) === false;
    if (!begun) {
      if (state !== null) await this.store(resident, state);
      resident.started = true;
      try {
        await this.expect(module, state === null ? 'start' : 'resume');
      } catch (error) {
        // An answer says that it does not run; anything else says nothing.
        if (!(error instanceof Refused)) throw new Unsettled(messageOf(error));
        resident.started = false;
        throw error;
      }
    }
    resident.run(epoch);
    this.observations.resume();
  }

  async precopy(_thing: string, module: string): Promise<ModuleState | null> {
    const resident = this.resident(module);
    const layout = (await this.compiled(resident)).state;
    const { stream } = await fetchState(this.api, layout, resident.known, false);
    resident.known = stream;
    return fromDevice(stream, layout);
  }

  async freeze(thing: string, module: string): Promise<ModuleState> {
    const resident = this.resident(module);
    if (resident.phase !== 'running' && resident.phase !== 'frozen')
      throw new DiagnosticError('W904', `${module} does not run on ${this.options.name}`);
    const layout = (await this.compiled(resident)).state;
    resident.freeze();
    try {
      if (!(await resident.drained(DRAIN_MS))) throw new DiagnosticError('W904', `${module} is busy all the time`);
      await hold(this.api, module);
      if (!resident.frozenState) {
        const { stream } = await fetchState(this.api, layout, resident.known, true);
        resident.known = stream;
      }
      const state = fromDevice(resident.known!, layout);
      resident.frozenState = true;
      return state;
    } catch (error) {
      // If the line is down, `look` does it when it is back.
      await this.release(thing, module).catch(() => undefined);
      throw error;
    }
  }

  async release(_thing: string, module: string): Promise<void> {
    const resident = this.residents.get(module);
    if (resident === undefined || resident.phase === 'cached') return;
    await this.resume(resident);
    resident.run();
  }

  async discard(_thing: string, module: string): Promise<void> {
    const resident = this.residents.get(module);
    if (resident === undefined || resident.phase === 'cached') return;
    if (resident.successor !== null) {
      // The one that runs stays: what was staged goes first.
      resident.successor = null;
      return;
    }
    if (resident.phase === 'running') {
      await this.api.empty(resident.slot);
      this.residents.delete(module);
    }
    // Otherwise it is held: the slot keeps its code for the next time, until somebody else needs it.
    resident.leave();
    this.rebuildRoutes();
  }

  async run(_thing: string, module: string, action: RunAction): Promise<void> {
    const resident = this.residents.get(module);
    if (resident !== undefined && resident.phase !== 'running')
      throw new DiagnosticError('W904', `${module} is moving`);
    await this.expect(module, action);
  }

  async modules(): Promise<Residence[]> {
    const { thing } = this.options;
    const states = new Map((await this.api.modules()).map(({ name, state }) => [name, state]));
    const now = performance.now();
    return [...this.residents.values()].flatMap(({ module, epoch, phase, since }): Residence[] => {
      if (phase === 'cached') return [];
      if (phase === 'running') return [{ thing, module, epoch, state: runState(states.get(module)) }];
      const abandoned = now - since > (phase === 'frozen' ? FREEZE_LEASE_MS : PREPARE_LEASE_MS);
      return [{ thing, module, epoch, state: 'stopped', held: phase, abandoned }];
    });
  }

  /** Modules that the edge may move, by name. */
  movable(): readonly Resident[] {
    return [...this.residents.values()].filter(({ phase }) => phase === 'running' || phase === 'frozen');
  }

  /** Forgets the states that it has seen: what comes next travels as a whole. */
  forgetStates(): void {
    for (const resident of this.residents.values()) resident.known = null;
  }

  async details(): Promise<Readonly<Record<string, unknown>>> {
    const [image, modules, slots] = [await this.api.image(), await this.api.modules(), await this.api.slotsOrNone()];
    const { thing, firmware } = this.options;
    return { thing, board: firmware?.image.board.name ?? null, unmovable: this.unmovable, image, modules, slots };
  }

  /** A new version goes to the bank that does not run, so that the device can go back to the old one. */
  private async stage(there: Resident, content: Package, progress: (fraction: number) => void): Promise<void> {
    const compiled = await this.compile(content.wasm, there.slot, there.module);
    there.successor = { ...(await this.slots.stage(there.slot, compiled, this.options.key!, progress)), content };
  }

  /** Callers wait until the device has decided between the staged version and the one that ran. */
  private async succeed(resident: Resident, epoch: number): Promise<void> {
    const { slot, module, successor } = resident;
    resident.successor = null;
    resident.freeze();
    try {
      await resident.drained(DRAIN_MS);
      await this.slots.succeed(slot, module, successor!);
      resident.replace(successor!.content);
      this.rebuildRoutes();
    } finally {
      resident.run(epoch);
    }
  }

  private current(): DeviceLink {
    if (this.link === null || this.link.isDown) throw new Unreachable(`${this.options.name} is not connected`);
    return this.link;
  }

  private resident(module: string): Resident {
    const resident = this.residents.get(module);
    if (resident === undefined) throw new DiagnosticError('W904', `${module} is not on ${this.options.name}`);
    return resident;
  }

  private residentOf(thing: string, { uri, method }: ServiceRequest): Resident | null {
    if (thing !== this.options.thing) return null;
    const found = this.routes.find(segmentsOf(uri), method);
    return found === null || found === 'method' ? null : found.value;
  }

  private rebuildRoutes(): void {
    this.routes = new RouteTable();
    for (const resident of this.residents.values())
      for (const { path, method } of resident.content?.model.provides ?? [])
        this.routes.add(path, METHOD_NUMBERS[method], resident);
  }

  /** Brings what the edge believes to what the device says, and the device to what it was told last. */
  private async look(): Promise<void> {
    this.image = await this.api.imageOrNone();
    const slots = (await this.api.slotsOrNone()).filter(({ module }) => module !== '');
    for (const [module, { slot }] of [...this.residents])
      if (!slots.some((entry) => entry.module === module && entry.slot === slot)) {
        this.residents.get(module)!.leave();
        this.residents.delete(module);
      }
    for (const { slot, module, held, epoch } of slots) {
      const known = this.residents.get(module);
      if (known === undefined) {
        const content = await this.content(module);
        const found = new Resident(module, slot, epoch, held ? 'frozen' : 'running', content);
        // Nobody who moves it is known.
        found.since = -Infinity;
        this.residents.set(module, found);
      } else if (!held && known.phase !== 'running') known.run(epoch);
      else if (held && known.phase === 'running') await this.resume(known);
      else if (held && known.phase === 'frozen' && !known.frozenState) await this.release(this.options.thing, module);
      // A move that was begun goes on: it is repeated by who moves, or by `recover`.
    }
    this.rebuildRoutes();
  }

  private async content(module: string): Promise<Resident['content']> {
    const { thing, packageOf } = this.options;
    const wasm = await packageOf(thing, module);
    return wasm === null ? null : { wasm, model: modelOfPackage({ thing, wasm }) };
  }

  private compile(wasm: Uint8Array, slot: string, module: string): Promise<CompiledSlot> {
    const { compiler, firmware } = this.options;
    return compiler.compile(wasm, firmware!.image, slot, `${module}.wasm`);
  }

  /** What runs in a resident's slot. @throws DiagnosticError W904 if this edge cannot know it */
  private async compiled(resident: Resident): Promise<CompiledSlot> {
    const { module, slot } = resident;
    if (this.unmovable !== null) throw new DiagnosticError('W904', this.unmovable);
    resident.content ??= await this.content(module);
    if (resident.content === null) throw new DiagnosticError('W904', `the .wasm of ${module} is not known here`);
    const compiled = await this.compile(resident.content.wasm, slot, module);
    const status = (await this.api.slots()).find((entry) => entry.slot === slot);
    if (status?.hash !== journalHash(compiled.contents))
      throw new DiagnosticError('W904', `${module} on ${this.options.name} was not compiled by this edge's compiler`);
    return compiled;
  }

  private async store(resident: Resident, state: ModuleState): Promise<void> {
    const layout = (await this.compile(resident.content!.wasm, resident.slot, resident.module)).state;
    resident.identity ??= readHeader(await this.api.stateBlock(resident.module, 0, 256), layout).identity;
    const stream = toDevice(state, layout, resident.identity);
    await storeState(this.api, layout, stream, resident.known);
    resident.known = stream;
  }

  /** Has a held module go on: with the state it has, else with the one it was frozen with, else from the beginning. */
  private async resume(resident: Resident): Promise<void> {
    const { module, known } = resident;
    let code = await this.api.control(module, 'resume');
    if (code === ResponseCode.Changed || (await isHeld(this.api, module)) === false) return;
    if (code === ResponseCode.Conflict && known !== null && resident.frozenState) {
      const layout = (await this.compiled(resident)).state;
      await storeState(this.api, layout, known, null);
      code = await this.api.control(module, 'resume');
    } else if (code === ResponseCode.Conflict) code = await this.api.control(module, 'start');
    if (code !== ResponseCode.Changed) throw new Refused(code, `have ${module} go on`);
  }

  private async expect(module: string, word: string): Promise<void> {
    const code = await this.api.control(module, word);
    if (code !== ResponseCode.Changed) throw new Refused(code, `${word} ${module}`);
  }
}
