#!/usr/bin/env node
// Starts the compiled command line. Takes the process's arguments, sets its exit code, so that output is flushed.
import module from 'node:module';

// Node 22 and later can keep compiled code on disk from one start to the next.
module.enableCompileCache?.();
const { main } = await import('../dist/cli/thingspire/main.js');

process.exitCode = await main(process.argv.slice(2));
