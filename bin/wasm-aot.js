#!/usr/bin/env node
// Starts the compiled command line. Takes the process's arguments, sets its exit code, so that output is flushed.
import { main } from '../dist/cli/main.js';

process.exitCode = await main(process.argv.slice(2));
