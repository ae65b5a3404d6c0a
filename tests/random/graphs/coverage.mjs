// Whether random graphs have all operators that the compiler takes.

import { readFileSync, readdirSync } from 'node:fs';

import { LEFT_OUT, OPERATORS } from './operators.mjs';

/** "MatMul", "com.microsoft.FusedMatMul" of the tables at the ends of src/onnx/ops/*.cpp. */
function compilersOperators() {
  const folder = new URL('../../../src/onnx/ops/', import.meta.url);
  return readdirSync(folder).filter((file) => file.endsWith('.cpp')).flatMap((file) =>
    [...readFileSync(new URL(file, folder), 'utf8').matchAll(/\{"([\w.]*)", "(\w+)",\s+\d+,\s+\w+/g)].map(([, domain, name]) => domain ? `${domain}.${name}` : name));
}

/** Operators that are neither drawn nor left out for a reason. */
export function missingOperators() {
  const drawn = new Set(Object.entries(OPERATORS).map(([name, { domain }]) => `${domain ? `${domain}.` : ''}${name.split(' ')[0]}`));
  const operators = compilersOperators();
  if (operators.length < 100) throw new Error('the tables of operators are no longer where coverage.mjs looks for them');
  return operators.filter((name) => !drawn.has(name) && !(name in LEFT_OUT));
}
