import type { Case } from '../case.js';
export const EVENTS: readonly Case[] = [];
