import type { Case } from '../case.js';
export const WASI: readonly Case[] = [];
