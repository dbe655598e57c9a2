import type { Case } from '../case.js';
export const LANGUAGE: readonly Case[] = [];
