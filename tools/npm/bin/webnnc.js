#!/usr/bin/env node
// Starts the compiler of this machine's kind, which is a package of its own.
import { spawn } from 'node:child_process';

import { binaryPath } from '../binary.js';

try {
  const child = spawn(binaryPath(), process.argv.slice(2), { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(error.message));
  child.on('exit', (code) => process.exitCode = code ?? 1);
} catch (error) {
  fail(error.message);
}

function fail(message) {
  console.error(`webnnc: error: ${message}`);
  process.exitCode = 1;
}
