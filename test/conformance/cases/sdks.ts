import type { Case } from '../case.js';
export const SDKS: readonly Case[] = [];
