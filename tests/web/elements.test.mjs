// Conversions to and from half precision, for engines without Float16Array.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fromHalf, toHalf } from '../../runtime-js/elements.js';

test('every half becomes itself again', () => {
  for (let bits = 0; bits < 0x10000; ++bits) {
    const isNan = (bits & 0x7fff) > 0x7c00;
    assert.equal(toHalf(fromHalf(bits)), isNan ? 0x7e00 : bits);
  }
});

test('other numbers go to the nearest half, in the middle to the even one', () => {
  for (let bits = 0; bits < 0x7bff; ++bits) {
    const low = fromHalf(bits), high = fromHalf(bits + 1), middle = (low + high) / 2;
    assert.equal(toHalf(middle), bits + (bits & 1));
    assert.equal(toHalf(middle * (1 - 2 ** -23)), bits);
    assert.equal(toHalf(-middle * (1 + 2 ** -23)), bits + 1 | 0x8000);
  }
});

test('numbers that are too large or too small', () => {
  assert.equal(toHalf(65519.99), 0x7bff);
  assert.equal(toHalf(65520), 0x7c00);
  assert.equal(toHalf(-1e30), 0xfc00);
  assert.equal(toHalf(2 ** -26), 0);
  assert.equal(fromHalf(0x3555), 0.333251953125);
});
